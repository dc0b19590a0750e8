"""One keep-alive HTTP/1.1 connection, driven by readiness events; it never blocks after connecting.

It sends prepared bytes, reads one answer and says when that answer is complete. Bodies nobody
asked for are dropped inside the kernel (MSG_TRUNC), so a large GET costs the generator little.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from bench.signing import Buffer

CONNECT_TIMEOUT_S = 10.0
HEAD_BYTES_MAX = 65536
READ_BYTES = 1 << 20
BUFFERS_PER_SEND = 64
KEPT_ERROR_BYTES_MAX = 65536
UNTIL_CLOSE = 1 << 62
_scratch = bytearray(READ_BYTES)


class ConnectionLost(Exception):
    """The server closed or broke the connection before the answer was complete."""


class BadAnswer(Exception):
    """The answer is not HTTP that this generator understands."""


@dataclass(slots=True)
class Exchange:
    """One request and what its answer has to be."""

    buffers: list[Buffer]
    status: int
    length: int | None
    """Bytes the answer must announce; None when any length will do."""
    number: int = 0
    """Number of the object concerned, or whatever else its maker has to remember."""
    keep: bool = False
    """Whether the body is needed for checking."""
    has_body: bool = True
    """False for HEAD, whose Content-Length is not followed by bytes."""


class Connection:
    """A socket and the exchange under way on it."""

    __slots__ = (
        "_address", "_body", "_chunked", "_head", "_left", "_queue",
        "exchange", "fresh", "length", "must_close", "socket", "started_ns", "status",
    )  # fmt: skip

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.exchange: Exchange | None = None
        self.connect()

    def connect(self) -> None:
        """Open a new socket; the exchange under way, if any, has to be begun again."""
        self.socket = socket.create_connection(self._address, timeout=CONNECT_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.fresh = True
        self.must_close = False
        self._queue: list[Buffer] = []

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def begin(self, exchange: Exchange) -> bool:
        """Start sending; return whether everything is out already."""
        self.exchange = exchange
        self.status = 0
        self._head = b""
        self._body: bytearray | None = None
        self._queue = exchange.buffers.copy()
        self.started_ns = time.perf_counter_ns()
        return self.flush()

    def flush(self) -> bool:
        """Send what the socket takes; return whether everything is out."""
        queue = self._queue
        try:
            while queue:
                if len(queue) == 1:
                    sent = self.socket.send(queue[0])
                else:
                    sent = self.socket.sendmsg(queue[:BUFFERS_PER_SEND])
                _drop(queue, sent)
        except BlockingIOError:
            return False
        except OSError as error:
            # An early refusal may be waiting to be read: let the reader find it or the end.
            if self.fresh or self.status:
                queue.clear()
                return True
            raise ConnectionLost(str(error)) from error
        return True

    @property
    def sent_everything(self) -> bool:
        """Whether nothing is left to send."""
        return not self._queue

    @property
    def body(self) -> bytes:
        """The bytes kept of the answer."""
        return bytes(self._body or b"")

    def receive(self) -> bool:
        """Read what is there; return whether the answer is complete."""
        try:
            if not self.status:
                data = self.socket.recv(HEAD_BYTES_MAX)
                if not data:
                    raise ConnectionLost("closed before the answer")
                return self._take_head(data)
            return self._take_body()
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def _take_head(self, data: bytes) -> bool:
        if self._head:
            data = self._head + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) >= HEAD_BYTES_MAX:
                raise BadAnswer("the answer's head does not end")
            self._head = data
            return False
        try:
            status = int(data[9:12])
        except ValueError as error:
            raise BadAnswer(f"not HTTP: {data[:40]!r}") from error
        if status < 200:
            self._head = b""
            return self._take_head(data[end + 4 :]) if data[end + 4 :] else False
        self.status = status
        self._read_headers(data[: end + 2].lower())
        return self._begin_body(data[end + 4 :])

    def _read_headers(self, head: bytes) -> None:
        exchange = self.exchange
        assert exchange is not None
        at = head.find(b"\r\ncontent-length:")
        self.length = int(head[at + 17 : head.find(b"\r\n", at + 17)]) if at >= 0 else 0
        self._left = self.length
        self._chunked = b"\r\ntransfer-encoding: chunked\r\n" in head
        self.must_close = b"\r\nconnection: close\r\n" in head or head.startswith(b"http/1.0")
        if not exchange.has_body or self.status in (204, 304):
            self._left, self._chunked = 0, False
        elif at < 0 and not self._chunked and self.must_close:
            self._left = UNTIL_CLOSE
        wrong = self.status != exchange.status and self._left <= KEPT_ERROR_BYTES_MAX
        if exchange.keep or self._chunked or wrong:
            self._body = bytearray()

    def _begin_body(self, rest: bytes) -> bool:
        if self._chunked:
            return self._take_chunked(rest)
        if self._body is not None:
            self._body += rest
        self._left -= len(rest)
        if self._left < 0:
            raise BadAnswer("more bytes than announced")
        return self._left == 0

    def _take_body(self) -> bool:
        if self._chunked:
            data = self.socket.recv(READ_BYTES)
            if not data:
                raise ConnectionLost("closed inside a chunked body")
            return self._take_chunked(data)
        size = min(self._left, READ_BYTES)
        flags = 0 if self._body is not None else socket.MSG_TRUNC
        got = self.socket.recv_into(_scratch, size, flags)
        if not got:
            if self._left > UNTIL_CLOSE // 2:
                self.length = UNTIL_CLOSE - self._left
                return True
            raise ConnectionLost("closed inside the body")
        if self._body is not None:
            self._body += memoryview(_scratch)[:got]
        self._left -= got
        return self._left == 0

    def _take_chunked(self, data: bytes) -> bool:
        assert self._body is not None
        self._body += data
        decoded = decode_chunked(self._body)
        if decoded is None:
            return False
        self._body = decoded
        self.length = len(decoded)
        return True


def decode_chunked(data: bytearray) -> bytearray | None:
    """Return the body once its last chunk is there, None before."""
    if not data.endswith(b"0\r\n\r\n"):
        return None
    at, body = 0, bytearray()
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(data[at:line].split(b";")[0], 16)
        if size == 0:
            return body
        body += data[line + 2 : line + 2 + size]
        at = line + 2 + size + 2


def _drop(queue: list[Buffer], sent: int) -> None:
    """Remove the sent bytes from the front of the queue."""
    done = 0
    for buffer in queue:
        if sent < len(buffer):
            break
        sent -= len(buffer)
        done += 1
    del queue[:done]
    if sent:
        queue[0] = memoryview(queue[0])[sent:]
