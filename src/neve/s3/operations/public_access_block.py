"""GetPublicAccessBlock, PutPublicAccessBlock, DeletePublicAccessBlock: no public by accident.

Supported: BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets, each for the
bucket. A bucket without the setting has none of them on.
"""

from neve.s3.acls import ACCESS_BLOCK, BLOCKS
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response
from neve.s3.xml import parse_xml

CONFIGURATION_BYTES_MAX = 4096
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False, None: False}


def get_public_access_block(call: Call) -> Response:
    """Say what of the bucket cannot be public."""
    on = call.bucket.options.get(ACCESS_BLOCK)
    if on is None:
        raise S3Error("NoSuchPublicAccessBlockConfiguration", BucketName=call.bucket.name)
    inner = "".join(f"<{block}>{str(block in on).lower()}</{block}>" for block in BLOCKS)
    return xml_response("PublicAccessBlockConfiguration", inner)


async def put_public_access_block(call: Call) -> Response:
    """Set what of the bucket cannot be public."""
    body = await call.body(CONFIGURATION_BYTES_MAX)
    root = parse_xml(body, "PublicAccessBlockConfiguration")
    values = {block: root.value(block) for block in BLOCKS}
    if any(value is not None and value.lower() not in _BOOLEANS for value in values.values()):
        raise S3Error("MalformedXML")
    on = [block for block, value in values.items() if value and _BOOLEANS[value.lower()]]
    await call.engine.set_bucket_option(call.bucket.name, ACCESS_BLOCK, on)
    return Response(200, [])


async def delete_public_access_block(call: Call) -> Response:
    """Forget the setting."""
    await call.engine.set_bucket_option(call.bucket.name, ACCESS_BLOCK, None)
    return Response(204, [])
