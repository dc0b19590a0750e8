"""CompleteMultipartUpload: publishes the parts as one object; asked again, it answers the same.

Supported: part checksums, x-amz-checksum-*, x-amz-checksum-type, x-amz-mp-object-size, If-Match,
If-None-Match; what MinIO's replication sends. Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow, PartRow, UploadRow
from neve.errors import NoSuchUpload
from neve.s3.call import Call, written_headers
from neve.s3.checksums import (
    ALGORITHMS,
    COMPOSITE,
    FULL_OBJECT,
    Algorithm,
    composite,
    decode,
    full_object,
    mismatched,
    parse_type,
)
from neve.s3.conditions import write_conditions
from neve.s3.errors import S3Error
from neve.s3.integrity import XML_ALGORITHMS, checksum_elements
from neve.s3.lifecycle import expiration_headers
from neve.s3.locks import set_default
from neve.s3.metadata import pack, unpack
from neve.s3.payload import read_body
from neve.s3.replicas import complete_replica, is_begun
from neve.s3.response import Response, xml_response
from neve.s3.xml import Element, escape, parse_xml

DOCUMENT_BYTES_MAX = 8 << 20
PARTS_MAX = 10_000

_Wanted = list[tuple[int, str, str | None]]


async def complete_multipart_upload(call: Call) -> Response:
    """Make the parts one object."""
    conditions = write_conditions(call.headers)
    # The checksum in the headers is that of the object, not of this document.
    body = await read_body(call, DOCUMENT_BYTES_MAX, own_checksum=False)
    wanted = _parse(parse_xml(body, "CompleteMultipartUpload"))
    upload_id = call.query["uploadId"]
    checksum = meta = None
    try:
        upload = call.engine.upload(call.bucket, call.key, upload_id)
    except NoSuchUpload:
        # Maybe completed before, by a request whose answer was lost: the engine knows.
        pass
    else:
        parts = _wanted_parts(call, upload_id, wanted)
        if parts is not None:
            _check_size(call, parts)
            checksum = _checksum(call, upload, parts)
        if is_begun(upload):
            return _answer(call, await complete_replica(call, upload, wanted, checksum))
        if call.bucket.locks:
            metadata = unpack(upload.meta)
            set_default(call.bucket, metadata)
            meta = pack(metadata)
    row = await call.engine.complete_upload(
        call.bucket,
        call.key,
        upload_id,
        wanted,
        checksum=checksum,
        meta=meta,
        conditions=conditions,
    )
    return _answer(call, row)


def _answer(call: Call, row: ObjectRow) -> Response:
    host = call.headers.get(b"host", b"").decode("latin-1")
    scheme = "https" if call.request.secure else "http"
    path = call.request.raw_path.decode("latin-1")
    inner = (
        f"<Location>{escape(f'{scheme}://{host}{path}')}</Location>"
        f"<Bucket>{call.bucket.name}</Bucket><Key>{escape(call.key)}</Key>"
        f"<ETag>&quot;{row.etag}&quot;</ETag>{checksum_elements(row.checksum)}"
    )
    headers = [*written_headers(row), *expiration_headers(call.bucket, row)]
    return xml_response("CompleteMultipartUploadResult", inner, headers)


def _parse(root: Element) -> _Wanted:
    parts = root.all("Part")
    if not 1 <= len(parts) <= PARTS_MAX:
        raise S3Error("MalformedXML")
    wanted: _Wanted = []
    for part in parts:
        number, etag, checksum = "", None, None
        for child in part.children:
            if child.name == "PartNumber":
                number = child.text.strip()
            elif child.name == "ETag":
                etag = child.text.strip().strip('"')
            elif child.name in XML_ALGORITHMS:
                checksum = child.text.strip()
        if etag is None or not number.isascii() or not number.isdigit() or len(number) > 9:
            raise S3Error("MalformedXML")
        wanted.append((int(number), etag, checksum))
    return wanted


def _wanted_parts(call: Call, upload_id: str, wanted: _Wanted) -> list[PartRow] | None:
    """Return the rows of the wanted parts; None when one is not there, which the engine refuses."""
    there, _ = call.engine.list_parts(upload_id, 0, PARTS_MAX)
    by_number = {part.number: part for part in there}
    found = [by_number.get(number) for number, _, _ in wanted]
    parts = [part for part in found if part is not None]
    return parts if len(parts) == len(found) else None


def _check_size(call: Call, parts: list[PartRow]) -> None:
    declared = call.headers.get(b"x-amz-mp-object-size")
    if declared is None:
        return
    size = sum(part.size for part in parts)
    if not declared.isdigit() or len(declared) > 18 or int(declared) != size:
        raise S3Error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {declared.decode('latin-1')} does"
            f" not match what was computed: {size}",
        )


def _checksum(call: Call, upload: UploadRow, parts: list[PartRow]) -> str | None:
    """Return the object's checksum, which must be the one that the request declares.

    Raises: S3Error BadDigest, InvalidRequest.
    """
    declared = _declared(call)
    if upload.checksum is not None:
        name, _, type_ = upload.checksum.partition(";")
    elif declared is not None:
        name, type_ = declared[0].name, _declared_type(call) or declared[0].types[-1]
    else:
        # Nobody asked, but what the parts have is worth keeping: clients verify reads with it.
        name, type_ = (parts[0].checksum or "").partition(";")[0], FULL_OBJECT
        if name not in ALGORITHMS:
            return None
    algorithm = ALGORITHMS[name]
    asked = _declared_type(call)
    if asked is not None and asked != type_:
        raise S3Error(
            "InvalidRequest",
            f"The upload was created using the {type_} checksum mode. The complete request must use"
            " the same checksum mode.",
        )
    if declared is not None and declared[0] is not algorithm:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {name}, actual checksum"
            f" Type: {declared[0].name}",
        )
    value = _combine(algorithm, type_, parts)
    if value is None:
        if declared is None:
            return None
        raise S3Error(
            "InvalidRequest",
            f"The parts have no {name} checksums from which the declared one could be verified.",
        )
    if declared is not None and declared[1].partition("-")[0] != value.partition("-")[0]:
        raise mismatched(algorithm)
    return f"{name};{type_};{value}"


def _declared(call: Call) -> tuple[Algorithm, str] | None:
    """Return the checksum of the whole object that the headers declare."""
    for algorithm in ALGORITHMS.values():
        value = call.headers.get(algorithm.header)
        if value is not None:
            return algorithm, value.decode("latin-1").strip()
    return None


def _declared_type(call: Call) -> str | None:
    value = call.headers.get(b"x-amz-checksum-type")
    return None if value is None else parse_type(value)


def _combine(algorithm: Algorithm, type_: str, parts: list[PartRow]) -> str | None:
    """Return the object's checksum in base64; None when a part has none of this algorithm."""
    digests: list[tuple[bytes, int]] = []
    for part in parts:
        name, _, value = (part.checksum or "").partition(";")
        digest = decode(algorithm, value.encode()) if name == algorithm.name else None
        if digest is None:
            return None
        digests.append((digest, part.size))
    if type_ == COMPOSITE:
        return composite(algorithm, [digest for digest, _ in digests])
    return full_object(algorithm, digests) if algorithm.combine is not None else None
