"""GetBucketQuota, PutBucketQuota, GetBucketUsage: how much a bucket may hold, and holds.

`PUT /bucket?neve-quota` replaces the quota of the bucket by a JSON object; `{}` removes it. Root
may set quotas; the owner of the bucket and root may read them and the usage.

| member | meaning |
|---|---|
| `bytes` | most bytes of all objects and their versions |
| `objects` | most objects, noncurrent versions included |
| `soft` | percentage of these from which on usage, metrics and log warn |
"""

from typing import Any, TypeVar

import msgspec

from neve.engine import quota
from neve.engine.quota import BucketQuota, Quota
from neve.engine.quotas import Usage
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response

T = TypeVar("T", bound=Quota)

QUOTA_BYTES_MAX = 256 << 10
_HEADERS = [(b"content-type", b"application/json")]


def get_bucket_quota(call: Call) -> Response:
    """Return the quota of the bucket."""
    _check_reader(call)
    limits = call.bucket.quota
    return Response(200, _HEADERS, msgspec.json.encode(quota.plain(limits) if limits else {}))


async def put_bucket_quota(call: Call) -> Response:
    """Replace the quota of the bucket."""
    if call.caller.kind != "root":
        raise S3Error("AccessDenied")
    limits = parse(await call.body(QUOTA_BYTES_MAX), BucketQuota)
    await call.engine.quotas.set_bucket(call.bucket.name, limits)
    return Response(204, [])


def get_bucket_usage(call: Call) -> Response:
    """Return what the bucket holds, and how much of its quota that is."""
    _check_reader(call)
    usage = call.engine.quotas.usage(call.bucket)
    return Response(200, _HEADERS, msgspec.json.encode({"bucket": call.name} | shown(usage)))


def _check_reader(call: Call) -> None:
    if call.caller.kind != "root" and call.caller.canonical_id != call.bucket.owner:
        raise S3Error("AccessDenied")


def parse(body: bytes, kind: type[T]) -> T:
    """Return the quota in a JSON document. Raises: S3Error InvalidArgument."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise S3Error("InvalidArgument", f"The body is no quota: {error}.") from error


def shown(usage: Usage) -> dict[str, Any]:
    """Return usage as answers show it."""
    fields: dict[str, Any] = {"objects": usage.used.objects, "bytes": usage.used.bytes}
    if usage.quota is not None:
        fields["quota"] = quota.plain(usage.quota)
        fields["percent"] = usage.percent
        fields["warning"] = usage.warns
    return fields
