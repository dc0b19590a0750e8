"""GetObjectTagging: the tags that came with the object (x-amz-tagging).

Supported: versionId=null. Ignored: x-amz-request-payer.
"""

from neve.s3.call import Call
from neve.s3.metadata import unpack
from neve.s3.names import check_version
from neve.s3.response import Response, xml_response
from neve.s3.tagging import parse_tag_header
from neve.s3.xml import escape


def get_object_tagging(call: Call) -> Response:
    """Return the tags of the object."""
    check_version(call.query.get("versionId"))
    value = unpack(call.row().meta).get("x-amz-tagging", b"")
    tags = "".join(
        f"<Tag><Key>{escape(key)}</Key><Value>{escape(text)}</Value></Tag>"
        for key, text in sorted(parse_tag_header(value))
    )
    return xml_response("Tagging", f"<TagSet>{tags}</TagSet>")
