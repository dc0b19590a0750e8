"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging: up to ten labels of an object.

Supported: versionId=null; the tags of the request and those of the object as policy conditions.
Tags change nothing else of the object: neither its bytes nor its ETag nor its time.
Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.call import Call
from neve.s3.metadata import TAGGING, pack, unpack
from neve.s3.names import check_version
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
    check_version(call.query.get("versionId"))
    value = unpack(call.row().meta).get(TAGGING, b"")
    return xml_response("Tagging", tag_set_xml(decode_tags(value)), _version(call))


async def put_object_tagging(call: Call) -> Response:
    """Replace the tags of the object."""
    check_version(call.query.get("versionId"))
    tags = parse_tag_document(await call.body(DOCUMENT_BYTES_MAX))
    # What conditions may ask for stands in the body: hence only now.
    call.tags = dict(tags)
    version = "versionId" in call.query
    call.check(
        "s3:PutObjectVersionTagging" if version else "s3:PutObjectTagging", call.bucket, call.key
    )
    await _set_tags(call, tags)
    return Response(200, _version(call))


async def delete_object_tagging(call: Call) -> Response:
    """Remove all tags of the object."""
    check_version(call.query.get("versionId"))
    await _set_tags(call, [])
    return Response(204, _version(call))


async def _set_tags(call: Call, tags: Tags) -> None:
    call.row()
    packed = encode_tags(tags)

    def change(row: ObjectRow) -> bytes:
        metadata = unpack(row.meta)
        metadata.pop(TAGGING, None)
        if packed:
            metadata[TAGGING] = packed
        return pack(metadata)

    await call.engine.set_object_meta(call.bucket, call.key, change)


def _version(call: Call) -> Headers:
    return [(b"x-amz-version-id", b"null")] if "versionId" in call.query else []
