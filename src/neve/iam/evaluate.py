"""The decision: may this principal do this action on this resource, and why.

Pure functions over values; no state, no clock but the context's. The order is AWS's: an explicit
Deny first, then any Allow, else refusal.
"""

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
_ROOT_KEEPS = frozenset(("s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"))


_ROOT = Decision(True, "root")
_NOBODY = Decision(False, "nothing allows it")


def resource_arn(bucket: str, key: str | None) -> str:
    """Return the ARN of the bucket, or of the object when there is a key."""
    return f"{RESOURCE_PREFIX}{bucket}" if key is None else f"{RESOURCE_PREFIX}{bucket}/{key}"


def deciding_statement(
    policy: Policy, principal: Principal, action: str, resource: str, context: RequestContext
) -> Statement | None:
    """Return the statement that settles the request: the first that denies, else one that allows.

    `action` is spelt as in `neve.iam.actions`.
    """
    covers, covered = None, False
    for statement in policy.by_action.get(action, _NONE):
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
) -> Decision:
    """Decide about one action on one bucket or object. `bucket_owner` is a canonical id.

    Root is allowed everything that no Deny of the bucket policy forbids; it is the root of the one
    account there is, hence of the owner's, and so the policy itself always stays in its hands.
    (MinIO's root is never denied by a bucket policy; AWS's is, and we follow AWS.) Everybody else,
    the owner's other users included, needs an Allow. The anonymous principal is named only by `*`.
    """
    is_root = principal.kind == "root"
    if policy is None or (is_root and action in _ROOT_KEEPS):
        return _ROOT if is_root else _NOBODY
    resource = resource_arn(bucket, key)
    statement = deciding_statement(policy, principal, action, resource, context)
    if statement is None:
        return _ROOT if is_root else _NOBODY
    return statement.decision


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
