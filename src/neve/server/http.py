"""The HTTP/1.1 front of a worker: accepts connections and hands each request to one handler.

What S3 needs and ready servers lose: raw path and header bytes, bodies straight from the receive
buffer, truncated bodies as errors, our own policy on Expect and early refusal, sendfile. The parts:
`http_request` (head in), `http_body` and `http_chunked` (body in), `http_response` (answers as
data), `http_span` (files out), `http_answer` and `http_connection` (one socket). This file knows
sockets, clocks and limits; it knows nothing of S3 but the form of an error page.
"""

import asyncio
import logging
import os
import resource
import socket
import ssl as tls
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from neve.answer import Response
from neve.errors import BodyError, BodyMalformed, BodyTimeout, BodyTooLarge, BodyTruncated
from neve.server.http_body import Body
from neve.server.http_connection import Connection
from neve.server.http_errors import error_page
from neve.server.http_limits import HttpLimits
from neve.server.http_request import Request
from neve.server.http_response import HeadWriter
from neve.spans import LazySpan, Span

__all__ = [
    "Body",
    "BodyError",
    "BodyMalformed",
    "BodyTimeout",
    "BodyTooLarge",
    "BodyTruncated",
    "Span",
    "HttpLimits",
    "HttpServer",
    "LazySpan",
    "Request",
    "Response",
    "error_page",
]

log = logging.getLogger("neve.http")

Handler = Callable[[Request], Response | Coroutine[Any, Any, Response]]
OnDone = Callable[[Request, Response, int, float], None]
Refusal = Callable[[int, str, str, str], Response]

# Touching fresh memory is dear on virtual machines: all connections receive into this one buffer.
_BUFFER_BYTES = 256 * 1024
# While a head is awaited less is read, because what comes with it may have to be kept.
_HEAD_WINDOW_BYTES = 64 * 1024
_SWEEP_S = 1.0
_POOL_THREADS = 4
# Descriptors left for files, the catalog and listening sockets.
_DESCRIPTORS_KEPT = 256


class HttpServer:
    """Serves one handler on any number of listening sockets, in the running loop.

    The handler answers with a Response at once (nothing is scheduled) or with a coroutine (one
    task). The task is not cancelled when the client goes away: only its pump ends, so that a commit
    under way is finished. `refusal` makes the page for protocol errors (status, code, message, id).
    """

    def __init__(
        self,
        handler: Handler,
        *,
        limits: HttpLimits,
        ssl: tls.SSLContext | None = None,
        on_done: OnDone | None = None,
        refusal: Refusal = error_page,
        visitor_token: bytes = b"",
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.on_done = on_done
        self.refusal = refusal
        self.visitor_token = visitor_token
        """Whoever has it may say for whom it asks (`neve.server.visitors`); empty: nobody."""
        self.secure = ssl is not None
        self.draining = False
        self.requests_in_flight = 0
        self.gathered_bytes = 0
        self.live: set[Connection] = set()
        self.buffer = bytearray(_BUFFER_BYTES)
        self.window = memoryview(self.buffer)
        self.head_window = self.window[:_HEAD_WINDOW_BYTES]
        self.heads = HeadWriter()
        self.loop: asyncio.AbstractEventLoop
        self.connections_max = min(limits.connections_max, _descriptor_limit())
        self._ssl = ssl
        self._listeners: list[asyncio.Server] = []
        self._pool: ThreadPoolExecutor | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._next_id = int.from_bytes(os.urandom(8), "big")
        self._sweep_timer: asyncio.TimerHandle | None = None
        self.sweep_s = min(_SWEEP_S, _shortest_timeout(limits) / 4)
        self._set_clock()

    @property
    def connections(self) -> int:
        """Open connections, TLS handshakes under way not counted."""
        return len(self.live)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Threads that wait for the disk; started when a file is first found cold."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_POOL_THREADS, thread_name_prefix="http-disk")
        return self._pool

    async def serve(self, sock: socket.socket) -> None:
        """Start accepting on a listening socket. May be called for several."""
        self.loop = asyncio.get_running_loop()
        if self._sweep_timer is None:
            self._sweep()
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # Accepted sockets inherit it, whatever the loop does.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handshake_s = self.limits.header_timeout_s if self._ssl is not None else None
        listener = await self.loop.create_server(
            lambda: Connection(self),
            sock=sock,
            ssl=self._ssl,
            backlog=1024,
            ssl_handshake_timeout=handshake_s,
            ssl_shutdown_timeout=min(5.0, handshake_s) if handshake_s is not None else None,
        )
        self._listeners.append(listener)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let requests under way finish, cut what is left after the timeout."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in tuple(self.live):
            connection.drain()
        if self.live:
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=timeout_s)
        for connection in tuple(self.live):
            connection.abort()
        # One turn for the connections to be told, then nothing of ours is left in the loop.
        await asyncio.sleep(0)
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def new_id(self) -> str:
        """Return a request id that no other request of this server has."""
        self._next_id = number = (self._next_id + 1) & 0xFFFF_FFFF_FFFF_FFFF
        return f"{number:016X}"

    def forget(self, connection: Connection) -> None:
        """Note that a connection is over."""
        self.live.discard(connection)
        if not self.live and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def failed(self, request: Request, error: BaseException) -> Response:
        """Return the answer to a request whose handler raised; log it unless the client did it."""
        if isinstance(error, BodyTimeout):
            return self.refusal(400, "RequestTimeout", "The body came too slowly.", request.id)
        if isinstance(error, BodyTooLarge):
            return self.refusal(400, "EntityTooLarge", "The body is too large.", request.id)
        if isinstance(error, BodyError):
            return self.refusal(400, "IncompleteBody", "The body is incomplete.", request.id)
        log.error("%s %r failed", request.method, request.raw_path, exc_info=error)
        return self.refusal(500, "InternalError", "We encountered an internal error.", request.id)

    def _set_clock(self) -> None:
        # Deadlines are set from these without asking the clock; a step is added, so that none is
        # early.
        limits = self.limits
        self.clock = now = time.monotonic()
        now += self.sweep_s
        self.header_due = now + limits.header_timeout_s
        self.idle_due = now + limits.idle_timeout_s
        self.body_due = now + limits.body_timeout_s
        self.write_due = now + limits.write_timeout_s
        self.linger_due = now + limits.linger_timeout_s
        self.discard_due = now + limits.discard_timeout_s

    def _sweep(self) -> None:
        """Expire what is overdue, once per step: cheaper than a timer per request."""
        self._sweep_timer = self.loop.call_later(self.sweep_s, self._sweep)
        self._set_clock()
        now = self.clock
        for connection in [late for late in self.live if late.due <= now]:
            connection.expire()


def _shortest_timeout(limits: HttpLimits) -> float:
    return min(
        limits.header_timeout_s,
        limits.idle_timeout_s,
        limits.body_timeout_s,
        limits.write_timeout_s,
        limits.linger_timeout_s,
        limits.discard_timeout_s,
    )


def _descriptor_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return max(16, soft - _DESCRIPTORS_KEPT)
