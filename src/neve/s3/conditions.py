"""Preconditions and ranges of HTTP, as S3 reads them.

Reads follow the precedence of RFC 9110 §13.2.2. Dates have the precision of a second. What is not
a valid date or range is ignored, as the RFC asks; what is a range but lies outside is refused.
The inclusive ranges of HTTP end here: inside Neve a range is half-open.
"""

import re
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate_tz

from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.names import ByteRange
from neve.s3.errors import S3Error

_RANGE = re.compile(rb"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)
_DATES_MAX = 4096
_dates: dict[bytes, int | None] = {}


def parse_date(value: bytes) -> int | None:
    """Return the seconds since 1970 of an HTTP date, None when it is not one."""
    try:
        return _dates[value]
    except KeyError:
        pass
    fields = parsedate_tz(value.decode("latin-1"))
    try:
        second = None if fields is None else timegm((*fields[:6], 0, 0, 0)) - (fields[9] or 0)
    except (ValueError, OverflowError):
        second = None
    if len(_dates) >= _DATES_MAX:
        _dates.clear()
    _dates[value] = second
    return second


def etag_matches(value: bytes, etag: str) -> bool:
    """Say whether an If-Match or If-None-Match value names `etag` (given without quotes)."""
    text = value.strip()
    if text == b"*":
        return True
    expected = etag.encode()
    for item in text.split(b","):
        item = item.strip()
        if item.startswith(b"W/"):
            item = item[2:]
        if item.strip(b'"') == expected:
            return True
    return False


def check_read(headers: dict[bytes, bytes], etag: str, mtime_us: int, prefix: bytes = b"") -> None:
    """Raise PreconditionFailed or NotModified unless the read may go on.

    With `prefix` (x-amz-copy-source-) the conditions are those of a copy on its source, where
    what GET answers with 304 is a failed precondition too.
    """
    value = headers.get(prefix + b"if-match")
    if value is not None:
        if not etag_matches(value, etag):
            raise _failed(prefix, "If-Match")
    else:
        value = headers.get(prefix + b"if-unmodified-since")
        if value is not None:
            second = parse_date(value)
            if second is not None and mtime_us // 1_000_000 > second:
                raise _failed(prefix, "If-Unmodified-Since")
    value = headers.get(prefix + b"if-none-match")
    if value is not None:
        if etag_matches(value, etag):
            raise _failed(prefix, "If-None-Match") if prefix else S3Error("NotModified")
    else:
        value = headers.get(prefix + b"if-modified-since")
        if value is not None:
            second = parse_date(value)
            if second is not None and mtime_us // 1_000_000 <= second:
                raise _failed(prefix, "If-Modified-Since") if prefix else S3Error("NotModified")


def _failed(prefix: bytes, condition: str) -> S3Error:
    name = prefix.decode() + condition.lower() if prefix else condition
    return S3Error("PreconditionFailed", Condition=name)


def parse_range(value: bytes, size: int) -> ByteRange | None:
    """Return the one range asked for, clipped to `size`; None when the whole object is to be sent.

    Raises: S3Error InvalidRange (starts beyond the end, or a suffix of nothing).
    """
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        count = min(_offset(last), size)
        if count == 0:
            raise _unsatisfiable(value, size)
        return ByteRange(size - count, size)
    start = _offset(first)
    stop = _offset(last) + 1 if last else size
    if last and stop <= start:
        return None
    if start >= size:
        raise _unsatisfiable(value, size)
    return ByteRange(start, min(stop, size))


def _offset(digits: bytes) -> int:
    """The number, or one beyond every object when it is absurdly long."""
    return int(digits) if len(digits) < 19 else 10**18


def _unsatisfiable(value: bytes, size: int) -> S3Error:
    asked = value.decode("latin-1").strip()
    return S3Error("InvalidRange", RangeRequested=asked, ActualObjectSize=size)


def parse_iso_date(text: str) -> int | None:
    """Return the seconds since 1970 of `2026-11-23T05:36:00[.000]Z`, None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def write_conditions(headers: dict[bytes, bytes]) -> Conditions:
    """Return what must hold for a put, copy or completion to take place.

    Raises: S3Error NotImplemented for the conditions S3 does not have on writes.
    """
    match = headers.get(b"if-match")
    none_match = headers.get(b"if-none-match")
    if b"if-modified-since" in headers or b"if-unmodified-since" in headers:
        raise S3Error("NotImplemented", "A write cannot depend on the time of modification.")
    if match is None and none_match is None:
        return NO_CONDITIONS
    if match is not None and none_match is not None:
        raise S3Error("NotImplemented", "If-Match and If-None-Match exclude each other.")
    if none_match is not None and b"," in none_match:
        # One ETag or `*` is more than AWS takes; of a list none must be dropped in silence.
        raise S3Error("NotImplemented", "If-None-Match takes one ETag or * on a write.")
    return Conditions(if_match=_bare(match), if_none_match=_bare(none_match, weak=True))


def delete_conditions(headers: dict[bytes, bytes]) -> Conditions:
    """Return what must hold for a deletion to take place. Raises: S3Error InvalidArgument."""
    match = headers.get(b"if-match")
    size = headers.get(b"x-amz-if-match-size")
    modified = headers.get(b"x-amz-if-match-last-modified-time")
    if match is None and size is None and modified is None:
        return NO_CONDITIONS
    second = None
    if modified is not None:
        second = parse_date(modified)
        if second is None:
            second = parse_iso_date(modified.decode("latin-1"))
        if second is None:
            raise _invalid("x-amz-if-match-last-modified-time", modified)
    if size is not None and (not size.isdigit() or len(size) > 18):
        raise _invalid("x-amz-if-match-size", size)
    return Conditions(
        if_match=_bare(match),
        if_size=None if size is None else int(size),
        if_mtime_us=None if second is None else second * 1_000_000,
    )


def _bare(etag: bytes | None, *, weak: bool = False) -> str | None:
    if etag is None:
        return None
    if weak:
        etag = etag.strip().removeprefix(b"W/")
    return etag.strip().strip(b'"').decode("latin-1")


def _invalid(name: str, value: bytes) -> S3Error:
    return S3Error("InvalidArgument", ArgumentName=name, ArgumentValue=value.decode("latin-1"))
