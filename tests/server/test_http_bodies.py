"""Bodies in: delivery, back-pressure, truncation, refusal before the end, Expect."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from neve.server.http import (
    BodyMalformed,
    BodyTimeout,
    BodyTooLarge,
    BodyTruncated,
    HttpLimits,
    Request,
    Response,
)

from .http_live import Client, Live, live

MIB = 1 << 20
PUT = b"PUT /k HTTP/1.1\r\nHost: h\r\n"
# Bodies are not collected before the handler runs: what is tested is the pump.
STREAMED = HttpLimits(gather_bytes_max=0)


class Sink:
    """A handler that pumps the body through `feed` and notes how that ended."""

    def __init__(self, feed: Callable[[memoryview], Any] | None = None) -> None:
        self.data = bytearray()
        self.pieces = 0
        self.errors: list[BaseException] = []
        self.ready: list[bytes | None] = []
        self._feed = feed

    def __call__(self, request: Request) -> Any:
        return self._serve(request)

    async def _serve(self, request: Request) -> Response:
        self.ready.append(request.body.ready)
        try:
            await request.body.pump(self._take)
        except Exception as error:
            self.errors.append(error)
            raise
        assert request.body.consumed
        return Response(200, (), b"%d" % len(self.data))

    def _take(self, piece: memoryview) -> Any:
        self.pieces += 1
        self.data += piece
        return self._feed(piece) if self._feed is not None else None


def sized(body: bytes, length: int | None = None) -> bytes:
    """Return a PUT of a body with Content-Length."""
    return PUT + b"Content-Length: %d\r\n\r\n%b" % (len(body) if length is None else length, body)


def chunked(body: bytes, seed: int = 1, extension: bytes = b"") -> bytes:
    """Return a PUT of a body in chunks of random sizes."""
    rng = random.Random(seed)
    parts = [PUT, b"Transfer-Encoding: chunked\r\n\r\n"]
    at = 0
    while at < len(body):
        piece = body[at : at + rng.randint(1, max(1, len(body) // 5))]
        parts.append(b"%X%b\r\n%b\r\n" % (len(piece), extension, piece))
        at += len(piece)
    return b"".join([*parts, b"000\r\nX-Trailer: a\r\n\r\n"])


@pytest.mark.parametrize("encode", [sized, chunked])
@pytest.mark.parametrize("size", [1, 100, 5000, 300_000, 3 * MIB])
def test_a_body_arrives_whole(encode: Callable[[bytes], bytes], size: int) -> None:
    body = random.Random(size).randbytes(size)
    sink = Sink()
    with live(sink) as server:
        client = server.connect()
        for _ in range(2):
            assert client.ask(encode(body)).body == b"%d" % len(sink.data)
            assert sink.data == body
            sink.data.clear()


def test_a_small_body_is_ready_however_it_arrives() -> None:
    sink = Sink()
    with live(sink) as server:
        client = server.connect()
        assert client.ask(sized(b"abc")).status == 200
        assert client.ask(chunked(b"abc")).status == 200
        head, _, _ = sized(b"abc").rpartition(b"abc")
        client.send(head)
        time.sleep(0.05)
        client.send(b"ab")
        time.sleep(0.05)
        assert client.ask(b"c").status == 200
        assert sink.ready == [b"abc"] * 3
        assert sink.data == b"abc" * 3


def test_collecting_bodies_has_a_total_bound() -> None:
    sink = Sink()
    with live(sink, HttpLimits(gather_total_bytes_max=5000)) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.send(sized(b"x" * 10, 2000))
        server.wait(lambda: sink.pieces == 1)
        assert server.inspect(lambda: server.server.gathered_bytes) == 4000
        for client in clients:
            assert client.ask(b"y" * 1990).status == 200
        assert sink.ready.count(None) == 1


@pytest.mark.parametrize("extension", [b"", b";a=b", b" ;chunk-signature=12"])
def test_chunks_split_at_every_byte(extension: bytes) -> None:
    sink = Sink()
    with live(sink, STREAMED) as server:
        client = server.connect()
        body = bytes(range(40))
        stream = chunked(body, 3, extension)
        for cut in range(len(stream) - 45, len(stream)):
            client.send(stream[:cut])
            time.sleep(0.001)
            assert client.ask(stream[cut:]).status == 200
            assert sink.data == body
            sink.data.clear()
        for index in range(len(stream)):
            client.send(stream[index : index + 1])
        assert client.reply().status == 200
        assert sink.data == body


BROKEN_CHUNKS = {
    "no size": b"\r\n",
    "not hex": b"g\r\n",
    "signed": b"+5\r\nhello\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "leading space": b" 5\r\nhello\r\n",
    "bare LF": b"5\nhello\r\n0\r\n\r\n",
    "bare CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "too long": b"5\r\nhelloo\r\n0\r\n\r\n",
    "data end without CR": b"5\r\nhello\n0\r\n\r\n",
    "huge": b"1000000000000000\r\n",
    "endless size line": b"5;" + b"a" * 3000,
    "control in extension": b"5;\0\r\nhello\r\n0\r\n\r\n",
    "bad trailer": b"0\r\nnot a trailer\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "huge trailers": b"0\r\n" + b"A: %b\r\n" % (b"b" * 900) * 30 + b"\r\n",
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_broken_chunks_end_the_pump_and_the_connection(name: str) -> None:
    sink = Sink()
    with live(sink) as server:
        client = server.connect()
        # A good chunk first, so that the handler runs before the framing breaks.
        client.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        server.wait(lambda: sink.pieces == 1)
        reply = client.ask(BROKEN_CHUNKS[name] + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        assert reply.status == 400
        assert client.at_end()
        assert [type(error) for error in sink.errors] == [BodyMalformed]
        server.wait(lambda: server.done)
        assert len(server.done) == 1


@pytest.mark.parametrize("encode", [sized, chunked])
@pytest.mark.parametrize("limits", [HttpLimits(), STREAMED])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("size", "cut"), [(1000, 1), (1000, 40), (2 * MIB, 1)])
def test_a_truncated_body_is_an_error(
    encode: Callable[[bytes], bytes], limits: HttpLimits, reset: bool, size: int, cut: int
) -> None:
    sink = Sink()
    with live(sink, limits) as server:
        client = server.connect()
        stream = encode(b"x" * size)
        client.send(stream[:-cut])
        if reset:
            server.wait(lambda: sink.pieces or server.server.gathered_bytes)
            client.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: close sends RST
        client.close()
        gathered = encode is sized and size < 64 * 1024 and limits is not STREAMED
        if reset and gathered:
            # Nobody is left to answer, and the handler had not begun.
            server.wait(lambda: not server.server.connections)
            return
        server.wait(lambda: sink.errors)
        assert [type(error) for error in sink.errors] == [BodyTruncated]
        server.wait(lambda: server.done)


def test_a_half_closed_client_gets_its_answer() -> None:
    sink = Sink()
    with live(sink) as server:
        client = server.connect()
        client.send(sized(b"y" * 200_000))
        client.sock.shutdown(1)
        assert client.reply().body == b"200000"
        assert client.at_end()


def test_delivery_rests_while_a_future_is_pending() -> None:
    pending: list[asyncio.Future[None]] = []

    def feed(piece: memoryview) -> asyncio.Future[None]:
        assert all(future.done() for future in pending)
        pending.append(asyncio.get_running_loop().create_future())
        return pending[-1]

    sink = Sink(feed)
    body = random.Random(5).randbytes(20 * MIB)
    with live(sink) as server:
        client = server.connect()
        sender = threading.Thread(target=client.send, args=(sized(body),))
        sender.start()
        server.wait(lambda: len(pending) == 1)
        server.run(asyncio.sleep(0.1))
        # The kernel's buffers are full and we hold one piece: the client is stopped.
        assert len(pending) == 1
        assert sender.is_alive()

        async def release() -> None:
            while len(sink.data) < len(body) or not pending[-1].done():
                if not pending[-1].done():
                    pending[-1].set_result(None)
                await asyncio.sleep(0)

        server.run(release())
        assert client.reply().body == b"%d" % len(body)
        sender.join()
        assert sink.data == body


@pytest.mark.parametrize("encode", [sized, chunked])
def test_feeding_a_thread_keeps_order(encode: Callable[[bytes], bytes]) -> None:
    kept = bytearray()
    with ThreadPoolExecutor(1) as pool:

        def feed(piece: memoryview) -> asyncio.Future[None]:
            copy = bytes(piece)
            return asyncio.get_running_loop().run_in_executor(pool, kept.extend, copy)

        body = random.Random(6).randbytes(4 * MIB)
        with live(Sink(feed)) as server:
            client = server.connect()
            assert client.ask(encode(body)).status == 200
            assert kept == body


@pytest.mark.parametrize("encode", [sized, chunked])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("size", [100, 100_000])
def test_what_feed_raises_comes_out_of_pump(
    encode: Callable[[bytes], bytes], later: bool, size: int
) -> None:
    def feed(piece: memoryview) -> asyncio.Future[None] | None:
        if not later:
            raise KeyError("no")
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, future.set_exception, KeyError("no"))
        return future

    sink = Sink(feed)
    with live(sink, STREAMED) as server:
        server.expected_logs = 1
        client = server.connect()
        reply = client.ask(encode(b"z" * size))
        assert (reply.status, b"InternalError" in reply.body) == (500, True)
        assert b"KeyError" not in reply.body
        assert [type(error) for error in sink.errors] == [KeyError]
        assert client.at_end()
        assert server.records[0].exc_info


def test_a_pump_that_is_cancelled_leaves_a_clean_connection() -> None:
    async def serve(request: Request) -> Response:
        try:
            async with asyncio.timeout(0.05):
                await request.body.pump(lambda piece: None)
        except TimeoutError:
            return Response(503)
        return Response(200)

    with live(serve) as server:
        client = server.connect()
        reply = client.ask(sized(b"a", 100_000))
        assert reply.status == 503
        # Little is missing: the connection is kept, and the rest is not taken for a request.
        assert client.ask(b"b" * 99_999 + sized(b"c")).status == 200


def test_read_has_a_limit() -> None:
    async def serve(request: Request) -> Response:
        try:
            return Response(200, (), await request.body.read(1000))
        except BodyTooLarge:
            return Response(413)

    for limits in (HttpLimits(), STREAMED):
        with live(serve, limits) as server:
            for encode in (sized, chunked):
                client = server.connect()
                assert client.ask(encode(b"d" * 1000)).body == b"d" * 1000
                assert client.ask(encode(b"d" * 1001)).status == 413


def test_continue_is_sent_when_the_body_is_wanted() -> None:
    wanted = threading.Event()

    async def serve(request: Request) -> Response:
        await asyncio.get_running_loop().run_in_executor(None, wanted.wait)
        return Response(200, (), await request.body.read(MIB))

    with live(serve) as server:
        client = server.connect()
        client.send(PUT + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
        client.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(10)
        wanted.set()
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.ask(b"hello").body == b"hello"
        # A client that did not wait needs no leave.
        whole = PUT + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhel"
        client.send(whole)
        time.sleep(0.05)
        client.send(b"lo")
        assert client.sock.recv(9) == b"HTTP/1.1 "
        assert client.sock.recv(3) == b"200"


def test_refusal_before_continue_closes() -> None:
    with live(lambda request: Response(403, (), b"no")) as server:
        client = server.connect()
        reply = client.ask(PUT + b"Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert (reply.status, reply.headers["connection"]) == (403, "close")
        assert client.at_end()


def refuse_now(request: Request) -> Response:
    """Answer without reading the body."""
    return Response(403, (), b"no")


async def refuse_later(request: Request) -> Response:
    """Answer from a task without reading the body."""
    await asyncio.sleep(0.01)
    return Response(403, (), b"no")


@pytest.mark.parametrize("handler", [refuse_now, refuse_later])
@pytest.mark.parametrize("encode", [sized, chunked])
def test_refusal_with_50_mb_in_flight_reaches_the_client(handler: Any, encode: Any) -> None:
    with live(handler) as server:
        client = server.connect()
        stream = encode(bytes(50 * MIB))
        # As http.client does: everything is sent before the answer is looked at.
        client.send(stream)
        reply = client.reply()
        assert (reply.status, reply.body, reply.headers["connection"]) == (403, b"no", "close")
        assert client.at_end()


@pytest.mark.parametrize("handler", [refuse_now, refuse_later])
def test_refusal_of_a_small_body_keeps_the_connection(handler: Any) -> None:
    with live(handler, STREAMED) as server:
        client = server.connect()
        for body in (b"a" * 10, b"b" * 200_000):
            assert client.ask(sized(body)).status == 403
            assert client.ask(chunked(body[:1000])).status == 403
        client.send(sized(b"", 100_000))
        assert client.reply().status == 403
        client.send(b"c" * 99_999)
        time.sleep(0.05)
        # The last byte of the body and the next request in one piece.
        assert client.ask(b"c" + sized(b"")).status == 403
        server.wait(lambda: len(server.done) == 6)


def starve(server: Live, client: Client) -> float:
    """Return how long an answer to a starving body takes."""
    started = time.monotonic()
    reply = client.reply()
    assert (reply.status, b"RequestTimeout" in reply.body) == (400, True)
    assert client.at_end()
    return time.monotonic() - started


@pytest.mark.parametrize("limits", [{}, {"gather_bytes_max": 0}])
def test_a_body_that_stops_is_ended(limits: dict[str, int]) -> None:
    sink = Sink()
    with live(sink, HttpLimits(body_timeout_s=0.3, **limits)) as server:
        for stream in (sized(b"abc", 10), sized(b"abc", 10_000_000), chunked(b"a" * 99)[:-30]):
            client = server.connect()
            client.send(stream)
            assert 0.2 < starve(server, client) < 2.0
        assert [type(error) for error in sink.errors] == [BodyTimeout] * 3


def test_a_body_that_trickles_is_ended() -> None:
    sink = Sink()
    with live(sink, HttpLimits(body_timeout_s=0.3, body_rate_min=10_000)) as server:
        client = server.connect()
        client.send(sized(b"", 1_000_000))
        deadline = time.monotonic() + 5
        while not server.inspect(lambda: sink.errors):
            assert time.monotonic() < deadline
            client.send(b"a")
            time.sleep(0.02)
        assert [type(error) for error in sink.errors] == [BodyTimeout]
        assert client.reply().status == 400


def test_a_slow_but_steady_body_is_let_through() -> None:
    sink = Sink()
    with live(sink, HttpLimits(body_timeout_s=0.3, body_rate_min=10, gather_bytes_max=0)) as server:
        client = server.connect()
        client.send(sized(b"", 100))
        for _ in range(100):
            client.send(b"a")
            time.sleep(0.012)
        assert client.reply().body == b"100"


def test_time_spent_by_the_consumer_is_not_the_clients() -> None:
    def feed(piece: memoryview) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.8, future.set_result, None)
        return future

    with live(Sink(feed), HttpLimits(body_timeout_s=0.2, gather_bytes_max=0)) as server:
        assert server.connect().ask(sized(b"abc")).status == 200


def test_work_after_the_body_is_finished_though_the_client_is_gone() -> None:
    committed = threading.Event()
    received = threading.Event()

    async def serve(request: Request) -> Response:
        await request.body.read(MIB)
        received.set()
        await asyncio.sleep(0.2)
        committed.set()
        return Response(200)

    with live(serve) as server:
        client = server.connect()
        client.send(sized(b"abc"))
        assert received.wait(10)
        client.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert committed.wait(10)
        server.wait(lambda: server.done)


def test_reading_a_body_twice_is_a_defect() -> None:
    async def serve(request: Request) -> Response:
        await request.body.read(MIB)
        with pytest.raises(RuntimeError):
            await request.body.read(MIB)
        return Response(200)

    with live(serve) as server:
        assert server.connect().ask(sized(b"abc")).status == 200
