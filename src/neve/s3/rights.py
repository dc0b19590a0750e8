"""The question every operation asks before it acts: may this caller do this here?

The answer is `neve.iam`'s; this module only brings it what a request knows.
"""

from typing import TYPE_CHECKING

from neve.errors import NoSuchKey
from neve.iam import evaluate
from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.s3.metadata import unpack
from neve.s3.tagging import parse_tag_header

if TYPE_CHECKING:
    from neve.engine.engine import Bucket
    from neve.s3.call import Call


def context_of(call: "Call") -> RequestContext:
    """Return what policy conditions may look at in this request."""
    request, auth = call.request, call.auth
    return RequestContext(
        call.caller,
        request.client,
        request.secure,
        request.headers,
        call.query,
        auth.auth_type,
        auth.signature_age_ms,
    )


def allows(call: "Call", action: str, bucket: "Bucket | None", key: str = "") -> bool:
    """Say whether the caller may do `action` on `key` of `bucket` (None: on the service)."""
    caller = call.caller
    if bucket is None or bucket.policy is None:
        # Without a policy only root has rights; users' own policies come with users.
        return caller.kind == "root"
    context = context_of(call)
    if key:
        context.existing_tags = lambda: _tags_of(call, bucket, key)
    return decide(
        caller, bucket.owner, bucket.policy, action, bucket.name, key or None, context
    ).allowed


def may_know_absence(call: "Call", bucket: "Bucket", key: str) -> bool:
    """Say whether the caller may be told that `key` is absent."""
    policy = bucket.policy
    if policy is None:
        return call.caller.kind == "root"
    return evaluate.may_know_absence(
        call.caller, bucket.owner, policy, bucket.name, key, context_of(call)
    )


def _tags_of(call: "Call", bucket: "Bucket", key: str) -> dict[str, str]:
    try:
        row = call.engine.head(bucket, key)
    except NoSuchKey:
        return {}
    value = unpack(row.meta).get("x-amz-tagging")
    return dict(parse_tag_header(value)) if value else {}
