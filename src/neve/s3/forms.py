"""The parser of browser forms: multipart/form-data with one file, decoded while it comes in.

No socket, no rights, no engine. The fields before the file are collected, within a bound; then the
owner is told of them once and says where the bytes of the file go; they pass through without being
held. What follows the file is skipped, as S3 ignores it.

    --boundary CRLF headers CRLF CRLF value CRLF --boundary … CRLF --boundary--

Invariants: no byte of the file reaches the sink before `begin` has returned; the file ends only at
a whole delimiter, so a cut-off body is never a shorter file; work is linear in the bytes fed.
"""

import re
from collections.abc import Callable
from typing import Any

from neve.s3.errors import S3Error

FIELDS_BYTES_MAX = 20 << 10
"""AWS: everything of the form but the content of the file."""
BOUNDARY_BYTES_MAX = 200
"""RFC 2046 allows 70; some clients take more."""

Sink = Callable[[memoryview], Any]

_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"\r\n]+)"|([^\s;,"]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition\s*:\s*form-data\s*(;.*)", re.IGNORECASE)
_NAME = re.compile(rb';\s*name\s*=\s*(?:"((?:\\"|[^"])*+)"|([^\s;"]+))', re.IGNORECASE)
_FILENAME = re.compile(rb';\s*filename\s*=\s*(?:"((?:\\"|[^"])*+)"|([^\s;"]+))', re.IGNORECASE)

_FIELDS, _FILE, _REST = range(3)


def parse_boundary(content_type: bytes) -> bytes:
    """Return the boundary that Content-Type names.

    Raises: S3Error PreconditionFailed (no form), MalformedPOSTRequest.
    """
    if not content_type.strip().lower().startswith(b"multipart/form-data"):
        raise S3Error(
            "PreconditionFailed",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    match = _BOUNDARY.search(content_type)
    boundary = (match[1] or match[2]) if match else b""
    if not boundary or len(boundary) > BOUNDARY_BYTES_MAX:
        raise malformed()
    return boundary


class Form:
    """What came before the content of the file: fields by lower-case name, and the file's name."""

    __slots__ = ("fields", "filename")

    def __init__(self) -> None:
        self.fields: dict[str, bytes] = {}
        self.filename = b""

    def add(self, name: str, value: bytes) -> None:
        """Add a field. Raises: S3Error InvalidArgument for a second one of the name."""
        if name in self.fields:
            # Which of two a policy had judged and which was used must never be a question.
            message = "A form may have each field only once."
            raise S3Error("InvalidArgument", message, ArgumentName=name)
        self.fields[name] = value


class FormParser:
    """Decodes one form. `begin` is called with it once the file begins, and returns the sink."""

    __slots__ = ("_begin", "_buffer", "_delimiter", "_form", "_left", "_sink", "_state")

    def __init__(self, boundary: bytes, begin: Callable[[Form], Sink]) -> None:
        self._begin = begin
        self._delimiter = b"\r\n--" + boundary
        self._form = Form()
        self._state = _FIELDS
        # A line end before the first delimiter makes it like all others.
        self._buffer = b"\r\n"
        self._left = FIELDS_BYTES_MAX
        self._sink: Sink | None = None

    def feed(self, piece: memoryview) -> Any:
        """Decode a piece. Return the last thing the sink returned that was not None.

        Raises S3Error, and what `begin` raises; after that the form is lost.
        """
        if self._state == _REST:
            self._skip(len(piece))
            return None
        self._buffer += piece
        if self._state == _FIELDS:
            while self._next_part():
                pass
            if self._state == _FIELDS:
                if len(self._buffer) > self._left:
                    raise _fields_too_large()
                return None
        return self._pass_on()

    def finish(self) -> None:
        """End the form. Raises S3Error when it has no file or its end is missing."""
        if self._state == _FIELDS:
            if self._form.fields and self._buffer.startswith(self._delimiter + b"--"):
                raise S3Error(
                    "InvalidArgument",
                    "POST requires exactly one file upload per request.",
                    ArgumentName="file",
                    ArgumentValue="0",
                )
            raise malformed()
        if self._state == _FILE:
            raise malformed()

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _fields_too_large()

    def _next_part(self) -> bool:
        """Take one field, or the headers of the file, off the buffer; False if it is not whole."""
        buffer, delimiter = self._buffer, self._delimiter
        # Behind a field the buffer begins with the delimiter; before the first one may be a text.
        start = 0 if self._form.fields else buffer.find(delimiter)
        head = start + len(delimiter)
        end = buffer.find(b"\r\n\r\n", head)
        if start < 0 or end < 0 or buffer[head : head + 2] == b"--":
            return False
        if buffer[head : end + 2].lstrip(b" \t")[:2] != b"\r\n":
            raise malformed()
        disposition = _disposition(buffer[head:end])
        name = _parameter(_NAME, disposition)
        if not name:
            raise malformed()
        if name.lower() == b"file":
            self._spend(end + 4)
            self._form.filename = _parameter(_FILENAME, disposition) or b""
            self._buffer = buffer[end + 4 :]
            self._sink = self._begin(self._form)
            self._state = _FILE
            return False
        stop, ended = self._find(end + 4)
        if not ended:
            return False
        self._spend(stop)
        self._form.add(text_of_field(name).lower(), buffer[end + 4 : stop])
        self._buffer = buffer[stop:]
        return True

    def _pass_on(self) -> Any:
        """Give the sink what is surely of the file; keep what may be the delimiter."""
        buffer = self._buffer
        stop, ended = self._find(0)
        self._buffer = buffer[stop:]
        if ended:
            self._state, self._left, self._buffer = _REST, FIELDS_BYTES_MAX, b""
            self._skip(len(buffer) - stop)
        if not stop:
            return None
        assert self._sink is not None
        return self._sink(memoryview(buffer)[:stop])

    def _find(self, start: int) -> tuple[int, bool]:
        """Return where the delimiter begins, or may begin, and whether it surely is one."""
        buffer, delimiter = self._buffer, self._delimiter
        while True:
            stop = buffer.find(delimiter, start)
            if stop < 0:
                return len(buffer) - _begun(buffer, delimiter), False
            after = buffer[stop + len(delimiter) : stop + len(delimiter) + 2]
            if len(after) < 2:
                return stop, False
            if after in (b"--", b"\r\n") or after[:1] in b" \t":
                return stop, True
            # A longer word that begins like the delimiter is none.
            start = stop + 1

    def _skip(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise malformed()


def _begun(buffer: bytes, delimiter: bytes) -> int:
    """Return how many bytes at the end of `buffer` may be the start of a delimiter."""
    # It has one carriage return, which is its first byte.
    at = buffer.rfind(b"\r", max(0, len(buffer) - len(delimiter)))
    return len(buffer) - at if at >= 0 and delimiter.startswith(buffer[at:]) else 0


def _disposition(head: bytes) -> bytes:
    """Return the parameters of the part's Content-Disposition. Raises: S3Error."""
    for line in head.split(b"\r\n"):
        match = _DISPOSITION.fullmatch(line.strip())
        if match is not None:
            return match[1]
    raise malformed()


def _parameter(pattern: re.Pattern[bytes], disposition: bytes) -> bytes | None:
    match = pattern.search(disposition)
    if match is None:
        return None
    return match[2] if match[1] is None else match[1].replace(b'\\"', b'"')


def text_of_field(value: bytes) -> str:
    """Return the text of a field. Raises: S3Error MalformedPOSTRequest when it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise malformed() from error


def malformed() -> S3Error:
    """Return the error of a body that is no form."""
    return S3Error("MalformedPOSTRequest")


def _fields_too_large() -> S3Error:
    return S3Error("MaxPostPreDataLengthExceeded", MaxPostPreDataLengthBytes=FIELDS_BYTES_MAX)
