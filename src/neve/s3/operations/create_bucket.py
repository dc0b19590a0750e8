"""CreateBucket: makes a bucket that belongs to the caller.

Supported: LocationConstraint (this server's region), x-amz-acl private. Refused: public ACLs and
grants (AccessControlListNotSupported), object lock (NotImplemented), other object ownership than
BucketOwnerEnforced, directory buckets and tags in the configuration.
"""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.metadata import check_acl
from neve.s3.response import Response
from neve.s3.xml import parse_xml

CONFIGURATION_BYTES_MAX = 64 << 10
_UNSERVED = ("Location", "Bucket", "Tags")


async def create_bucket(call: Call) -> Response:
    """Create a bucket."""
    headers = call.headers
    check_acl(headers)
    if headers.get(b"x-amz-bucket-object-lock-enabled", b"").lower() == b"true":
        raise S3Error("NotImplemented", "Object lock is not implemented.")
    ownership = headers.get(b"x-amz-object-ownership", b"BucketOwnerEnforced")
    if ownership != b"BucketOwnerEnforced":
        raise S3Error(
            "NotImplemented", "Buckets belong to their owner: only BucketOwnerEnforced is served."
        )
    body = await call.body(CONFIGURATION_BYTES_MAX)
    _check_location(body, call.pipeline.region)
    await call.engine.create_bucket(call.name, call.caller.canonical_id, call.pipeline.region)
    return Response(200, [(b"location", b"/" + call.name.encode()), (b"content-length", b"0")])


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
