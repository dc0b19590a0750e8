"""Open ranges of files, as storage hands them out and the HTTP front sends them."""

from collections.abc import Callable


class Span:
    """Bytes `[offset, offset + length)` of an open file.

    `close` is called exactly once, when the span was sent or dropped; `release` sees to that.
    """

    __slots__ = ("close", "fd", "length", "offset")

    def __init__(
        self, fd: int, offset: int, length: int, close: Callable[[], None] | None = None
    ) -> None:
        self.fd = fd
        self.offset = offset
        self.length = length
        self.close = close

    def release(self) -> None:
        """Call `close` if nobody did so yet."""
        close, self.close = self.close, None
        if close is not None:
            close()


class LazySpan:
    """A span of known length whose file is opened when its turn comes; `open` may be never called.

    The span that `open` returns must have exactly `length` bytes.
    """

    __slots__ = ("length", "open")

    def __init__(self, length: int, open: Callable[[], Span]) -> None:
        self.length = length
        self.open = open


Spans = list[Span | LazySpan]
