"""One client connection: heads in, answers out in order, and every way in which that can end.

States: IDLE waits for a head, GATHER for the rest of a small body, BUSY while a request is handled
or answered, SKIP drops the unread rest of a small body, LINGER drops what a refused client still
sends until it has read the answer, CLOSING flushes, CLOSED is over.

Invariants: bytes received but not yet used are in `stash`, in order; while BUSY at most one receive
buffer is stashed, then reading stops; a request is handled only when the answer before it has left
this process or, under TLS, fills a bounded buffer at most; nothing raises into the loop.
"""

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any, cast

from neve.answer import Response
from neve.errors import BodyError, BodyMalformed, BodyTimeout, BodyTruncated
from neve.server.http_answer import (
    BUSY,
    CLOSED,
    CLOSING,
    GATHER,
    IDLE,
    SKIP,
    AnswerSide,
    guarded,
)
from neve.server.http_body import NO_BODY, Body
from neve.server.http_chunked import ChunkDecoder, decode_whole
from neve.server.http_errors import HttpRefused, bad_request
from neve.server.http_request import (
    Request,
    body_length,
    check_partial,
    expects_continue,
    parse_head,
)
from neve.server.visitors import HEADER, introduce

_TLS_BUFFER_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(AnswerSide):
    """The protocol object of one socket."""

    __slots__ = ()

    @guarded
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first head; turn the client away when there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if isinstance(peer, tuple) else ""
        server = self.server
        server.live.add(self)
        self.due = server.header_due
        # On a plain socket any unsent byte pauses: sendfile must never overtake it.
        self.transport.set_write_buffer_limits(high=_TLS_BUFFER_BYTES if self.secure else 0)
        if len(server.live) > server.connections_max:
            self.refuse(HttpRefused(503, "SlowDown", "There are too many connections."))
        elif server.draining:
            self.transport.close()

    @guarded
    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader of a body, the sender of an answer and the accounts."""
        if self.state == GATHER:
            self.server.gathered_bytes -= self.need
        self.state = CLOSED
        self.due = inf
        self.stash = None
        if self.body is not None:
            self.body.cut(BodyTruncated())
        self.lose_answer()
        self.server.forget(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the receive buffer of the process: it is used up before anyone else reads."""
        return self.window

    def buffer_updated(self, nbytes: int) -> None:
        """Use what was received, according to the state."""
        try:
            state = self.state
            if state == IDLE:
                if self.stash is None:
                    server = self.server
                    self._handle_heads(server.buffer, server.window, nbytes)
                    if not self.reading:
                        self.proceed()
                else:
                    self.stash += self.window[:nbytes]
                    self.proceed()
            elif state == BUSY:
                self._receive_body(self.window[:nbytes])
            elif state == GATHER:
                assert self.stash is not None
                self.stash += self.window[:nbytes]
                if len(self.stash) >= self.need:
                    self._gathered(None)
            elif state == SKIP:
                self._keep(self.window[:nbytes])
                self.proceed()
        except Exception as error:  # noqa: BLE001
            self.crash(error)

    @guarded
    def eof_received(self) -> bool:
        """Finish what a half-closed client is owed; return whether to keep the socket for that."""
        self.eof = True
        if self.state == GATHER:
            self._gathered(BodyTruncated())
        elif self.state == BUSY:
            body = self.body
            if body is not None and body.wants():
                body.cut(BodyTruncated())
        # TLS cannot be half-closed.
        return not self.secure and self.state == BUSY

    @guarded
    def expire(self) -> None:
        """Act on a deadline that has passed. Called by the sweep."""
        state = self.state
        if state == IDLE and self.stash is not None:
            self.refuse(HttpRefused(408, "RequestTimeout", "The request head took too long."))
        elif state == GATHER:
            self._gathered(BodyTimeout())
        elif state == BUSY:
            if self.response is not None:
                self.check_writing()
            else:
                self._check_body()
        elif state == CLOSING:
            self.abort()
        else:
            self.state = CLOSING
            self.due = self.server.write_due
            self.transport.close()

    def drain(self) -> None:
        """Close if nothing is under way."""
        if self.state == IDLE and self.stash is None:
            self._close(linger=False)

    def proceed(self) -> None:
        """Use the stash as far as the state allows, then read on if more is wanted."""
        if self.looping:
            return
        while self.stash is not None:
            if self.state == SKIP:
                try:
                    self.skip_stash()
                except BodyMalformed:
                    self._close(linger=True)
                    return
                if self.body is not None:
                    break
                self._skipped()
            elif self.state == IDLE:
                stash, self.stash = self.stash, None
                self._handle_heads(stash, memoryview(stash), len(stash))
                if self.scanned:
                    # What is left is the start of a head.
                    break
            else:
                break
        if self.state not in (IDLE, GATHER, SKIP):
            return
        if not self.eof:
            self.resume_reading()
        elif self.state == GATHER:
            self._gathered(BodyTruncated())
        else:
            self._close(linger=False)

    def new_future(self) -> "asyncio.Future[None]":
        """Return a future of this connection's loop."""
        return self.loop.create_future()

    def body_wanted(self) -> None:
        """Deliver the body bytes in hand, then let the socket deliver the rest."""
        body = self.body
        if self.state != BUSY or body is None or self.response is not None:
            if body is not None:
                body.cut(BodyTruncated())
            return
        if body.expects_continue:
            body.expects_continue = False
            self.write(_CONTINUE)
        stash, self.stash = self.stash, None
        if stash is not None:
            used = body.take(memoryview(stash))
            if used < len(stash):
                self.stash = stash[used:]
        if not body.wants():
            self.due = inf
        elif self.eof:
            body.cut(BodyTruncated())
        else:
            clock = self.server.clock
            body.progress_at = body.window_start = clock
            body.window_received = body.received
            self.due = self.server.body_due
            self.window = self.server.window
            self.resume_reading()

    def body_refused(self) -> None:
        """Stop reading: the consumer wants no more of the body."""
        self.due = inf
        if self.state == BUSY:
            self.pause_reading()

    def _handle_heads(self, data: bytearray, view: memoryview, end: int) -> None:
        """Handle the heads in `data[:end]` while answers are immediate; stash what is left."""
        self.looping = True
        at = 0
        try:
            while at < end and self.state == IDLE:
                if data.startswith(b"\r\n", at, end):
                    # A sloppy client's empty line after its body.
                    at += 2
                    continue
                stop = data.find(b"\r\n\r\n", max(at, self.scanned), end)
                if stop < 0:
                    self._keep_partial(view[at:end])
                    return
                self.scanned = 0
                at = self._handle(bytes(view[at:stop]), view, stop + 4, end)
        except HttpRefused as refused:
            self.refuse(refused)
            return
        finally:
            self.looping = False
        if at < end and self.state == BUSY:
            self._keep(view[at:end])

    def _handle(self, head: bytes, view: memoryview, at: int, end: int) -> int:
        """Start the request of a head; return where the input after it goes on."""
        server = self.server
        request = parse_head(head, server.limits)
        request.client = self.client
        request.secure = self.secure
        request.id = server.new_id()
        headers = request.headers
        if HEADER in headers:
            introduce(request, server.visitor_token)
        if b"content-length" in headers or b"transfer-encoding" in headers:
            at = self._open_body(request, view, at, end)
            if self.state == GATHER:
                return at
        else:
            request.body = NO_BODY
        self._call(request)
        return at

    def _open_body(self, request: Request, view: memoryview, at: int, end: int) -> int:
        """Set the request's body; return where the input after what is in hand of it goes on."""
        server = self.server
        length = body_length(request)
        waits = expects_continue(request)
        have = end - at
        if length is None:
            try:
                whole = decode_whole(view[at:end], server.limits.trailer_bytes_max)
            except BodyMalformed as error:
                raise bad_request(str(error)) from error
            if whole is not None:
                request.body = Body(None, self, whole[0])
                return at + whole[1]
        elif have >= length:
            request.body = Body(length, self, bytes(view[at : at + length])) if length else NO_BODY
            return at + length
        self.stash = bytearray(view[at:end]) if have else None
        if length is not None and not waits and self._may_gather(length):
            self.request = request
            self.state = GATHER
            self.due = server.body_due
            self.need = length
            self.stash = self.stash or bytearray()
            server.gathered_bytes += length
            return end
        decoder = ChunkDecoder(server.limits.trailer_bytes_max) if length is None else None
        self.body = request.body = Body(
            length, self, decoder=decoder, expects_continue=waits and not have
        )
        self.pause_reading()
        return end

    def _may_gather(self, length: int) -> bool:
        server = self.server
        limits = server.limits
        total = server.gathered_bytes + length
        return length <= limits.gather_bytes_max and total <= limits.gather_total_bytes_max

    def _gathered(self, error: BodyError | None) -> None:
        """Start the request whose small body is complete, or will never be."""
        request, stash, need = self.request, self.stash, self.need
        assert request is not None and stash is not None
        self.server.gathered_bytes -= need
        self.state = IDLE
        if error is None:
            request.body = Body(need, self, bytes(memoryview(stash)[:need]))
            self.stash = stash[need:] if len(stash) > need else None
        else:
            self.body = request.body = Body(need, self)
            request.body.cut(error)
            self.pause_reading()
        self.looping = True
        try:
            self._call(request)
        finally:
            self.looping = False
        if self.stash is not None and self.state == BUSY:
            self.pause_reading()
        self.proceed()

    def _call(self, request: Request) -> None:
        """Run the handler: to its answer if that is at hand, else as a task."""
        server = self.server
        self.state = BUSY
        self.due = inf
        self.request = request
        server.requests_in_flight += 1
        try:
            result = server.handler(request)
        except Exception as error:  # noqa: BLE001
            result = server.failed(request, error)
        if isinstance(result, Response):
            self.answer(request, result)
        else:
            self.task = self.loop.create_task(self._run(request, result))

    async def _run(self, request: Request, running: Coroutine[Any, Any, Response]) -> None:
        server = self.server
        try:
            response = await running
            if not isinstance(response, Response):
                raise TypeError(f"the handler returned {type(response).__name__}")
        except BodyTruncated as error:
            self.abandon(server.failed(request, error))
            return
        except Exception as error:  # noqa: BLE001
            response = server.failed(request, error)
        finally:
            self.task = None
        try:
            self.answer(request, response)
            self.proceed()
        except Exception as error:  # noqa: BLE001
            self.crash(error)

    def _receive_body(self, view: memoryview) -> None:
        body = self.body
        if body is None or not body.wants():
            self._keep(view)
            return
        body.progress_at = self.server.clock
        used = body.take(view)
        if used < len(view):
            self._keep(view[used:])
        elif not body.wants() and not body.complete:
            self.pause_reading()
        if not body.wants():
            self.due = inf

    def _check_body(self) -> None:
        """End a pump that starves; the handler then answers."""
        body = self.body
        if body is None or not body.wants():
            self.due = inf
            return
        server = self.server
        now = server.clock
        # The clock is up to one step behind when progress is noted.
        silence_s = server.limits.body_timeout_s + server.sweep_s
        window_s = now - body.window_start
        if window_s >= silence_s:
            if body.received - body.window_received < server.limits.body_rate_min * window_s:
                body.cut(BodyTimeout())
                return
            body.window_start = now
            body.window_received = body.received
        if now - body.progress_at >= silence_s:
            body.cut(BodyTimeout())
            return
        self.due = body.progress_at + silence_s

    def _skipped(self) -> None:
        """Be idle again: the unread body is gone."""
        self.state = IDLE
        self.due = self.server.idle_due
        self.window = self.server.head_window

    def _keep_partial(self, view: memoryview) -> None:
        if not self.scanned:
            self.due = self.server.header_due
        self.stash = bytearray(view)
        self.scanned = max(1, len(view) - 3)
        check_partial(self.stash, self.server.limits)

    def _keep(self, view: memoryview) -> None:
        """Stash input for later and stop reading until it is used."""
        if self.stash is None:
            self.stash = bytearray(view)
        else:
            self.stash += view
        self.pause_reading()
