"""The question every operation asks before it acts: may this caller do this here?

The answer is `neve.iam`'s; this module only brings it what a request knows. The order is AWS's: the
bucket policy first, then, where it says nothing, root's standing and the access control lists.
"""

from typing import TYPE_CHECKING

from neve.errors import NoSuchKey
from neve.iam.acls import OBJECT_ACTIONS
from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.s3 import acls
from neve.s3.metadata import unpack
from neve.s3.tagging import decode_tags

if TYPE_CHECKING:
    from neve.engine.engine import Bucket
    from neve.s3.call import Call

_DELETES = frozenset(("s3:DeleteObject", "s3:DeleteObjectVersion"))


def context_of(call: "Call") -> RequestContext:
    """Return what policy conditions may look at in this request."""
    request, auth, tags = call.request, call.auth, call.tags
    context = RequestContext(
        call.caller,
        request.client,
        request.secure,
        call.headers,
        call.query,
        auth.auth_type,
        auth.signature_age_ms,
        signature_version=auth.signature_version,
    )
    if tags is not None:
        context.request_tags = lambda: tags
    return context


def allows(call: "Call", action: str, bucket: "Bucket | None", key: str = "") -> bool:
    """Say whether the caller may do `action` on `key` of `bucket` (None: on the service).

    Raises: NoSuchKey when the ACL of an absent key would decide and the caller may know of that.
    """
    caller = call.caller
    if bucket is None:
        # Only root has rights there; users' own policies come with users.
        return caller.kind == "root"
    if bucket.policy is not None:
        decision = _by_policy(call, action, bucket, key)
        if decision is not None:
            return decision
    return caller.kind == "root" or _by_acl(call, action, bucket, key)


def may_know_absence(call: "Call", bucket: "Bucket", key: str) -> bool:
    """Say whether the caller may be told that `key` is absent."""
    caller = call.caller
    if bucket.policy is not None:
        # As if the key were listed: `evaluate.may_know_absence` says why.
        asked = context_of(call).listing(key)
        decision = _by_policy(call, "s3:ListBucket", bucket, "", asked)
        if decision is not None:
            return decision
    return caller.kind == "root" or acls.bucket_allows(bucket, caller, "s3:ListBucket")


def may_delete_something(call: "Call", bucket: "Bucket") -> bool:
    """Say whether there can be a key that the caller may delete."""
    if call.caller.kind == "root":
        return True
    if bucket.policy is not None and not _DELETES.isdisjoint(bucket.policy.by_action):
        return True
    return acls.bucket_allows(bucket, call.caller, "s3:DeleteObject")


def may_give(call: "Call", bucket: "Bucket", key: str) -> bool:
    """Say whether the caller may grant others something on an object that it is writing.

    AWS: that needs s3:PutObjectAcl, which the owner of an object has, and whoever wrote by an ACL
    that is open to all (s3-tests: test_post_object_anonymous_request). Whom a policy lets drop
    something into a bucket may not publish it there.
    """
    caller = call.caller
    decision = None
    if bucket.policy is not None:
        decision = _by_policy(call, "s3:PutObjectAcl", bucket, key)
    if decision is not None:
        return decision
    return caller.kind != "anonymous" or acls.bucket_allows(bucket, caller, "s3:PutObject")


def _by_policy(
    call: "Call",
    action: str,
    bucket: "Bucket",
    key: str,
    context: RequestContext | None = None,
) -> bool | None:
    """Return what the bucket's policy, which it has, says; None when it says nothing."""
    caller, policy = call.caller, bucket.policy
    if context is None:
        context = context_of(call)
        if key:
            context.existing_tags = lambda: _tags_of(call, bucket, key)
    decision = decide(caller, bucket.owner, policy, action, bucket.name, key or None, context)
    call.request.decision = decision
    if decision.statement is None:
        return None
    # Everybody but the anonymous belongs to the one account there is.
    if (
        bucket.options
        and decision.allowed
        and caller.kind == "anonymous"
        and acls.is_blocked(bucket, acls.RESTRICT)
        and policy is not None
        and policy.is_public
    ):
        return False
    return decision.allowed


def _by_acl(call: "Call", action: str, bucket: "Bucket", key: str) -> bool:
    """Say whether the ACL of the bucket or, for an object's own actions, of the object allows it.

    An object that was looked at is left in `call.granted`: the operation must act on this row and
    not on one that has come in between, whose ACL nobody asked.
    """
    caller = call.caller
    if action not in OBJECT_ACTIONS:
        return acls.bucket_allows(bucket, caller, action)
    try:
        row = call.engine.head(bucket, key)
    except NoSuchKey:
        if may_know_absence(call, bucket, key):
            raise
        return False
    if not acls.object_allows(bucket, row, caller, action):
        return False
    call.granted = row
    return True


def _tags_of(call: "Call", bucket: "Bucket", key: str) -> dict[str, str]:
    try:
        row = call.engine.head(bucket, key)
    except NoSuchKey:
        return {}
    value = unpack(row.meta).get("x-amz-tagging")
    return dict(decode_tags(value)) if value else {}
