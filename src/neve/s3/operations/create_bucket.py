"""CreateBucket: makes a bucket that belongs to the caller.

Supported: LocationConstraint (this server's region), x-amz-acl, x-amz-grant-*,
x-amz-object-ownership, x-amz-bucket-object-lock-enabled (which enables versioning too). Refused:
directory buckets and tags in the configuration (NotImplemented).
"""

from typing import Any

from neve.engine.locks import option_of
from neve.engine.versions import ENABLED, LOCK, STATE
from neve.s3.acl_requests import check_new_bucket, header_acl, packed_or_none
from neve.s3.acls import BUCKET_ACL, OWNERSHIP, OWNERSHIPS
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response
from neve.s3.xml import parse_xml

CONFIGURATION_BYTES_MAX = 64 << 10
_UNSERVED = ("Location", "Bucket", "Tags")


async def create_bucket(call: Call) -> Response:
    """Create a bucket."""
    headers = call.headers
    options = _options(call)
    if headers.get(b"x-amz-bucket-object-lock-enabled", b"").lower() == b"true":
        options |= {STATE: ENABLED, LOCK: option_of(None)}
    body = await call.body(CONFIGURATION_BYTES_MAX)
    _check_location(body, call.pipeline.region)
    owner = call.caller.canonical_id
    await call.engine.create_bucket(call.name, owner, call.pipeline.region, options)
    return Response(200, [(b"location", b"/" + call.name.encode()), (b"content-length", b"0")])


def _options(call: Call) -> dict[str, Any]:
    """Return what the headers say of the new bucket. Raises: S3Error."""
    options: dict[str, Any] = {}
    ownership = None
    value = call.headers.get(b"x-amz-object-ownership")
    if value is not None:
        ownership = options[OWNERSHIP] = value.decode("latin-1")
        if ownership not in OWNERSHIPS:
            raise S3Error(
                "InvalidArgument",
                ArgumentName="x-amz-object-ownership",
                ArgumentValue=ownership,
            )
    owner = call.caller.canonical_id
    acl = header_acl(call, call.headers, "bucket", owner, owner)
    if acl is not None:
        check_new_bucket(acl, ownership)
        packed = packed_or_none(acl, owner)
        if packed is not None:
            options[BUCKET_ACL] = packed
    return options


def _check_location(body: bytes, region: str) -> None:
    if not body.strip():
        return
    configuration = parse_xml(body, "CreateBucketConfiguration")
    for name in _UNSERVED:
        if configuration.find(name) is not None:
            raise S3Error("NotImplemented", f"{name} of a new bucket is not implemented.")
    asked = configuration.value("LocationConstraint")
    # AWS: EU is the old name of eu-west-1.
    if asked and asked != region and not (asked == "EU" and region == "eu-west-1"):
        raise S3Error("InvalidLocationConstraint", LocationConstraint=asked)
