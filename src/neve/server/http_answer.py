"""The way out of a connection: one answer at a time, its head, its body, and what comes after it.

Invariants: at most one answer is on its way; the transport holds a bounded amount of it (on a plain
socket nothing is added until it is empty); an answer whose body cannot be completed cuts the
connection; `on_done` is called once per answered request, also when the client did not wait for it.
"""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from neve.answer import Response, header_block
from neve.errors import BodyError, BodyMalformed
from neve.server.http_body import Body
from neve.server.http_errors import HttpRefused
from neve.server.http_request import Request
from neve.server.http_response import BODILESS, drop_spans, given_length
from neve.server.http_span import SpanSender, read_warm
from neve.spans import Span, Spans

if TYPE_CHECKING:
    from neve.server.http import HttpServer

log = logging.getLogger("neve.http")

IDLE, GATHER, BUSY, SKIP, LINGER, CLOSING, CLOSED = range(7)
# Head and body up to here are joined for one write; above, the copy costs more than it saves.
_JOIN_BYTES = 64 * 1024
_TURN_BYTES = 256 * 1024


Method = TypeVar("Method", bound=Callable[..., Any])


def guarded(method: Method) -> Method:
    """Let nothing raise into the loop: a defect of ours costs its own connection only."""

    @functools.wraps(method)
    def call(self: "AnswerSide", *args: Any) -> Any:
        try:
            return method(self, *args)
        except Exception as error:  # noqa: BLE001
            self.crash(error)
            return None

    return cast("Method", call)


class AnswerSide(asyncio.BufferedProtocol):
    """State of a connection and everything it does to answer. `Connection` adds the way in."""

    __slots__ = (
        "server",
        "loop",
        "transport",
        "fd",
        "client",
        "secure",
        "state",
        "due",
        "window",
        "stash",
        "scanned",
        "need",
        "request",
        "response",
        "body",
        "sender",
        "task",
        "keep",
        "paused",
        "reading",
        "looping",
        "eof",
        "written",
        "progress",
        "unpaused",
        "sent",
        "flushing",
    )

    transport: asyncio.Transport

    def __init__(self, server: "HttpServer") -> None:
        self.server = server
        self.loop = server.loop
        self.fd = -1
        self.client = ""
        self.secure = server.secure
        self.state = IDLE
        self.due = inf
        self.window = server.head_window
        self.stash: bytearray | None = None
        self.scanned = 0
        self.need = 0
        self.request: Request | None = None
        self.response: Response | None = None
        self.body: Body | None = None
        self.sender: SpanSender | None = None
        self.task: asyncio.Task[None] | None = None
        self.keep = True
        self.paused = False
        self.reading = True
        self.looping = False
        self.eof = False
        self.written = 0
        self.progress = 0
        self.unpaused: asyncio.Future[None] | None = None
        self.sent = 0
        self.flushing = False

    def proceed(self) -> None:
        """Go on with the input after an answer; a no-op inside the loop over heads."""
        raise NotImplementedError

    def answer(self, request: Request, response: Response) -> None:
        """Send the response; ends in `_finish`, at once or when all of it is on its way."""
        self.response = response
        self.sent = 0
        if self.state == CLOSED:
            self._drop(response)
            self._account()
            return
        keep = request.keep_alive and not response.close and not self.server.draining
        if self.body is not None:
            keep = self._settle_body(self.body) and keep
        try:
            head = self._render(request, response, keep)
        except Exception as error:  # noqa: BLE001
            self._drop(response)
            self.response = response = self.server.failed(request, error)
            head = self._render(request, response, False)
        self.due = self.server.write_due
        body = response.body
        if request.method == "HEAD" or response.status in BODILESS:
            self._drop(response)
            self._send_bytes(head, b"")
        elif isinstance(body, bytes):
            self._send_bytes(head, body)
        elif isinstance(body, list):
            self._send_spans(head, body)
        else:
            self.task = self.loop.create_task(self._send_stream(head, body))

    def refuse(self, error: HttpRefused) -> None:
        """Answer what is not a request that the handler could see, and close."""
        server = self.server
        request_id = server.new_id()
        response = server.refusal(error.status, error.code, error.message, request_id)
        assert isinstance(response.body, bytes)
        length = len(response.body)
        head = server.heads.render(response, request_id, "GET", "1.1", False, length)
        self.write(head + response.body)
        self._close(linger=True)

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        self.written += len(data)
        self.transport.write(data)

    def span_pool(self) -> Executor:
        """Return the threads that wait for the disk."""
        return self.server.pool

    def pause_writing(self) -> None:
        """Note that the transport holds unsent bytes."""
        self.paused = True

    @guarded
    def resume_writing(self) -> None:
        """Go on with the answer."""
        self.paused = False
        if self.sender is not None:
            self.sender.turn()
        elif self.unpaused is not None:
            if not self.unpaused.done():
                self.unpaused.set_result(None)
        elif self.flushing:
            self._finish()
            self.proceed()

    def spans_sent(self) -> None:
        """Finish the answer: its spans are on their way."""
        assert self.sender is not None
        self.sent = self.sender.sent
        self.sender = None
        self._flush()
        self.proceed()

    def spans_failed(self, error: BaseException) -> None:
        """Cut the connection: the promised bytes cannot be sent."""
        # TimeoutError is the kernel's word for a peer that stopped acknowledging.
        if not isinstance(error, (ConnectionError, TimeoutError)):
            log.error("an answer to %s was cut short", self.client, exc_info=error)
        self.abort()

    def abort(self) -> None:
        """Cut the connection without flushing."""
        if self.state != CLOSED:
            self.due = inf
            self.transport.abort()

    def abandon(self, response: Response) -> None:
        """Cut the connection of a client that did not wait for its answer."""
        self.response = response
        self.sent = 0
        self._account()
        self.abort()

    def crash(self, error: BaseException) -> None:
        """Log a defect of ours and cut the connection."""
        log.error("the connection from %s failed", self.client, exc_info=error)
        self.abort()

    def pause_reading(self) -> None:
        """Leave further input in the kernel, so that the client feels it."""
        if self.reading:
            self.reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take input again, unless the client has sent all it ever will."""
        if not self.reading and not self.eof and self.state != CLOSED:
            self.reading = True
            self.transport.resume_reading()

    def check_writing(self) -> None:
        """Cut a client that took nothing of its answer since the last check."""
        sender = self.sender
        if self.paused or (sender is not None and sender.waiting):
            sent = sender.sent if sender is not None else 0
            progress = self.written + sent - self.transport.get_write_buffer_size()
            if progress == self.progress:
                self.abort()
                return
            self.progress = progress
        self.due = self.server.write_due

    def lose_answer(self) -> None:
        """Account for an answer whose client is gone, and free what it holds."""
        sender, self.sender = self.sender, None
        if sender is not None:
            self.sent = sender.sent
            sender.close()
        if self.unpaused is not None and not self.unpaused.done():
            self.unpaused.set_result(None)
        if self.response is not None:
            self._account()

    def _render(self, request: Request, response: Response, keep: bool) -> bytes:
        body = response.body
        length: int | None = None
        if isinstance(body, bytes):
            length = len(body)
        elif isinstance(body, list):
            length = sum([span.length for span in body])
        elif request.version == "1.0" and given_length(header_block(response.headers)) is None:
            keep = False
        self.keep = keep
        return self.server.heads.render(
            response, request.id, request.method, request.version, keep, length
        )

    def _settle_body(self, body: Body) -> bool:
        """Decide what becomes of the unread body; return whether the connection can be kept."""
        if body.complete:
            self.body = None
            return True
        if body.pumping:
            body.cut(BodyError("the request was answered before its body was read"))
        if body.failed or body.expects_continue or self.eof:
            return False
        in_hand = len(self.stash) if self.stash is not None else 0
        left = body.left
        if left is not None:
            return left - in_hand <= self.server.limits.discard_bytes_max
        try:
            self.skip_stash()
        except BodyMalformed:
            return False
        return self.body is None

    def skip_stash(self) -> None:
        """Drop from the stash what belongs to the unread body. Raises BodyMalformed."""
        body, stash = self.body, self.stash
        if body is None or stash is None:
            return
        used = body.skip(memoryview(stash))
        # A copy, for a bytearray cannot be cut while a view of it lives.
        self.stash = stash[used:] if used < len(stash) else None
        if body.complete:
            self.body = None

    def _send_bytes(self, head: bytes, body: bytes) -> None:
        self.sent = size = len(body)
        self.written += len(head) + size
        if size <= _JOIN_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        if self.paused:
            self.flushing = True
        else:
            self._finish()

    def _send_spans(self, head: bytes, spans: Spans) -> None:
        span = spans[0] if len(spans) == 1 else None
        if type(span) is Span and span.length <= _JOIN_BYTES:
            data = read_warm(span.fd, span.offset, span.length)
            if data is not None and len(data) == span.length:
                span.release()
                self.sent = span.length
                self.write(b"".join((head, data)))
                self._flush()
                return
        self.write(head)
        self.sender = SpanSender(self, spans, -1 if self.secure else self._socket())
        self.sender.turn()

    def _socket(self) -> int:
        if self.fd < 0:
            self.fd = self.transport.get_extra_info("socket").fileno()
        return self.fd

    async def _send_stream(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        response, request = self.response, self.request
        assert response is not None and request is not None
        left = given_length(header_block(response.headers))
        chunked = left is None and request.version == "1.1"
        try:
            self.write(head)
            async for piece in body:
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        raise ValueError("the stream is longer than its Content-Length")
                if not await self._send_piece(piece, chunked):
                    break
            else:
                if left:
                    raise EOFError("the stream is shorter than its Content-Length")
                if chunked:
                    self.write(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001
            self.crash(error)
        finally:
            await _close_stream(body)
            self.task = None
        if self.state == BUSY and self.response is response:
            self._flush()
            self.proceed()

    async def _send_piece(self, piece: bytes, chunked: bool) -> bool:
        """Send a piece when the transport can take it; return whether the client is still there."""
        if self.transport.is_closing():
            return False
        if piece:
            before = self.sent
            self.sent += len(piece)
            self.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if before // _TURN_BYTES != self.sent // _TURN_BYTES:
                # Neither the stream nor the socket may ever wait: let others have their turn.
                await asyncio.sleep(0)
        if self.paused and self.state != CLOSED:
            self.unpaused = self.loop.create_future()
            await self.unpaused
            self.unpaused = None
        return self.state != CLOSED

    def _flush(self) -> None:
        """Finish the answer now, or when the transport has got rid of it."""
        if self.paused:
            self.flushing = True
        else:
            self._finish()

    def _finish(self) -> None:
        """Account for the answer and decide what the connection does next."""
        self.flushing = False
        self._account()
        server = self.server
        if not self.keep or server.draining:
            self._close(linger=self.body is not None)
        elif self.body is not None:
            self.state = SKIP
            self.due = server.discard_due
            self.window = server.window
        else:
            self.state = IDLE
            self.due = server.idle_due
            self.window = server.head_window

    def _close(self, linger: bool) -> None:
        """End the connection; `linger` when the client may still be sending.

        Closing with unread input would reset the connection and could destroy the answer.
        """
        self.stash = None
        self.body = None
        if self.eof or not linger:
            self.state = CLOSING
            self.due = self.server.write_due
            self.transport.close()
            return
        self.state = LINGER
        self.due = self.server.linger_due
        self.window = self.server.window
        if not self.secure:
            self.transport.write_eof()
        self.resume_reading()

    def _account(self) -> None:
        request, response = self.request, self.response
        self.request = self.response = None
        server = self.server
        server.requests_in_flight -= 1
        if server.on_done is not None:
            assert request is not None and response is not None
            try:
                server.on_done(request, response, self.sent, perf_counter() - request.started)
            except Exception as error:
                log.error("on_done failed", exc_info=error)

    @staticmethod
    def _drop(response: Response) -> None:
        if isinstance(response.body, list):
            drop_spans(response.body)


async def _close_stream(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        try:
            await close()
        except Exception as error:
            log.error("a stream did not close", exc_info=error)
