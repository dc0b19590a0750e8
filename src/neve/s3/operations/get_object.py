"""GetObject: an object or a part of it; what HeadObject shares is here too.

Supported: Range (one range), partNumber, If-Match, If-None-Match, If-Modified-Since,
If-Unmodified-Since, If-Range, x-amz-checksum-mode, response-* overrides, versionId.
Ignored: x-amz-request-payer.
"""

from neve.answer import Rendered
from neve.catalog.catalog import ObjectRow
from neve.engine.rows import Found
from neve.s3.call import Call, version_headers
from neve.s3.conditions import check_read, etag_matches, parse_date, parse_range
from neve.s3.errors import S3Error
from neve.s3.integrity import checksum_headers, part_checksum_headers
from neve.s3.lifecycle import expiration_headers
from neve.s3.locks import lock_headers
from neve.s3.metadata import metadata_headers
from neve.s3.response import Headers, Response, http_date

_SPECIAL = frozenset(
    (
        b"range",
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"x-amz-checksum-mode",
        b"x-amz-server-side-encryption-customer-algorithm",
    )
)
"""Without one of these, and without a query, the answer is the whole object."""

_ACCEPT_RANGES = (b"accept-ranges", b"bytes")
_OVERRIDES = {
    f"response-{name}": name.encode()
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}


def get_object(call: Call) -> Response:
    """Return an object, or the part of it that is asked for."""
    if is_special(call):
        row = call.row()
        headers = special_headers(call, row)
        status, start, stop = choose(call, row, headers)
        return Response(status, headers, call.engine.read(row, start, stop))
    found = call.found()
    fields = shown(call, found)[0]
    if call.bucket.lifecycle is None:
        return Response(200, fields, call.engine.read_whole(found))
    more = expiration_headers(call.bucket, found.row)
    return Response(200, [*fields, *more], call.engine.read_whole(found))


def shown(call: Call, found: Found) -> tuple[Rendered, Rendered]:
    """Return the fields of plain answers to GET and to HEAD, made once for a row."""
    row = found.row
    both: tuple[Rendered, Rendered] | None = found.shown
    # Of a null version, the bucket decides whether its id is shown.
    told_apart = not row.version and call.bucket.versioning is not None
    if both is None or told_apart:
        headers = object_headers(call, row)
        length = (b"content-length", b"%d" % row.size)
        both = (Rendered(headers), Rendered([*headers, length]))
        if not told_apart:
            found.shown = both
    return both


def special_headers(call: Call, row: ObjectRow) -> Headers:
    """Return the fields that describe the object, before anything else was looked at."""
    headers = object_headers(call, row)
    if call.version is None:
        headers += expiration_headers(call.bucket, row)
    return headers


def object_headers(call: Call, row: ObjectRow) -> Headers:
    """Return the fields that describe the object, whatever is sent of it."""
    return [
        (b"etag", b'"%b"' % row.etag.encode()),
        (b"last-modified", http_date(row.mtime_us // 1_000_000)),
        _ACCEPT_RANGES,
        *metadata_headers(row.meta),
        *version_headers(call, row.version),
        *(lock_headers(call, row) if call.bucket.locks else ()),
    ]


def is_special(call: Call) -> bool:
    """Say whether anything but the plain whole object may be asked for, or an ACL let it be."""
    if call.query or call.granted is not None or call.bucket.locks:
        return True
    return not _SPECIAL.isdisjoint(call.headers)


def choose(call: Call, row: ObjectRow, headers: Headers) -> tuple[int, int, int]:
    """Return (status, start, stop) of what to send, and complete `headers` accordingly.

    Raises: S3Error NotModified, PreconditionFailed, InvalidRange, InvalidPartNumber …
    """
    query, asked = call.query, call.headers
    if b"x-amz-server-side-encryption-customer-algorithm" in asked:
        raise S3Error(
            "InvalidRequest",
            "The encryption parameters are not applicable to this object.",
        )
    try:
        check_read(asked, row.etag, row.mtime_us)
    except S3Error as error:
        if error.status == 304:
            error.headers = headers
        raise
    if query:
        _override(call, headers)
    if "partNumber" in query:
        return _choose_part(call, row, headers)
    value = asked.get(b"range")
    if value is not None and _range_applies(asked, row):
        found = parse_range(value, row.size)
        if found is not None:
            headers.append(_content_range(found.start, found.stop, row.size))
            return 206, found.start, found.stop
    if asked.get(b"x-amz-checksum-mode", b"").upper() == b"ENABLED":
        headers += checksum_headers(row.checksum)
    return 200, 0, row.size


def _content_range(start: int, stop: int, size: int) -> tuple[bytes, bytes]:
    return (b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size))


def _range_applies(headers: dict[bytes, bytes], row: ObjectRow) -> bool:
    """If-Range: the range counts only when the object is still the one the client knows."""
    value = headers.get(b"if-range")
    if value is None:
        return True
    second = parse_date(value)
    if second is not None:
        return row.mtime_us // 1_000_000 == second
    return etag_matches(value, row.etag)


def _choose_part(call: Call, row: ObjectRow, headers: Headers) -> tuple[int, int, int]:
    if b"range" in call.headers:
        raise S3Error(
            "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
        )
    number = part_number(call.query["partNumber"])
    parts = call.engine.parts_of(row)
    if parts is None:
        # AWS: an object that was not uploaded in parts counts as its own part 1.
        if number != 1:
            raise _no_such_part(number, 1)
        start, stop = 0, row.size
        sums = checksum_headers(row.checksum)
    else:
        headers.append((b"x-amz-mp-parts-count", b"%d" % len(parts)))
        start = 0
        for part in parts:
            if part.number == number:
                stop = start + part.size
                sums = part_checksum_headers(part.checksum, row.checksum)
                break
            start += part.size
        else:
            raise _no_such_part(number, len(parts))
    if call.headers.get(b"x-amz-checksum-mode", b"").upper() == b"ENABLED":
        headers += sums
    if start == stop:
        return 200, start, stop
    headers.append(_content_range(start, stop, row.size))
    return 206, start, stop


def part_number(text: str) -> int:
    """Return the number of a part. Raises: S3Error InvalidArgument."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 10_000:
        return int(text)
    raise S3Error(
        "InvalidArgument",
        "Part number must be an integer between 1 and 10000, inclusive",
        ArgumentName="partNumber",
        ArgumentValue=text,
    )


def _no_such_part(number: int, count: int) -> S3Error:
    return S3Error("InvalidPartNumber", PartNumberRequested=number, ActualPartCount=count)


def _override(call: Call, headers: Headers) -> None:
    """Replace fields by the response-* parameters, which only signed requests may use."""
    for name, value in call.query.items():
        header = _OVERRIDES.get(name)
        if header is None:
            continue
        if call.auth.access_key is None:
            raise S3Error(
                "InvalidRequest",
                "Request specific response headers cannot be used for anonymous GET requests.",
            )
        headers[:] = [field for field in headers if field[0] != header]
        headers.append((header, value.encode()))
