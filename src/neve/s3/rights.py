"""The question every operation asks before it acts: may this caller do this here?

The answer is `neve.iam.evaluate`'s; this module only brings it what a request knows.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from neve.errors import NoSuchKey, NoSuchVersion
from neve.iam.acls import OBJECT_ACTIONS
from neve.iam.context import RequestContext
from neve.iam.evaluate import Decision, decide
from neve.s3 import acls
from neve.s3.errors import S3Error
from neve.s3.metadata import unpack
from neve.s3.tagging import decode_tags

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.s3.call import Call

_DELETES = frozenset(("s3:DeleteObject", "s3:DeleteObjectVersion"))
_LIST_ALL = "s3:ListAllMyBuckets"
_SEEING = (_LIST_ALL, "s3:ListBucket", "s3:GetBucketLocation")
"""Whoever may do one of these with a bucket sees it among others, as in MinIO."""
_RESTRICTED = Decision(False, "the bucket restricts its public policy")


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


def allows(
    call: "Call",
    action: str,
    bucket: "Bucket | None",
    key: str = "",
    version: str | None = None,
) -> bool:
    """Say whether the caller may do `action` on `key` of `bucket`, or on a version of it.

    Without a bucket the question is about the store, or about one that is yet to be made.
    Raises: NoSuchKey when the ACL of an absent key would decide and the caller may know of that.
    """
    if bucket is None:
        decision = decide(call.caller, "", None, action, call.name, None, context_of(call))
    else:
        acl = partial(_by_acl, call, action, bucket, key, version)
        decision = _decide(call, action, bucket, key, version, None, acl)
    call.request.decision = decision
    return decision.allowed


def may(call: "Call", action: str, bucket: "Bucket", key: str, version: str | None = None) -> bool:
    """Say the same about something on the side, which is not what the request is about."""
    if call.caller.is_unlimited and bucket.policy is None:
        return True
    return _decide(call, action, bucket, key, version).allowed


def denies(call: "Call", action: str, bucket: "Bucket", key: str, version: str | None) -> bool:
    """Say whether a policy forbids it expressly, which is more than that none allows it."""
    found = _decide(call, action, bucket, key, version)
    return found.statement is not None and not found.allowed


def may_know_absence(call: "Call", bucket: "Bucket", key: str) -> bool:
    """Say whether the caller may be told that `key` is absent."""
    # As if the key were listed: `evaluate.may_know_absence` says why.
    asked = context_of(call).listing(key)
    listing = "s3:ListBucket"

    def by_acl() -> bool:
        return acls.bucket_allows(bucket, call.caller, listing)

    return _decide(call, listing, bucket, "", None, asked, acl=by_acl).allowed


def may_list_all(call: "Call") -> bool:
    """Say whether the caller may see every bucket of the store. Raises: S3Error AccessDenied."""
    caller = call.caller
    if caller.is_unlimited:
        return True
    decision = decide(caller, "", None, _LIST_ALL, "", None, context_of(call))
    if decision.statement is not None and not decision.allowed:
        raise S3Error("AccessDenied")
    return decision.allowed


def may_see(call: "Call", bucket: "Bucket") -> bool:
    """Say whether the caller's own policies let it see the bucket among others."""
    return any(
        decide(call.caller, bucket.owner, None, action, bucket.name, None, context_of(call)).allowed
        for action in _SEEING
    )


def may_see_some(call: "Call") -> bool:
    """Say whether there can be a bucket that the caller sees: then an empty list is an answer."""
    caller = call.caller
    held = caller.limit if caller.rights is None else caller.rights
    return held is None or any(action in held.by_action for action in _SEEING)


def may_delete_something(call: "Call", bucket: "Bucket") -> bool:
    """Say whether there can be a key that the caller may delete."""
    caller = call.caller
    if caller.limit is not None and _DELETES.isdisjoint(caller.limit.by_action):
        return False
    if caller.kind == "root":
        return True
    for policies in (bucket.policy, caller.rights):
        if policies is not None and not _DELETES.isdisjoint(policies.by_action):
            return True
    return acls.bucket_allows(bucket, call.caller, "s3:DeleteObject")


def may_rule(call: "Call", bucket: "Bucket") -> bool:
    """Say whether the caller may use what S3 has no action for: Neve's own switches of a bucket.

    Root may, and the owner as long as its policies let it read or change the bucket's policy.
    """
    caller = call.caller
    if caller.is_unlimited:
        return True
    if caller.kind != "root" and caller.canonical_id != bucket.owner:
        return False
    reads = call.request.method in ("GET", "HEAD")
    return allows(call, "s3:GetBucketPolicy" if reads else "s3:PutBucketPolicy", bucket)


def may_administer(call: "Call", action: str) -> bool:
    """Say whether the caller may do an action of the admin protocol on the store as a whole."""
    caller = call.caller
    if caller.is_unlimited:
        return True
    if caller.kind == "anonymous":
        return False
    decision = decide(caller, "", None, action, "", None, context_of(call))
    call.request.decision = decision
    return decision.allowed


def may_give(call: "Call", bucket: "Bucket", key: str) -> bool:
    """Say whether the caller may grant others something on an object that it is writing.

    AWS: that needs s3:PutObjectAcl, which the owner of an object has, and whoever wrote by an ACL
    that is open to all (s3-tests: test_post_object_anonymous_request). Whom a policy lets drop
    something into a bucket may not publish it there.
    """
    caller = call.caller
    context = context_of(call)
    context.object_owner = lambda: caller.canonical_id
    decision = _decide(call, "s3:PutObjectAcl", bucket, key, None, context)
    if decision.statement is not None or caller.kind != "anonymous":
        return decision.allowed
    return acls.bucket_allows(bucket, caller, "s3:PutObject")


def _decide(
    call: "Call",
    action: str,
    bucket: "Bucket",
    key: str,
    version: str | None,
    context: RequestContext | None = None,
    acl: Callable[[], bool] | None = None,
) -> Decision:
    """Decide about the bucket, or one of its keys, with what policies may ask of the object."""
    caller, policy = call.caller, bucket.policy
    if context is None:
        context = context_of(call)
        if key:
            context.existing_tags = partial(_tags_of, call, bucket, key, version)
            context.object_owner = partial(_owner_of, call, bucket, key, version)
    found = decide(caller, bucket.owner, policy, action, bucket.name, key or None, context, acl)
    # Everybody but the anonymous belongs to the one account there is.
    if (
        bucket.options
        and found.allowed
        and found.statement is not None
        and caller.kind == "anonymous"
        and acls.is_blocked(bucket, acls.RESTRICT)
        and policy is not None
        and policy.is_public
    ):
        return _RESTRICTED
    return found


def _by_acl(call: "Call", action: str, bucket: "Bucket", key: str, version: str | None) -> bool:
    """Say whether the ACL of the bucket or, for an object's own actions, of the object allows it.

    An object that was looked at is left in `call.granted`: the operation must act on this row and
    not on one that has come in between, whose ACL nobody asked.
    """
    caller = call.caller
    if action not in OBJECT_ACTIONS:
        return acls.bucket_allows(bucket, caller, action)
    try:
        row = call.engine.head(bucket, key, version)
    except (NoSuchKey, NoSuchVersion):
        if may_know_absence(call, bucket, key):
            raise
        return False
    if not acls.object_allows(bucket, row, caller, action):
        return False
    call.granted = row
    return True


def _owner_of(call: "Call", bucket: "Bucket", key: str, version: str | None) -> str:
    """Return the canonical id of who owns the object; empty when it is absent."""
    try:
        row = call.engine.head(bucket, key, version)
    except (NoSuchKey, NoSuchVersion):
        return ""
    # As in `_by_acl`: what was looked at is what is acted on.
    call.granted = row
    return acls.object_acl(bucket, row.meta).owner


def _tags_of(call: "Call", bucket: "Bucket", key: str, version: str | None) -> dict[str, str]:
    try:
        row = call.engine.head(bucket, key, version)
    except (NoSuchKey, NoSuchVersion):
        return {}
    value = unpack(row.meta).get("x-amz-tagging")
    return dict(decode_tags(value)) if value else {}
