"""What a bucket is and holds, what is on, and the ways to its end."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from neve.client import buckets, cors, lifecycle
from neve.client.xml import parse
from neve.panel.pages.buckets._settings import bucket_of, page
from neve.panel.routing import get
from neve.panel.upstream import Ask
from neve.panel.visit import Visit

UPLOADS_COUNTED = 1000
_ASKS = {
    "lifecycle": "s3:GetLifecycleConfiguration",
    "cors": "s3:GetBucketCORS",
    "tags": "s3:GetBucketTagging",
    "uploads": "s3:ListBucketMultipartUploads",
    "empty": "s3:DeleteObject",
    "delete": "s3:DeleteBucket",
}


def show(visit: Visit) -> Response:
    """Everything at a glance."""
    bucket, server = bucket_of(visit), visit.s3
    server.transport.request("GET", bucket, query={"location": ""}, doing="see this bucket")
    may = _may(visit, bucket)
    row = buckets.row(server, bucket)
    return page(
        visit,
        "overview",
        row=row,
        usage=row.usage if row else None,
        uploads=buckets.usage(server, bucket)[1] if row and row.usage else None,
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


def _is_on(visit: Visit, bucket: str, may: dict[str, bool]) -> dict[str, Any]:
    """What the bucket was told, where the visitor may know: by the keys of `_ASKS`."""
    server = visit.s3
    reads: dict[str, Callable[[], Any]] = {
        "lifecycle": lambda: len(lifecycle.read(server, bucket)),
        "cors": lambda: len(
            cors.rules_of(parse(server.get_setting(bucket, "cors") or b"<CORSConfiguration/>"))
        ),
        "tags": lambda: buckets.tags(server, bucket),
    }
    return {name: read() if may[name] else None for name, read in reads.items()}


ROUTES = [get("/buckets/{bucket}", show)]
