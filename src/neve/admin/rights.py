"""Who may make which call: the answer is `neve.iam`'s, this module brings it what a request knows.

Users may do some things to what is their own without a policy that allows it, as in MinIO: change
their secret, read about themselves, manage their access keys. An access key with a policy of its
own may read about itself and has no other such freedom: what its policy and its user's policies do
not allow, it may not do.
Keys of root are for root alone, whatever a policy allows, as who has one is root; not for a key of
root with a policy of its own either.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.iam.statements import Decision

if TYPE_CHECKING:
    from neve.admin.call import AdminCall
    from neve.engine.bucket import Bucket
    from neve.iam.directory import Directory

_OWN = Decision(True, "own")

VERSION = "2012-10-17"
ROOT_POLICY: dict[str, Any] = {
    "Version": VERSION,
    "Statement": [
        {"Effect": "Allow", "Action": ["admin:*"]},
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
    ],
}
"""What root may do, in the words of a policy."""


def context_of(call: "AdminCall") -> RequestContext:
    """Return what policy conditions may look at in this call."""
    request, auth = call.request, call.auth
    return RequestContext(
        call.caller,
        request.client,
        request.secure,
        call.headers,
        call.query,
        auth.auth_type,
        auth.signature_age_ms,
        signature_version=auth.signature_version,
    )


def decision_on(call: "AdminCall", action: str) -> Decision:
    """Decide whether the caller may do an action on the store as a whole."""
    return decide(call.caller, "", None, action, "", None, context_of(call))


def allows(call: "AdminCall", action: str, *, own: bool = False, itself: bool = False) -> bool:
    """Say whether the caller may do an action.

    `own`: to what is its user's own; `itself`: it only reads about the key that signed.
    """
    caller = call.caller
    if caller.is_unlimited:
        return True
    if caller.kind == "anonymous":
        return False
    call.request.decision = decision = decision_on(call, action)
    if decision.allowed or decision.statement is not None:
        return decision.allowed
    if itself or (own and caller.limit is None):
        call.request.decision = _OWN
        return True
    return False


def reach(call: "AdminCall", bucket: "Bucket") -> tuple[bool, bool]:
    """Say whether the caller may (list, write) in the bucket, ACLs aside."""
    listing = _may(call, bucket, "s3:ListBucket", None)
    return listing, _may(call, bucket, "s3:PutObject", "")


def _may(call: "AdminCall", bucket: "Bucket", action: str, key: str | None) -> bool:
    context = context_of(call)
    return decide(
        call.caller, bucket.owner, bucket.policy, action, bucket.name, key, context
    ).allowed


def policy_of_caller(call: "AdminCall") -> dict[str, Any]:
    """Return the document that says most of what the caller may do.

    That is the policy of its access key; without one all that its user's policies say, or root's
    standing.
    """
    key = call.directory.key(call.access_key)
    if key is not None and key.policy is not None:
        document: dict[str, Any] = msgspec.json.decode(key.policy)
        return document
    if call.caller.kind == "root":
        return ROOT_POLICY
    return policy_of_user(call.directory, call.caller.name)


def policy_of_user(directory: "Directory", name: str) -> dict[str, Any]:
    """Return one document with all statements of a user's policies, its groups' included."""
    statements: list[Any] = []
    for policy in map(directory.policy, directory.policies_of(name)):
        found = msgspec.json.decode(policy.document)["Statement"] if policy else []
        statements += found if isinstance(found, list) else [found]
    return {"Version": VERSION, "Statement": statements}
