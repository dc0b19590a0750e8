"""UploadPartCopy: adds a range of an object as a part; bytes in files are shared, not copied.

Supported: x-amz-copy-source with versionId, x-amz-copy-source-range,
x-amz-copy-source-if-*. Refused: encryption. Ignored: x-amz-request-payer.
"""

import re

from neve.names import ByteRange
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.integrity import part_checksum, part_checksum_elements
from neve.s3.metadata import check_served
from neve.s3.operations.copy_object import find_source, source_version_headers
from neve.s3.operations.get_object import part_number
from neve.s3.operations.upload_part import PART_BYTES_MAX, upload_algorithm
from neve.s3.rehash import checksum_of
from neve.s3.response import Response, xml_response
from neve.s3.xml import stamp

_RANGE = re.compile(rb"bytes=(\d{1,18})-(\d{1,18})")


async def upload_part_copy(call: Call) -> Response:
    """Add a part that is a range of an object."""
    number = part_number(call.query["partNumber"])
    upload = call.engine.upload(call.bucket, call.key, call.query["uploadId"])
    check_served(call.headers)
    source = find_source(call)
    start, stop = _range(call, source.size)
    if stop - start > PART_BYTES_MAX:
        raise S3Error("EntityTooLarge", ProposedSize=stop - start, MaxSizeAllowed=PART_BYTES_MAX)
    algorithm = upload_algorithm(upload)
    checksum = None
    if algorithm is not None:
        digest = await checksum_of(call.engine, source, start, stop, algorithm)
        checksum = part_checksum((algorithm, digest))
    part = await call.engine.copy_part(
        call.bucket, call.key, upload.id, number, source, start, stop, checksum=checksum
    )
    inner = (
        f"<LastModified>{stamp(part.mtime_us // 1_000_000)}</LastModified>"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{part_checksum_elements(part.checksum)}"
    )
    return xml_response("CopyPartResult", inner, source_version_headers(call, source))


def _range(call: Call, size: int) -> ByteRange:
    """Return the range to copy. Unlike GET's, it must be whole and lie inside the object."""
    value = call.headers.get(b"x-amz-copy-source-range")
    if value is None:
        return ByteRange(0, size)
    text = value.decode("latin-1")
    match = _RANGE.fullmatch(value.strip())
    if match is None:
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first"
            " and last are the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    first, last = int(match[1]), int(match[2])
    if first > last:
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must have its first byte before its last",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    if last >= size:
        raise S3Error(
            "InvalidRange",
            f"Range specified is not valid for source object of size: {size}",
            RangeRequested=text,
            ActualObjectSize=size,
        )
    return ByteRange(first, last + 1)
