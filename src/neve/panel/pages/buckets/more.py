"""What else a bucket can be told: nothing public by accident, whose objects are, ACL, switches."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from neve.client import bucket_acls, buckets
from neve.client.errors import ServerError
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, reason
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit

PATH = "/buckets/{bucket}/more"
_ASKS = {
    "blocks": ("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    "ownership": ("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    "acl": ("s3:GetBucketAcl", "s3:PutBucketAcl"),
}


def show(visit: Visit) -> Response:
    """What is so, as far as the visitor may know."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Set one of them."""
    bucket, what = bucket_of(visit), visit.field("what")
    try:
        if what not in _CHANGES:
            raise Wrong(visit._("This page is not used that way."))
        _CHANGES[what](visit, bucket)
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The settings were changed."))
    return visit.go(path_of(bucket, "more"))


def _set_blocks(visit: Visit, bucket: str) -> None:
    wanted = [name for name in bucket_acls.BLOCKS if name in visit.fields("blocks")]
    bucket_acls.set_blocks(visit.s3, bucket, wanted)


def _set_ownership(visit: Visit, bucket: str) -> None:
    wanted = visit.field("ownership")
    known = wanted if wanted in bucket_acls.OWNERSHIPS else ""
    bucket_acls.set_ownership(visit.s3, bucket, known)


def _set_acl(visit: Visit, bucket: str) -> None:
    if visit.field("acl") not in bucket_acls.CANNED:
        raise Wrong(visit._("Say which ACL."))
    bucket_acls.set_acl(visit.s3, bucket, visit.field("acl"))


def _set_options(visit: Visit, bucket: str) -> None:
    wanted = True if visit.field("public_404") else None
    buckets.set_options(visit.s3, bucket, {"public_404": wanted})


_CHANGES: dict[str, Callable[[Visit, str], None]] = {
    "blocks": _set_blocks,
    "ownership": _set_ownership,
    "acl": _set_acl,
    "options": _set_options,
}


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket, server = bucket_of(visit), visit.s3
    asks = [Ask(action, bucket) for pair in _ASKS.values() for action in pair]
    answers = dict(zip(asks, map(bool, visit.may_all(asks)), strict=True))
    reads = {name: answers[Ask(pair[0], bucket)] for name, pair in _ASKS.items()}
    options = _options(visit, bucket)
    if options is None and not any(reads.values()):
        raise Refused(403, visit._("Your policies do not allow this."))
    return page(
        visit, "more", problem=problem, status=status,
        may={name: answers[Ask(pair[1], bucket)] for name, pair in _ASKS.items()},
        blocks=bucket_acls.blocks(server, bucket) if reads["blocks"] else None,
        ownership=bucket_acls.ownership(server, bucket) if reads["ownership"] else None,
        acl=bucket_acls.acl(server, bucket) if reads["acl"] else None,
        canned=bucket_acls.CANNED,
        options=options,
    )  # fmt: skip


def _options(visit: Visit, bucket: str) -> dict[str, Any] | None:
    """Neve's switches; None for all but the owner and root."""
    try:
        return buckets.options(visit.s3, bucket)
    except ServerError as error:
        if error.denied:
            return None
        raise


ROUTES = [get(PATH, show), post(PATH, change)]
