"""An HTTP answer as data, and the bytes of its head.

No I/O here. Invariants: a header value can never end the line it is on (CR, LF and NUL become
spaces), and a Content-Length that the handler sets must be that of the body it gives.
"""

from http import HTTPStatus
from time import time
from wsgiref.handlers import format_date_time

from neve.answer import Rendered, Response, header_block
from neve.spans import Span, Spans

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
BODILESS = frozenset((204, 304))
_LENGTH_NAME = b"\r\ncontent-length: "


class HeadWriter:
    """Makes response heads; the part that changes once a second is kept per status."""

    __slots__ = ("_second", "_starts")

    def __init__(self) -> None:
        self._second = 0
        self._starts: dict[int, bytes] = {}

    def render(
        self,
        response: Response,
        request_id: str,
        method: str,
        version: str,
        keep: bool,
        length: int | None,
    ) -> bytes:
        """Return the head of an answer whose body has `length` bytes (None: not known).

        Raises ValueError when the handler set a Content-Length that its body does not have.
        """
        headers = response.headers
        if type(headers) is Rendered:
            block, given = headers.block, headers.length
        else:
            block = header_block(headers)
            given = given_length(block)
        status = response.status
        end = b""
        if given is None:
            if status in BODILESS:
                pass
            elif length is not None:
                end = b"\r\nContent-Length: %d" % length
            elif version == "1.1":
                end = b"\r\nTransfer-Encoding: chunked"
        elif given != length and length is not None and method != "HEAD" and status != 304:
            raise ValueError(f"Content-Length is {given}, the body has {length} bytes")
        if not keep:
            end += b"\r\nConnection: close"
        elif version == "1.0":
            end += b"\r\nConnection: keep-alive"
        return b"%b%b%b%b\r\n\r\n" % (self._start(status), request_id.encode(), block, end)

    def _start(self, status: int) -> bytes:
        """Return the head from the status line to the name of the request id header."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._starts.clear()
        start = self._starts.get(status)
        if start is None:
            line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown" % status
            date = format_date_time(second).encode()
            start = b"%b\r\nDate: %b\r\nServer: Neve\r\nx-amz-request-id: " % (line, date)
            self._starts[status] = start
        return start


def given_length(block: bytes) -> int | None:
    """Return the Content-Length in a header block, or None when it has none."""
    at = block.lower().find(_LENGTH_NAME)
    if at < 0:
        return None
    start = at + len(_LENGTH_NAME)
    end = block.find(b"\r\n", start)
    return int(block[start:end] if end >= 0 else block[start:])


def drop_spans(spans: Spans) -> None:
    """Release the files of spans that will not be sent."""
    for span in spans:
        if type(span) is Span:
            span.release()
