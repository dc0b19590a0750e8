"""GetBucketCors, PutBucketCors, DeleteBucketCors: which sites' scripts may use the bucket.

Supported: up to 100 rules in 64 KiB, as on AWS. The switch `cors` of PutBucketOptions sets a ready
rule for viewers of data in a browser.
"""

from neve.s3.call import Call
from neve.s3.cors import DOCUMENT_BYTES_MAX, OPTION, cors_xml, parse_cors
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response


def get_bucket_cors(call: Call) -> Response:
    """Return the rules of the bucket."""
    rules = call.bucket.options.get(OPTION)
    if not rules:
        raise S3Error("NoSuchCORSConfiguration", BucketName=call.bucket.name)
    return xml_response("CORSConfiguration", cors_xml(rules))


async def put_bucket_cors(call: Call) -> Response:
    """Replace the rules of the bucket."""
    rules = parse_cors(await call.body(DOCUMENT_BYTES_MAX))
    await call.engine.set_bucket_option(call.bucket.name, OPTION, rules)
    return Response(200, [])


async def delete_bucket_cors(call: Call) -> Response:
    """Remove the rules of the bucket, if there are any."""
    await call.engine.set_bucket_option(call.bucket.name, OPTION, None)
    return Response(204, [])
