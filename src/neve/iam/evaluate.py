"""The decision: may this principal do this action on this resource, and why.

Pure functions over values; no state, no clock but the context's. The order is AWS's: an explicit
Deny anywhere, then an Allow anywhere within the one account there is, else refusal:

    1. the policy of the access key: what it does not allow is refused, whatever others say
    2. a Deny of the bucket's policy or of a policy of the user or its groups
    3. an Allow of either
    4. root's standing
    5. access control lists
"""

from collections.abc import Callable, Mapping

from neve.iam.context import RequestContext
from neve.iam.policies import RESOURCE_PREFIX, Policy
from neve.iam.principals import Principal
from neve.iam.statements import Decision, Statement, Verdict

__all__ = [
    "Decision",
    "Verdict",
    "decide",
    "deciding_statement",
    "evaluate_bucket_policy",
    "may_know_absence",
    "resource_arn",
]

_NONE: tuple[Statement, ...] = ()

# AWS: the root of the owning account may always manage the policy, so that it cannot lock itself
# out (API_PutBucketPolicy, API_DeleteBucketPolicy).
ROOT_KEEPS = frozenset(("s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"))


_ROOT = Decision(True, "root")
_NOBODY = Decision(False, "nothing allows it")
_ACL = Decision(True, "access control list allows")
_LIMITED = Decision(False, "the policy of the access key does not allow it")

_ByAction = Mapping[str, tuple[Statement, ...]]


def resource_arn(bucket: str, key: str | None) -> str:
    """Return the ARN of the bucket, or of the object when there is a key."""
    return f"{RESOURCE_PREFIX}{bucket}" if key is None else f"{RESOURCE_PREFIX}{bucket}/{key}"


def deciding_statement(
    policy: Policy, principal: Principal, action: str, resource: str, context: RequestContext
) -> Statement | None:
    """Return the statement that settles the request: the first that denies, else one that allows.

    `action` is spelt as in `neve.iam.actions`.
    """
    return _deciding(policy.by_action, principal, action, resource, context)


def _deciding(
    by_action: _ByAction,
    principal: Principal,
    action: str,
    resource: str,
    context: RequestContext,
) -> Statement | None:
    covers, covered = None, False
    for statement in by_action.get(action, _NONE):
        # Statements with the same resources share one `covers`: most policies ask it once.
        if statement.covers is not covers:
            covers = statement.covers
            covered = covers(resource, context)
        if (
            covered
            and (statement.everyone or statement.principals.include(principal, statement.effect))
            and statement.holds(context)
        ):
            return statement
    return None


def evaluate_bucket_policy(
    policy: Policy, principal: Principal, action: str, resource: str, context: RequestContext
) -> Verdict:
    """Return what the policy says: DENY, ALLOW or NEUTRAL."""
    statement = deciding_statement(policy, principal, action, resource, context)
    return Verdict.NEUTRAL if statement is None else statement.effect


def decide(
    principal: Principal,
    bucket_owner: str,
    policy: Policy | None,
    action: str,
    bucket: str,
    key: str | None,
    context: RequestContext,
    acl: Callable[[], bool] | None = None,
) -> Decision:
    """Decide about one action on one bucket or object. `bucket_owner` is a canonical id.

    `policy` is the bucket's. `acl` is asked last, and says whether an access control list allows
    it. Without a bucket (`bucket` empty) the question is about the store as a whole.

    Root is allowed everything that no Deny of the bucket policy forbids; it is the root of the one
    account there is, hence of the owner's, and so the policy itself always stays in its hands.
    (MinIO's root is never denied by a bucket policy; AWS's is, and we follow AWS.) Everybody else,
    the owner of the bucket included, needs an Allow. The anonymous principal is named only by `*`.
    """
    is_root = principal.kind == "root"
    if is_root and action in ROOT_KEEPS:
        policy = None
    if policy is None and principal.is_unlimited:
        return _ROOT
    resource = resource_arn(bucket, key)
    context.bucket_owner = bucket_owner
    if principal.limit is not None:
        found = _deciding(principal.limit.by_action, principal, action, resource, context)
        if found is None:
            return _LIMITED
        if found.effect is Verdict.DENY:
            return found.decision
    allowing = None
    if policy is not None:
        allowing = _deciding(policy.by_action, principal, action, resource, context)
        if allowing is not None and allowing.effect is Verdict.DENY:
            return allowing.decision
    if principal.rights is not None:
        found = _deciding(principal.rights.by_action, principal, action, resource, context)
        if found is not None and (allowing is None or found.effect is Verdict.DENY):
            allowing = found
    if allowing is not None:
        return allowing.decision
    if is_root:
        return _ROOT
    return _ACL if acl is not None and acl() else _NOBODY


def may_know_absence(
    principal: Principal,
    bucket_owner: str,
    policy: Policy | None,
    bucket: str,
    key: str,
    context: RequestContext,
) -> bool:
    """Whether a caller who asks for an absent key is told 404; if not, it is told 403.

    AWS: 404 for who has s3:ListBucket. A condition on `s3:prefix` is judged as if the key were
    listed (s3-tests: test_head_object_404_with_policy_prefix).
    """
    asked = context.listing(key)
    return decide(principal, bucket_owner, policy, "s3:ListBucket", bucket, None, asked).allowed
