"""Who may make which call: the answer is `neve.iam`'s, this module brings it what a request knows.

Users may do some things to what is their own without a policy that allows it, as in MinIO: change
their secret, read about themselves, manage their access keys. An access key with a policy of its
own has no such freedom: what its policy and its user's policies do not allow, it may not do.
Keys of root are for root alone, whatever a policy allows, as who has one is root; not for a key of
root with a policy of its own either.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.iam.principals import Principal
from neve.iam.statements import Decision

if TYPE_CHECKING:
    from neve.admin.call import AdminCall
    from neve.engine.engine import Bucket
    from neve.iam.directory import Directory

_OWN = Decision(True, "own")

VERSION = "2012-10-17"
_ROOT_STATEMENTS = [
    {"Effect": "Allow", "Action": ["admin:*"]},
    {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
]
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


def allows(call: "AdminCall", action: str, *, own: bool = False) -> bool:
    """Say whether the caller may do an action; with `own`, to what is its own."""
    if call.caller.is_unlimited:
        return True
    if call.caller.kind == "anonymous":
        return False
    call.request.decision = decision = decision_on(call, action)
    if decision.allowed or not own or call.caller.limit is not None:
        return decision.allowed
    if decision.statement is not None:
        return False
    call.request.decision = _OWN
    return True


def reach(call: "AdminCall", bucket: "Bucket") -> tuple[bool, bool]:
    """Say whether the caller may (list, write) in the bucket, ACLs aside."""
    listing = _may(call, bucket, "s3:ListBucket", None)
    return listing, _may(call, bucket, "s3:PutObject", "")


def _may(call: "AdminCall", bucket: "Bucket", action: str, key: str | None) -> bool:
    context = context_of(call)
    return decide(
        call.caller, bucket.owner, bucket.policy, action, bucket.name, key, context
    ).allowed


def policy_of(directory: "Directory", principal: Principal) -> dict[str, Any]:
    """Return one document with all that the policies of a user, or root's standing, say."""
    if principal.kind == "root":
        return {"Version": VERSION, "Statement": _ROOT_STATEMENTS}
    return policy_of_user(directory, principal.name)


def policy_of_user(directory: "Directory", name: str) -> dict[str, Any]:
    """Return one document with all statements of a user's policies, its groups' included."""
    statements: list[Any] = []
    for policy in map(directory.policy, directory.policies_of(name)):
        found = msgspec.json.decode(policy.document)["Statement"] if policy else []
        statements += found if isinstance(found, list) else [found]
    return {"Version": VERSION, "Statement": statements}
