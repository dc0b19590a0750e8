"""GetBucketTagging, PutBucketTagging, DeleteBucketTagging: up to fifty labels of a bucket."""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response
from neve.s3.tagging import BUCKET_TAGS_MAX, DOCUMENT_BYTES_MAX, parse_tag_document, tag_set_xml

OPTION = "tags"
"""Option of a bucket: a map of its tags; absent without any."""


def get_bucket_tagging(call: Call) -> Response:
    """Return the tags of the bucket."""
    tags = call.bucket.options.get(OPTION)
    if not tags:
        raise S3Error("NoSuchTagSet", BucketName=call.bucket.name)
    return xml_response("Tagging", tag_set_xml(tags.items()))


async def put_bucket_tagging(call: Call) -> Response:
    """Replace the tags of the bucket."""
    tags = parse_tag_document(await call.body(DOCUMENT_BYTES_MAX), BUCKET_TAGS_MAX)
    await call.engine.set_bucket_option(call.bucket.name, OPTION, dict(tags) or None)
    return Response(204, [])


async def delete_bucket_tagging(call: Call) -> Response:
    """Remove all tags of the bucket, if there are any."""
    await call.engine.set_bucket_option(call.bucket.name, OPTION, None)
    return Response(204, [])
