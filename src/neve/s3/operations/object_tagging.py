"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging: up to ten labels of an object.

Supported: versionId; the tags of the request and those of the object as policy conditions.
Tags change nothing else of the object: neither its bytes nor its ETag nor its time.
Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.call import Call, version_headers
from neve.s3.metadata import TAGGING, pack, unpack
from neve.s3.response import Headers, Response, xml_response
from neve.s3.tagging import (
    DOCUMENT_BYTES_MAX,
    Tags,
    decode_tags,
    encode_tags,
    parse_tag_document,
    tag_set_xml,
)


def get_object_tagging(call: Call) -> Response:
    """Return the tags of the object."""
    row = call.row()
    value = unpack(row.meta).get(TAGGING, b"")
    headers = version_headers(call, row.version)
    return xml_response("Tagging", tag_set_xml(decode_tags(value)), headers)


async def put_object_tagging(call: Call) -> Response:
    """Replace the tags of the object."""
    tags = parse_tag_document(await call.body(DOCUMENT_BYTES_MAX))
    # What conditions may ask for stands in the body: hence only now.
    call.tags = dict(tags)
    named = call.version is not None
    action = "s3:PutObjectVersionTagging" if named else "s3:PutObjectTagging"
    call.check(action, call.bucket, call.key, call.version)
    return Response(200, await _set_tags(call, tags))


async def delete_object_tagging(call: Call) -> Response:
    """Remove all tags of the object."""
    return Response(204, await _set_tags(call, []))


async def _set_tags(call: Call, tags: Tags) -> Headers:
    """Set the tags, and return the fields that say of which version."""
    call.row()
    packed = encode_tags(tags)

    def change(row: ObjectRow) -> bytes:
        metadata = unpack(row.meta)
        metadata.pop(TAGGING, None)
        if packed:
            metadata[TAGGING] = packed
        return pack(metadata)

    row = await call.engine.set_object_meta(call.bucket, call.key, change, call.version)
    return version_headers(call, row.version)
