"""GetBucketQuota, PutBucketQuota, GetBucketUsage: how much a bucket may hold, and holds.

`PUT /bucket?neve-quota` replaces the quota of the bucket by a JSON object; `{}` removes it. Setting
needs `admin:SetBucketQuota`, which the owner of a bucket as such does not have; reading is also for
those with `admin:GetBucketQuota` and, for usage, `admin:DataUsageInfo`.

| member | meaning |
|---|---|
| `bytes` | most bytes of all objects and their versions |
| `objects` | most objects, noncurrent versions included and delete markers not |
| `soft` | percentage of these from which on usage, metrics and log warn |
| `prefixes` | prefix → an object with the same members; `{}` only counts what lies under it |

`GET /bucket?neve-usage` answers what the bucket, each prefix of its quota and each owner has, from
counters. Of its `objects`, `noncurrent_versions` are no current ones; a prefix that is still being
counted is null.
"""

from typing import Any, TypeVar

import msgspec

from neve.engine import quota
from neve.engine.quota import BucketQuota, Used
from neve.engine.quotas import Usage
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response
from neve.s3.rights import may_administer, may_rule

T = TypeVar("T")

QUOTA_BYTES_MAX = 256 << 10


def get_bucket_quota(call: Call) -> Response:
    """Return the quota of the bucket."""
    _check_reader(call, "admin:GetBucketQuota")
    limits = call.bucket.quota
    return json_answer(quota.plain(limits) if limits else {})


async def put_bucket_quota(call: Call) -> Response:
    """Replace the quota of the bucket."""
    if not may_administer(call, "admin:SetBucketQuota"):
        raise S3Error("AccessDenied")
    limits = parse(await call.body(QUOTA_BYTES_MAX), BucketQuota)
    await call.engine.quotas.set_bucket(call.bucket.name, limits)
    return Response(204, [])


def get_bucket_usage(call: Call) -> Response:
    """Return what the bucket holds, and how much of its quota that is."""
    _check_reader(call, "admin:DataUsageInfo")
    bucket, quotas = call.bucket, call.engine.quotas
    usage = quotas.usage(bucket)
    fields: dict[str, Any] = {"bucket": bucket.name} | shown(usage)
    fields["noncurrent_versions"] = usage.versions
    fields["delete_markers"] = usage.markers
    fields["owners"] = {owner: shown_used(used) for owner, used in quotas.owners(bucket).items()}
    fields["prefixes"] = {
        prefix: shown(usage) if usage is not None else None
        for prefix, usage in quotas.prefixes(bucket).items()
    }
    return json_answer(fields)


def _check_reader(call: Call, action: str) -> None:
    if not may_rule(call, call.bucket) and not may_administer(call, action):
        raise S3Error("AccessDenied")


def json_answer(document: Any) -> Response:
    """Return the document as an answer."""
    return Response(200, [(b"content-type", b"application/json")], msgspec.json.encode(document))


def parse(body: bytes, kind: type[T]) -> T:
    """Return the quota in a JSON document. Raises: S3Error InvalidArgument."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise S3Error("InvalidArgument", f"The body is no quota: {error}.") from error


def shown(usage: Usage) -> dict[str, Any]:
    """Return usage as answers show it."""
    fields = shown_used(usage.used)
    if usage.percent is not None and usage.quota is not None:
        limits = usage.quota
        named = {"bytes": limits.bytes, "objects": limits.objects, "soft": limits.soft}
        fields["quota"] = {name: value for name, value in named.items() if value is not None}
        fields["percent"] = usage.percent
        fields["warning"] = usage.warns
    return fields


def shown_used(used: Used) -> dict[str, Any]:
    """Return what somebody has."""
    return {"objects": used.objects, "bytes": used.bytes}
