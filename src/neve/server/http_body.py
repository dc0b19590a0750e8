"""The body of a request on its way in: from the receive buffer to the consumer, without copies.

A connection pushes what it received through `take`; a consumer asks for it with `pump`.
Invariants: pieces reach the consumer in order and once; no piece is delivered while a future that
`feed` returned is pending; `pump` never returns normally unless every byte was fed and settled.
"""

from asyncio import Future
from collections.abc import Callable
from typing import Any, Protocol

from neve.errors import BodyError, BodyMalformed, BodyTooLarge
from neve.server.http_chunked import ChunkDecoder

Feed = Callable[[memoryview], "Future[Any] | None"]


class BodySource(Protocol):
    """What a body needs of its connection."""

    def new_future(self) -> "Future[None]":
        """Return a future of the connection's loop."""

    def body_wanted(self) -> None:
        """Deliver what is in hand through `take`, then read on. Also after each pending feed."""

    def body_refused(self) -> None:
        """Stop reading: the consumer wants no more."""


class Body:
    """The body of one request. `length` is None while chunked framing hides it."""

    __slots__ = (
        "length",
        "consumed",
        "received",
        "expects_continue",
        "window_start",
        "window_received",
        "progress_at",
        "_source",
        "_ready",
        "_left",
        "_decoder",
        "_feed",
        "_hold",
        "_waiter",
        "_error",
        "_started",
    )

    def __init__(
        self,
        length: int | None,
        source: BodySource | None,
        ready: bytes | None = None,
        decoder: ChunkDecoder | None = None,
        expects_continue: bool = False,
    ) -> None:
        self.length = length
        self.consumed = ready == b""
        self.received = 0
        self.expects_continue = expects_continue
        # The connection's accounts of progress.
        self.window_start = 0.0
        self.window_received = 0
        self.progress_at = 0.0
        self._source = source
        self._ready = ready
        self._left = length or 0
        self._decoder = decoder
        self._feed: Feed | None = None
        self._hold: Future[Any] | None = None
        self._waiter: Future[None] | None = None
        self._error: BaseException | None = None
        self._started = False

    @property
    def ready(self) -> bytes | None:
        """The whole body if it arrived with the head, else None."""
        return self._ready

    @property
    def complete(self) -> bool:
        """Whether the last byte of the body has left the socket."""
        if self._ready is not None:
            return True
        return self._decoder.done if self._decoder is not None else not self._left

    @property
    def left(self) -> int | None:
        """Bytes still to come; None when chunked and not complete."""
        if self._ready is not None:
            return 0
        return self._left if self._decoder is None else (0 if self._decoder.done else None)

    @property
    def failed(self) -> bool:
        """Whether the rest of the body can no longer be told from the next request."""
        return self._error is not None

    def wants(self) -> bool:
        """Whether `take` may be called now."""
        return self._feed is not None and self._hold is None

    @property
    def pumping(self) -> bool:
        """Whether a consumer is waiting for the rest."""
        return self._waiter is not None and not self._waiter.done()

    async def pump(self, feed: Feed) -> None:
        """Deliver the whole body through `feed`, whose memoryview is valid during the call only.

        Delivery rests while a future that `feed` returned is pending. What `feed` or that future
        raises comes out here. Raises BodyTruncated, BodyTimeout, BodyMalformed.
        """
        # NO_BODY is shared by all requests that have none, so nothing may be read again and again.
        if self._started and self._ready != b"":
            raise RuntimeError("the body was read before")
        self._started = True
        if self._ready is not None:
            settled = feed(memoryview(self._ready)) if self._ready else None
            if settled is not None:
                await settled
            self.consumed = True
            return
        if self._error is not None:
            raise self._error
        assert self._source is not None
        self._feed = feed
        self._waiter = waiter = self._source.new_future()
        try:
            self._source.body_wanted()
            await waiter
            self.consumed = True
        finally:
            self._feed = None
            if not self.consumed:
                self._source.body_refused()

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises BodyTooLarge if it has more than `limit` bytes."""
        if self.length is not None and self.length > limit:
            raise BodyTooLarge
        if self._ready is not None and not (self._started and self._ready):
            if len(self._ready) > limit:
                raise BodyTooLarge
            self._started = self.consumed = True
            return self._ready
        data = bytearray()

        def collect(piece: memoryview) -> None:
            if len(data) + len(piece) > limit:
                raise BodyTooLarge
            data.extend(piece)

        await self.pump(collect)
        return bytes(data)

    def take(self, view: memoryview) -> int:
        """Feed what belongs to the body and return how many bytes of `view` were used.

        Less than all are used when the body ends, when `feed` returned a pending future, or when it
        raised. To be called only while it `wants`.
        """
        if self._decoder is None:
            used = min(len(view), self._left)
            self._left -= used
            if used:
                self._deliver(view[:used])
        else:
            used = self._take_chunked(view)
        self.received += used
        if self.complete and self._hold is None:
            self._settle(None)
        return used

    def skip(self, view: memoryview) -> int:
        """Throw away what belongs to the body and return how many bytes of `view` that was.

        Raises BodyMalformed.
        """
        if self._decoder is None:
            used = min(len(view), self._left)
            self._left -= used
            return used
        at = 0
        while True:
            start, at = self._decoder.step(view, at)
            if start == at:
                return at

    def cut(self, error: BodyError) -> None:
        """End the body with an error, once nothing that was fed is pending."""
        if self.complete:
            return
        if self._error is None:
            self._error = error
        if self._hold is None:
            self._settle(self._error)

    def _take_chunked(self, view: memoryview) -> int:
        at = 0
        assert self._decoder is not None
        try:
            while self.wants():
                start, at = self._decoder.step(view, at)
                if start == at:
                    break
                self._deliver(view[start:at])
        except BodyMalformed as error:
            self._error = error
            self._settle(error)
            at = len(view)
        return at

    def _deliver(self, piece: memoryview) -> None:
        assert self._feed is not None
        try:
            settled = self._feed(piece)
            if settled is None:
                return
            if settled.done():
                settled.result()
                return
        except Exception as error:  # noqa: BLE001
            self._settle(error)
            return
        self._hold = settled
        settled.add_done_callback(self._fed)

    def _fed(self, settled: "Future[Any]") -> None:
        self._hold = None
        if settled.cancelled():
            self._settle(RuntimeError("the future that feed returned was cancelled"))
        elif settled.exception() is not None:
            self._settle(settled.exception())
        elif self.complete or self._error is not None:
            self._settle(None if self.complete else self._error)
        elif self._feed is not None:
            assert self._source is not None
            self._source.body_wanted()

    def _settle(self, error: BaseException | None) -> None:
        self._feed = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


NO_BODY = Body(0, None, b"")
