"""UploadPart: adds a part to an upload, in the place of an earlier one with its number.

Supported: Content-MD5, x-amz-checksum-* in headers and trailers; a checksum that the upload asks
for is computed when the request declares none. Refused: encryption. Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import UploadRow
from neve.s3.call import Call
from neve.s3.checksums import parse_declared
from neve.s3.errors import S3Error
from neve.s3.integrity import part_checksum, part_checksum_headers
from neve.s3.metadata import check_served
from neve.s3.operations.get_object import part_number
from neve.s3.payload import receive_body
from neve.s3.response import Headers, Response
from neve.s3.sigv4 import SHA256

PART_BYTES_MAX = 5 << 30


async def upload_part(call: Call) -> Response:
    """Add a part."""
    number = part_number(call.query["partNumber"])
    upload = call.engine.upload(call.bucket, call.key, call.query["uploadId"])
    check_served(call.headers)
    algorithm = upload_algorithm(upload)
    if algorithm is not None:
        _check_algorithm(call, algorithm)
    received = await receive_body(call, PART_BYTES_MAX, algorithm, admit=_admit)
    part = await call.engine.put_part(
        call.bucket,
        call.key,
        upload.id,
        number,
        received.writer,
        etag=received.md5,
        checksum=part_checksum(received.checksum),
    )
    headers: Headers = [(b"etag", b'"%b"' % part.etag.encode())]
    headers += part_checksum_headers(part.checksum)
    return Response(200, headers)


def _admit(call: Call, size: int) -> None:
    """Refuse a part that can never be completed, before it was sent. Raises: QuotaExceeded."""
    number = part_number(call.query["partNumber"])
    call.engine.quotas.check_part(call.bucket, call.key, call.query["uploadId"], number, size)


def upload_algorithm(upload: UploadRow) -> str | None:
    """Return the checksum algorithm the upload asked for."""
    return None if upload.checksum is None else upload.checksum.partition(";")[0]


def _check_algorithm(call: Call, algorithm: str) -> None:
    framed = call.auth.payload.kind > SHA256
    declared = parse_declared(call.headers, streaming=framed)
    if declared is not None and declared.algorithm.name != algorithm:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm},"
            f" actual checksum Type: {declared.algorithm.name}",
        )
