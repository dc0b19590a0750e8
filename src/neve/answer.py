"""An HTTP answer as data: what the protocol layers make and the HTTP front sends."""

from collections.abc import AsyncIterator, Iterator, Sequence

from neve.spans import Spans

_SPACED = bytes.maketrans(b"\r\n\0", b"   ")


def header_block(headers: "Sequence[tuple[bytes, bytes]] | Rendered") -> bytes:
    """Return the headers, each preceded by CRLF, none able to break out of its line."""
    if isinstance(headers, Rendered):
        return headers.block
    if not headers:
        return b""
    block = b"\r\n" + b"\r\n".join([b": ".join(header) for header in headers])
    count = len(headers)
    if block.count(b"\n") == count and block.count(b"\r") == count and b"\0" not in block:
        return block
    # A name like that cannot be mended: its header is left out.
    return b"".join(
        [
            b"\r\n%b: %b" % (name, value.translate(_SPACED))
            for name, value in headers
            if name == name.translate(_SPACED)
        ]
    )


class Rendered:
    """Header fields made into bytes before, for answers that repeat; never changed."""

    __slots__ = ("block", "fields", "length")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self.fields = fields
        self.block = header_block(fields)
        self.length = next((int(v) for n, v in fields if n == b"content-length"), None)
        """The Content-Length among the fields."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.fields)


class Response:
    """Status, headers and body of an answer.

    A body is bytes, a list of spans, or an async iterator of bytes (closed by the front).
    """

    __slots__ = ("status", "headers", "body", "close")

    def __init__(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]] | Rendered = (),
        body: bytes | Spans | AsyncIterator[bytes] = b"",
        close: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.close = close
