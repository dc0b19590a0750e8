"""Sends file spans to one connection: `os.sendfile` on a plain socket, bounded reads under TLS.

The loop never waits for the disk: pages are probed with RWF_NOWAIT and a cold window is sent (or
read) by a small thread pool. It never waits for the socket either: a full one is watched through a
duplicate of its descriptor, because uvloop keeps the transport's own to itself. Invariants: every
span is released exactly once; nothing is sent while the transport holds unsent bytes; a file that
is shorter than its span cuts the connection: no client takes other bytes for the missing ones.
"""

import os
from asyncio import AbstractEventLoop, Future, Transport
from concurrent.futures import Executor
from typing import Protocol

from neve.server.http_response import drop_spans
from neve.spans import Span, Spans

_TURN_BYTES = 1024 * 1024
_COLD_BYTES = 4 * 1024 * 1024
READ_BYTES = 64 * 1024
_probe = [bytearray(1)]
# One for the process: touching fresh memory is dear, and only the loop's thread reads into it.
_scratch = memoryview(bytearray(READ_BYTES))


class SpanSink(Protocol):
    """What a sender needs of its connection."""

    loop: AbstractEventLoop
    transport: Transport
    paused: bool

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport; sets `paused` when it should be left alone."""

    def span_pool(self) -> Executor:
        """Return the threads that wait for the disk."""

    def spans_sent(self) -> None:
        """All spans were handed over."""

    def spans_failed(self, error: BaseException) -> None:
        """The answer cannot be completed: cut the connection."""


class SpanSender:
    """One answer's spans on their way out. `sent` counts the bytes handed over."""

    __slots__ = (
        "sent",
        "_sink",
        "_spans",
        "_index",
        "_span",
        "_offset",
        "_left",
        "_fd",
        "_watching",
        "_in_thread",
        "_scheduled",
        "_closed",
    )

    def __init__(self, sink: SpanSink, spans: Spans, fd: int) -> None:
        """`fd` is the plain socket to send on, or -1 to go through the transport."""
        self.sent = 0
        self._sink = sink
        self._spans = spans
        self._index = 0
        self._span: Span | None = None
        self._offset = 0
        self._left = 0
        self._fd = os.dup(fd) if fd >= 0 else -1
        self._watching = False
        self._in_thread = False
        self._scheduled = False
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether the client is what the sender waits for."""
        return self._watching

    def turn(self) -> None:
        """Send until the socket is full, the pages are cold or this turn's share is used up."""
        self._scheduled = False
        if self._closed or self._in_thread:
            return
        try:
            self._send()
        except Exception as error:  # noqa: BLE001
            self.close()
            self._sink.spans_failed(error)

    def close(self) -> None:
        """Release the files and the descriptor; at once, or when the thread at work is done."""
        self._closed = True
        if self._in_thread:
            return
        self._unwatch()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        span, self._span = self._span, None
        if span is not None:
            span.release()
        rest = self._spans[self._index :]
        self._index = len(self._spans)
        drop_spans(rest)

    def _send(self) -> None:
        share = _TURN_BYTES
        sink = self._sink
        # A transport that is closing tells its connection soon, which then closes this sender.
        while not sink.paused and not sink.transport.is_closing():
            if not self._left and not self._open_next():
                self.close()
                sink.spans_sent()
                return
            if share <= 0:
                self._yield()
                return
            window = min(self._left, share)
            count = self._send_file(window) if self._fd >= 0 else self._send_copy(window)
            if not count:
                return
            share -= count
        self._unwatch()

    def _open_next(self) -> bool:
        while not self._left:
            if self._span is not None:
                self._span.release()
                self._span = None
            if self._index == len(self._spans):
                return False
            span = self._spans[self._index]
            self._index += 1
            self._span = opened = span if isinstance(span, Span) else span.open()
            if opened.length != span.length:
                raise ValueError(f"a span of {span.length} bytes opened with {opened.length}")
            self._offset = opened.offset
            self._left = opened.length
        return True

    def _send_file(self, window: int) -> int:
        assert self._span is not None
        fd = self._span.fd
        if not _is_warm(fd, self._offset, window):
            return self._start_cold()
        try:
            count = os.sendfile(self._fd, fd, self._offset, window)
        except BlockingIOError:
            self._watch()
            return 0
        self._advance(count)
        return count

    def _send_copy(self, window: int) -> int:
        assert self._span is not None
        data = read_warm(self._span.fd, self._offset, min(window, READ_BYTES))
        if data is None:
            return self._start_cold()
        self._advance(len(data))
        self._sink.write(bytes(data))
        return len(data)

    def _advance(self, count: int) -> None:
        if not count:
            raise EOFError("a file is shorter than its span")
        self._offset += count
        self._left -= count
        self.sent += count

    def _start_cold(self) -> int:
        assert self._span is not None
        self._unwatch()
        self._in_thread = True
        pool = self._sink.span_pool()
        loop = self._sink.loop
        at, fd = self._offset, self._span.fd
        if self._fd >= 0:
            size = min(self._left, _COLD_BYTES)
            future = loop.run_in_executor(pool, _send_cold, self._fd, fd, at, size)
            future.add_done_callback(self._cold_sent)
        else:
            size = min(self._left, READ_BYTES)
            reading = loop.run_in_executor(pool, os.pread, fd, size, at)
            reading.add_done_callback(self._cold_read)
        return 0

    def _cold_sent(self, future: "Future[int | None]") -> None:
        self._in_thread = False
        if self._closed:
            future.exception()
            self.close()
            return
        try:
            count = future.result()
            if count is None:
                self._watch()
                return
            self._advance(count)
        except Exception as error:  # noqa: BLE001
            self.close()
            self._sink.spans_failed(error)
            return
        self.turn()

    def _cold_read(self, future: "Future[bytes]") -> None:
        self._in_thread = False
        if self._closed:
            future.exception()
            self.close()
            return
        try:
            data = future.result()
            self._advance(len(data))
            if not self._sink.transport.is_closing():
                self._sink.write(data)
        except Exception as error:  # noqa: BLE001
            self.close()
            self._sink.spans_failed(error)
            return
        self.turn()

    def _yield(self) -> None:
        # A watched socket calls again by itself: it is still writable.
        if not self._watching and not self._scheduled:
            self._scheduled = True
            self._sink.loop.call_soon(self.turn)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._sink.loop.add_writer(self._fd, self.turn)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._sink.loop.remove_writer(self._fd)


def read_warm(fd: int, offset: int, size: int) -> memoryview | None:
    """Read up to `size` (at most 64 KiB) bytes from the page cache; None if the first is cold.

    The view is valid until the next call. To be called on the loop's thread only.
    """
    view = _scratch[:size]
    try:
        count = os.preadv(fd, (view,), offset, os.RWF_NOWAIT)
    except OSError:
        # Cold (EAGAIN), or a file system that cannot tell: a thread will see, and raise what is.
        return None
    return view if count == size else view[:count]


def _is_warm(fd: int, offset: int, size: int) -> bool:
    """Return whether both ends of a window are in the page cache (the middle is taken on trust)."""
    try:
        os.preadv(fd, _probe, offset, os.RWF_NOWAIT)
        os.preadv(fd, _probe, offset + size - 1, os.RWF_NOWAIT)
    except OSError:
        return False
    return True


def _send_cold(out: int, fd: int, offset: int, size: int) -> int | None:
    """Send in a thread what must come from the disk; None when the socket is full."""
    os.posix_fadvise(fd, offset, size, os.POSIX_FADV_WILLNEED)
    try:
        return os.sendfile(out, fd, offset, size)
    except BlockingIOError:
        return None
