"""An HTTP answer as data: what the protocol layers make and the HTTP front sends."""

from collections.abc import AsyncIterator, Sequence

from neve.spans import Spans


class Response:
    """Status, headers and body of an answer.

    A body is bytes, a list of spans, or an async iterator of bytes (closed by the front).
    """

    __slots__ = ("status", "headers", "body", "close")

    def __init__(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes | Spans | AsyncIterator[bytes] = b"",
        close: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.close = close
