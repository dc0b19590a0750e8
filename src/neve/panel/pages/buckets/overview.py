"""What a bucket is and holds, what is on, and the ways to its end."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from starlette.responses import Response

from neve.client import buckets, cors, lifecycle
from neve.client.errors import ServerError
from neve.client.xml import parse
from neve.panel.pages.buckets._settings import bucket_of, page
from neve.panel.routing import get
from neve.panel.upstream import Ask
from neve.panel.visit import Visit

UPLOADS_COUNTED = 1000
_ASKS = {
    "owner": "s3:GetBucketAcl",
    "uploads": "s3:ListBucketMultipartUploads",
    "versioning": "s3:GetBucketVersioning",
    "lock": "s3:GetBucketObjectLockConfiguration",
    "public": "s3:GetBucketPolicyStatus",
    "lifecycle": "s3:GetLifecycleConfiguration",
    "cors": "s3:GetBucketCORS",
    "tags": "s3:GetBucketTagging",
    "empty": "s3:DeleteObject",
    "delete": "s3:DeleteBucket",
}


def show(visit: Visit) -> Response:
    """Everything at a glance."""
    bucket, server = bucket_of(visit), visit.s3
    server.transport.request("GET", bucket, query={"location": ""}, doing="see this bucket")
    may = _may(visit, bucket)
    return page(
        visit,
        "overview",
        usage=_usage(visit, bucket),
        owner=buckets.owner(server, bucket) if may["owner"] else "",
        created=buckets.created(server, bucket),
        uploads=len(list(islice(server.uploads(bucket), UPLOADS_COUNTED)))
        if may["uploads"]
        else None,
        uploads_max=UPLOADS_COUNTED,
        is_on=_is_on(visit, bucket, may),
        may=may,
    )


def _may(visit: Visit, bucket: str) -> dict[str, bool]:
    asks = [
        Ask(action, bucket, "any" if action == "s3:DeleteObject" else "")
        for action in _ASKS.values()
    ]
    return dict(zip(_ASKS, map(bool, visit.may_all(asks)), strict=True))


def _usage(visit: Visit, bucket: str) -> buckets.Usage | None:
    try:
        return buckets.usage(visit.s3, bucket)
    except ServerError as error:
        if error.denied:
            return None
        raise


def _is_on(visit: Visit, bucket: str, may: dict[str, bool]) -> dict[str, Any]:
    """What the bucket was told, where the visitor may know: by the keys of `_ASKS`."""
    server = visit.s3
    reads: dict[str, Callable[[], Any]] = {
        "versioning": lambda: buckets.versioning(server, bucket).status,
        "lock": lambda: buckets.retention(server, bucket),
        "public": lambda: buckets.is_public(server, bucket),
        "lifecycle": lambda: len(lifecycle.read(server, bucket)),
        "cors": lambda: len(
            cors.rules_of(parse(server.get_setting(bucket, "cors") or b"<CORSConfiguration/>"))
        ),
        "tags": lambda: buckets.tags(server, bucket),
    }
    return {name: read() if may[name] else None for name, read in reads.items()}


ROUTES = [get("/buckets/{bucket}", show)]
