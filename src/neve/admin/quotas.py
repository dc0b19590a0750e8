"""GetBucketQuota, SetBucketQuota: the hard quota of a bucket, in bytes. Setting 0 removes it.

What else Neve's quota of the bucket says (objects, soft level) stays as it is; S3's `?neve-quota`
shows and sets all of it.
"""

from typing import Any

from msgspec.structs import replace

from neve.admin.call import AdminCall, done, json_response
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.engine.quota import BucketQuota

QUOTA_BYTES_MAX = 1 << 60


def get_bucket_quota(call: AdminCall) -> Response:
    """Return the quota of a bucket."""
    return json_response(quota_document(call.engine.bucket(call.argument("bucket")).quota))


async def set_bucket_quota(call: AdminCall) -> Response:
    """Give a bucket a quota, or take it away."""
    bucket = call.engine.bucket(call.argument("bucket"))
    size = parse_quota(await call.json_body())
    await call.engine.quotas.set_bucket(bucket.name, with_size(bucket.quota, size))
    return done()


def quota_document(quota: BucketQuota | None) -> dict[str, Any]:
    """Return the quota of a bucket in the protocol's form."""
    size = (quota.bytes if quota else None) or 0
    document: dict[str, Any] = {"quota": size, "size": 0, "rate": 0, "requests": 0}
    if size:
        document["quotatype"] = "hard"
    return document


def parse_quota(document: dict[str, Any]) -> int:
    """Return the bytes that a quota document allows, 0 for no limit. Raises: AdminError."""
    # Newer clients write `size`, older ones `quota`; both send the other as 0 or not at all.
    values = [document.get(name) or 0 for name in ("size", "quota")]
    for value in values:
        if type(value) is not int or not 0 <= value <= QUOTA_BYTES_MAX:
            raise AdminError("XMinioAdminInvalidArgument", "the quota must be a number of bytes")
    kind = document.get("quotatype") or "hard"
    if kind != "hard":
        raise AdminError("XMinioAdminInvalidArgument", "only hard quotas are implemented")
    if document.get("rate") or document.get("requests"):
        raise AdminError("NotImplemented", "quotas of bandwidth and of requests")
    return values[0] or values[1]


def with_size(quota: BucketQuota | None, size: int) -> BucketQuota:
    """Return the quota with another number of bytes."""
    return replace(quota or BucketQuota(), bytes=size or None)
