"""DeleteObjects: removes up to 1,000 keys in one transaction; each succeeds or is refused alone.

Supported: Quiet; per key VersionId, ETag, Size, LastModifiedTime. A digest of the document
(Content-MD5, x-amz-checksum-* or x-amz-content-sha256) is required.
x-amz-bypass-governance-retention. Ignored: x-amz-mfa, x-amz-request-payer.
"""

from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.delete import Deleted, Deletion
from neve.errors import DomainError, NoSuchKey
from neve.names import parse_key
from neve.s3.call import Call
from neve.s3.conditions import parse_date, parse_iso_date
from neve.s3.errors import S3Error, from_domain
from neve.s3.locks import may_bypass
from neve.s3.names import NULL, parse_version
from neve.s3.payload import has_digest
from neve.s3.response import Response, xml_response
from neve.s3.xml import Element, escape, parse_xml

DOCUMENT_BYTES_MAX = 8 << 20
"""1,000 keys of 1,024 bytes, every one of them an escape of six."""
KEYS_MAX = 1000

_Wanted = Deletion


async def delete_objects(call: Call) -> Response:
    """Delete many objects."""
    if not has_digest(call):
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")
    root = parse_xml(await call.body(DOCUMENT_BYTES_MAX), "Delete")
    objects = root.all("Object")
    if not 1 <= len(objects) <= KEYS_MAX:
        raise S3Error("MalformedXML")
    quiet = (root.value("Quiet") or "").lower() == "true"
    results: list[Deleted | Exception] = [Deleted(False)] * len(objects)
    wanted: list[_Wanted] = []
    places: list[int] = []
    for index, element in enumerate(objects):
        try:
            wanted.append(_parse(call, element))
            places.append(index)
        except (S3Error, DomainError) as error:
            results[index] = error
    if wanted:
        done = await call.engine.delete_objects(call.bucket, wanted, call.writer_id)
        for index, result, deletion in zip(places, done, wanted, strict=True):
            absent = isinstance(result, NoSuchKey) and deletion.conditions.if_match is None
            results[index] = Deleted(False, deletion.version) if absent else result
    call.request.details = lambda: {
        "objects": [_detail(*pair) for pair in zip(objects, results, strict=True)]
    }
    inner = [
        _result(element, result, quiet) for element, result in zip(objects, results, strict=True)
    ]
    return xml_response("DeleteResult", "".join(inner))


def _parse(call: Call, element: Element) -> _Wanted:
    """Return key and conditions. Raises what refuses this key alone; MalformedXML comes first."""
    found = element.find("Key")
    # The text of a key counts to the last blank, unlike that of every other element.
    key = parse_key(found.text.encode() if found is not None else b"")
    version = parse_version(element.value("VersionId"))
    action = "s3:DeleteObject" if version is None else "s3:DeleteObjectVersion"
    call.check(action, call.bucket, key, version)
    bypass = call.bucket.locks and may_bypass(call, key, version)
    return Deletion(key, _conditions(element), version, bypass)


def _conditions(element: Element) -> Conditions:
    etag, size = element.value("ETag"), element.value("Size")
    modified = element.value("LastModifiedTime")
    if etag is None and size is None and modified is None:
        return NO_CONDITIONS
    if size is not None and not (size.isascii() and size.isdigit() and len(size) <= 18):
        raise S3Error("InvalidArgument", ArgumentName="Size", ArgumentValue=size)
    second = None
    if modified is not None:
        second = parse_iso_date(modified)
        if second is None:
            second = parse_date(modified.encode())
        if second is None:
            raise S3Error("InvalidArgument", ArgumentName="LastModifiedTime")
    return Conditions(
        if_match=etag.strip('"') if etag is not None else None,
        if_size=int(size) if size is not None else None,
        if_mtime_us=second * 1_000_000 if second is not None else None,
    )


def _detail(element: Element, result: Deleted | Exception) -> dict[str, str]:
    """Return what the audit log says of an object."""
    found = element.find("Key")
    version = element.value("VersionId")
    if version is None and isinstance(result, Deleted) and result.marker:
        version = result.version or NULL
    return {
        "key": found.text if found is not None else "",
        "version_id": version or "",
        "error": "" if isinstance(result, Deleted) else _answer(result).code,
    }


def _answer(error: Exception) -> S3Error:
    return error if isinstance(error, S3Error) else from_domain(error)  # type: ignore[arg-type]


def _result(element: Element, result: Deleted | Exception, quiet: bool) -> str:
    found = element.find("Key")
    key = escape(found.text if found is not None else "")
    version = element.value("VersionId")
    name = f"<Key>{key}</Key>"
    if version is not None:
        name += f"<VersionId>{escape(version)}</VersionId>"
    if isinstance(result, Deleted):
        if result.marker:
            name += "<DeleteMarker>true</DeleteMarker>"
            name += f"<DeleteMarkerVersionId>{result.version or NULL}</DeleteMarkerVersionId>"
        return "" if quiet else f"<Deleted>{name}</Deleted>"
    answer = _answer(result)
    return (
        f"<Error>{name}<Code>{answer.code}</Code>"
        f"<Message>{escape(answer.message)}</Message></Error>"
    )
