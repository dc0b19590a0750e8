"""GetBucketOwnershipControls, PutBucketOwnershipControls, DeleteBucketOwnershipControls: owners.

Supported: BucketOwnerEnforced (ACLs are off: they count for nothing and cannot be set),
BucketOwnerPreferred, ObjectWriter. A bucket without the setting works as with ObjectWriter.
"""

from neve.s3.acl_requests import check_new_bucket
from neve.s3.acls import OWNERSHIP, OWNERSHIPS, bucket_acl
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response
from neve.s3.xml import parse_xml

CONFIGURATION_BYTES_MAX = 4096


def get_bucket_ownership_controls(call: Call) -> Response:
    """Say who owns what is written to the bucket."""
    ownership = call.bucket.options.get(OWNERSHIP)
    if ownership is None:
        raise S3Error("OwnershipControlsNotFoundError", BucketName=call.bucket.name)
    inner = f"<Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule>"
    return xml_response("OwnershipControls", inner)


async def put_bucket_ownership_controls(call: Call) -> Response:
    """Set who owns what is written to the bucket; this holds for what is there already too."""
    root = parse_xml(await call.body(CONFIGURATION_BYTES_MAX), "OwnershipControls")
    rules = root.all("Rule")
    ownership = rules[0].value("ObjectOwnership") if len(rules) == 1 else None
    if ownership not in OWNERSHIPS:
        raise S3Error("MalformedXML")
    # While ACLs are off there is none that could stand against it.
    check_new_bucket(bucket_acl(call.bucket), ownership)
    await call.engine.set_bucket_option(call.bucket.name, OWNERSHIP, ownership)
    return Response(200, [])


async def delete_bucket_ownership_controls(call: Call) -> Response:
    """Go back to the default."""
    await call.engine.set_bucket_option(call.bucket.name, OWNERSHIP, None)
    return Response(204, [])
