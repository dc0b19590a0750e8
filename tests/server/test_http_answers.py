"""Answers out: heads, spans of files, streams, slow readers, and what happens when they fail."""

import asyncio
import os
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from neve.server import http_span
from neve.server.http import HttpLimits, LazySpan, Request, Response, Span

from .http_live import Live, live, make_certificate

MIB = 1 << 20
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"


class File:
    """A file of random bytes, and the count of spans of it that are out."""

    def __init__(self, path: Path, size: int) -> None:
        self.data = random.Random(size).randbytes(size)
        path.write_bytes(self.data)
        self.fd = os.open(path, os.O_RDONLY)
        self.taken = 0
        self.closed: Counter[int] = Counter()
        self.open_most = 0

    @property
    def open(self) -> int:
        """Spans handed out and not closed."""
        return self.taken - self.closed.total()

    def span(self, offset: int, length: int) -> Span:
        """Hand out a span that must be closed once."""
        number = self.taken
        self.taken += 1
        self.open_most = max(self.open_most, self.open)
        return Span(self.fd, offset, length, lambda: self.closed.update((number,)))

    def check_closed(self) -> None:
        """Fail unless every span was closed exactly once."""
        assert self.open == 0
        assert set(self.closed.values()) <= {1}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[File]:
    """A file of 8 MiB and a bit."""
    made = File(tmp_path_factory.mktemp("spans") / "data", 8 * MIB + 12345)
    yield made
    os.close(made.fd)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of the server and of a client that trusts it."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def answering(response: Any) -> Any:
    """Return a handler that makes its answer by calling `response`."""
    return lambda request: response()


def test_head_of_a_plain_answer() -> None:
    headers = [(b"ETag", b'"x"'), (b"x-amz-meta-u", "café".encode())]
    with live(answering(lambda: Response(206, headers, b"abc"))) as server:
        client = server.connect()
        client.send(GET)
        raw = client.sock.recv(4096)
        head, _, body = raw.partition(b"\r\n\r\n")
        assert body == b"abc"
        assert head.startswith(b"HTTP/1.1 206 Partial Content\r\nDate: ")
        assert b'\r\nETag: "x"\r\nx-amz-meta-u: caf\xc3\xa9\r\nContent-Length: 3' in head
        assert b"Connection" not in head


@pytest.mark.parametrize("bad", [b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\0b"])
def test_a_header_cannot_break_out_of_its_line(bad: bytes) -> None:
    headers = [(b"X-A", bad), (b"X-B", b"fine"), (b"X-" + bad, b"c")]
    with live(answering(lambda: Response(200, headers, b"abc"))) as server:
        reply = server.connect().ask(GET)
        assert reply.headers["x-a"].encode() == bad.translate(bytes.maketrans(b"\r\n\0", b"   "))
        assert reply.headers["x-evil"] is None
        assert (reply.headers["x-b"], reply.body) == ("fine", b"abc")
        assert {name.lower() for name in reply.headers} == {
            "date",
            "server",
            "x-amz-request-id",
            "x-a",
            "x-b",
            "content-length",
        }


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(status: int) -> None:
    with live(answering(lambda: Response(status, (), b"ignored"))) as server:
        client = server.connect()
        for _ in range(2):
            reply = client.ask(GET)
            assert (reply.status, reply.headers["content-length"]) == (status, None)


def test_head_has_the_length_and_no_body(file: File) -> None:
    bodies = iter(
        [
            Response(200, [(b"Content-Length", b"999")]),
            Response(404, (), b"<Error/>"),
            Response(200, (), [file.span(0, 70_000), file.span(5, 5)]),
        ]
    )
    with live(answering(lambda: next(bodies))) as server:
        client = server.connect()
        lengths = [client.ask(HEAD, "HEAD").headers["content-length"] for _ in range(3)]
        assert lengths == ["999", "8", "70005"]
        server.wait(lambda: len(server.done) == 3)
        file.check_closed()
        assert [done[2] for done in server.done] == [0, 0, 0]


@pytest.mark.parametrize("tls", [False, True])
def test_random_spans_are_exact(file: File, contexts: Any, tls: bool) -> None:
    rng = random.Random(9)
    plans = [[(0, len(file.data))], [(3, 65536)], [(3, 65537)], [(7, 0)], [(0, 1), (0, 0), (9, 9)]]
    for _ in range(25):
        plan = []
        for _ in range(rng.randint(1, 6)):
            length = min(int(2 ** rng.uniform(0, 22)), len(file.data))
            plan.append((rng.randint(0, len(file.data) - length), length))
        plans.append(plan)

    def serve(request: Request) -> Response:
        plan = plans[int(request.raw_path[1:])]
        return Response(200, (), [file.span(*part) for part in plan])

    with live(serve, context=contexts[0] if tls else None) as server:
        client = server.connect(contexts[1] if tls else None)
        for index, plan in enumerate(plans):
            reply = client.ask(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % index)
            assert reply.body == b"".join(file.data[at : at + size] for at, size in plan)
        # Pipelined, so that heads and spans of several answers follow each other.
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(len(plans))))
        for plan in plans:
            assert client.reply().body == b"".join(file.data[at : at + n] for at, n in plan)
        server.wait(lambda: len(server.done) == 2 * len(plans))
        assert [done[2] for done in server.done] == [sum(n for _, n in plan) for plan in plans] * 2
    file.check_closed()


@pytest.mark.parametrize("tls", [False, True])
def test_cold_files_are_sent_by_threads(
    file: File, contexts: Any, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every probe says that the pages are not there, as on a cold cache.
    monkeypatch.setattr(http_span, "_is_warm", lambda fd, offset, size: False)
    monkeypatch.setattr(http_span, "read_warm", lambda fd, offset, size: None)
    monkeypatch.setattr("neve.server.http_answer.read_warm", lambda fd, offset, size: None)

    def serve(request: Request) -> Response:
        return Response(200, (), [file.span(5, 100), file.span(0, 3 * MIB), file.span(1, 1)])

    with live(serve, context=contexts[0] if tls else None) as server:
        client = server.connect(contexts[1] if tls else None)
        for _ in range(2):
            assert client.ask(GET).body == file.data[5:105] + file.data[: 3 * MIB] + file.data[1:2]
        # A client that leaves while a thread sends.
        client.send(GET)
        client.close()
        server.wait(lambda: not server.server.connections and not file.open)
    file.check_closed()


def test_lazy_spans_are_opened_one_at_a_time(file: File) -> None:
    count = 300

    def serve(request: Request) -> Response:
        spans = [
            LazySpan(100_000, lambda at=index: file.span(at * 1000, 100_000))
            for index in range(count)
        ]
        return Response(200, (), [*spans])

    file.open_most = 0
    with live(serve) as server:
        client = server.connect()
        expected = b"".join(file.data[i * 1000 : i * 1000 + 100_000] for i in range(count))
        assert client.ask(GET).body == expected
        assert file.open_most == 1
    file.check_closed()


def test_a_lazy_span_of_another_length_cuts_the_answer(file: File) -> None:
    spans = [Span(file.fd, 0, 100_000), LazySpan(100_000, lambda: file.span(0, 99_999))]
    with live(answering(lambda: Response(200, (), [*spans]))) as server:
        server.expected_logs = 1
        client = server.connect()
        client.send(GET)
        received = client.file.read().partition(b"\r\n\r\n")[2]
        assert received == file.data[:100_000]
    file.check_closed()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("missing", [1, 1_000_000])
def test_a_file_shorter_than_its_span_cuts_the_answer(
    file: File, contexts: Any, tls: bool, missing: int
) -> None:
    size = len(file.data)
    start = size - 500_000 if missing == 1 else size
    span_size = size + missing - start

    def serve(request: Request) -> Response:
        return Response(200, (), [file.span(start, span_size), file.span(0, 100)])

    with live(serve, context=contexts[0] if tls else None) as server:
        server.expected_logs = 1
        client = server.connect(contexts[1] if tls else None)
        client.send(GET)
        try:
            received = client.file.read().partition(b"\r\n\r\n")[2]
        except (ConnectionError, ssl.SSLError):
            received = b""
        assert len(received) < span_size
        assert file.data[start:].startswith(received)
        server.wait(lambda: server.done)
    file.check_closed()


def test_spans_are_released_when_the_client_leaves(file: File) -> None:
    def serve(request: Request) -> Response:
        return Response(200, (), [file.span(0, 8 * MIB) for _ in range(4)])

    with live(serve) as server:
        client = server.connect(receive_bytes=4096)
        client.send(GET)
        client.sock.recv(100)
        assert server.inspect(lambda: file.open) == 4
        client.close()
        server.wait(lambda: server.done and not file.open)
        assert server.done[0][2] < 32 * MIB
    file.check_closed()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["spans", "stream"])
def test_a_slow_reader_holds_little_memory(file: File, contexts: Any, tls: bool, kind: str) -> None:
    produced = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(1000):
            produced += 65536
            yield file.data[:65536]

    def serve(request: Request) -> Response:
        if kind == "stream":
            return Response(200, (), stream())
        return Response(200, (), [file.span(0, 8 * MIB) for _ in range(8)])

    with live(serve, context=contexts[0] if tls else None) as server:
        client = server.connect(contexts[1] if tls else None, receive_bytes=4096)
        client.send(GET)
        client.sock.recv(100)
        held = []
        for _ in range(20):
            server.run(asyncio.sleep(0.005))
            transport = next(iter(server.server.live)).transport
            held.append(server.inspect(transport.get_write_buffer_size))
        assert max(held) < 256 * 1024
        # What left this process is in the kernel's socket buffers.
        assert produced < 16 * MIB
        client.close()
        server.wait(lambda: server.done)
    file.check_closed()


def test_a_client_that_reads_nothing_is_cut(file: File) -> None:
    def serve(request: Request) -> Response:
        if request.raw_path == b"/bytes":
            return Response(200, (), file.data)
        return Response(200, (), [file.span(0, 8 * MIB)])

    with live(serve, HttpLimits(write_timeout_s=0.3)) as server:
        for path in (b"bytes", b"span"):
            client = server.connect(receive_bytes=4096)
            client.send(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % path)
        started = time.monotonic()
        server.wait(lambda: len(server.done) == 2)
        assert 0.2 < time.monotonic() - started < 3
    file.check_closed()


def test_a_client_that_reads_slowly_is_served(file: File) -> None:
    with live(
        answering(lambda: Response(200, (), [file.span(0, 4 * MIB)])),
        HttpLimits(write_timeout_s=0.2),
    ) as server:
        client = server.connect(receive_bytes=65536)
        client.send(GET)
        received = bytearray()
        while len(received) < 4 * MIB + 100:
            piece = client.sock.recv(256 * 1024)
            assert piece
            received += piece
            time.sleep(0.005)
        assert received.partition(b"\r\n\r\n")[2] == file.data[: 4 * MIB]


async def pieces(*parts: bytes | Exception) -> AsyncIterator[bytes]:
    """Yield the parts, raising those that are exceptions."""
    for part in parts:
        await asyncio.sleep(0)
        if isinstance(part, Exception):
            raise part
        yield part


def test_streams_are_chunked_or_sized_or_closed() -> None:
    def serve(request: Request) -> Response:
        headers = [(b"Content-Length", b"6")] if request.raw_path == b"/sized" else []
        return Response(200, headers, pieces(b"abc", b"", b"def"))

    with live(serve) as server:
        client = server.connect()
        reply = client.ask(GET)
        assert (reply.headers["transfer-encoding"], reply.body) == ("chunked", b"abcdef")
        reply = client.ask(b"GET /sized HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (reply.headers["content-length"], reply.body) == ("6", b"abcdef")
        assert reply.headers["transfer-encoding"] is None
        assert client.ask(HEAD, "HEAD").body == b""
        reply = client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (reply.headers["connection"], reply.body) == ("close", b"abcdef")
        assert client.at_end()
        server.wait(lambda: len(server.done) == 4)
        assert [done[2] for done in server.done] == [6, 6, 0, 6]


@pytest.mark.parametrize(
    ("length", "parts"),
    [(None, (b"abc", KeyError("x"))), (b"7", (b"abc", b"def")), (b"5", (b"abc", b"def"))],
)
def test_a_stream_that_fails_cuts_the_answer(length: bytes | None, parts: Any) -> None:
    headers = [] if length is None else [(b"Content-Length", length)]
    with live(answering(lambda: Response(200, headers, pieces(*parts)))) as server:
        server.expected_logs = 1
        client = server.connect()
        client.send(GET)
        received = client.file.read()
        assert not received.endswith(b"0\r\n\r\n")
        assert len(received.partition(b"\r\n\r\n")[2]) != int(length or 0)


def test_a_stream_is_closed_when_the_client_leaves() -> None:
    closed = threading.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(MIB)
        finally:
            closed.set()

    with live(answering(lambda: Response(200, (), endless()))) as server:
        client = server.connect()
        client.send(GET)
        client.sock.recv(100)
        client.close()
        assert closed.wait(10)
        server.wait(lambda: server.done)


def test_a_stream_that_never_waits_leaves_others_their_turn() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    def serve(request: Request) -> Response:
        return Response(200, (), endless() if request.raw_path == b"/endless" else b"x")

    with live(serve) as server:
        greedy, other = server.connect(), server.connect()
        greedy.send(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                greedy.sock.recv(MIB)

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(20):
            assert other.ask(GET).body == b"x"
        stop.set()
        reader.join()
        greedy.close()
        server.wait(lambda: len(server.done) == 21)


def raise_now(request: Request) -> Response:
    """Fail at once."""
    raise KeyError("secret")


async def raise_later(request: Request) -> Response:
    """Fail in a task."""
    await asyncio.sleep(0)
    raise KeyError("secret")


def wrong_length(request: Request) -> Response:
    """Promise other bytes than are there."""
    return Response(200, [(b"content-LENGTH", b"5")], b"secret")


async def no_response(request: Request) -> Any:
    """Return what is no answer."""
    return "secret"


@pytest.mark.parametrize("handler", [raise_now, raise_later, wrong_length, no_response])
def test_a_defect_of_the_handler_is_a_500_logged_once(handler: Any) -> None:
    with live(handler) as server:
        server.expected_logs = 1
        client = server.connect()
        reply = client.ask(GET)
        assert (reply.status, reply.headers["connection"]) == (500, "close")
        assert b"<Code>InternalError</Code>" in reply.body
        assert b"secret" not in reply.body
        assert client.at_end()
        assert server.records[0].exc_info
        server.wait(lambda: server.done)
        assert [done[1].status for done in server.done] == [500]


def test_the_handler_can_close() -> None:
    with live(answering(lambda: Response(200, (), b"x", close=True))) as server:
        client = server.connect()
        assert client.ask(GET).headers["connection"] == "close"
        assert client.at_end()


def test_done_is_told_what_was_sent() -> None:
    with live(answering(lambda: Response(200, (), b"abc"))) as server:
        server.connect().ask(GET)
        server.wait(lambda: server.done)
        request, response, sent, seconds = server.done[0]
        assert (request.raw_path, response.status, sent) == (b"/", 200, 3)
        assert 0 <= seconds < 5


def test_big_bytes_are_sent_whole(file: File, contexts: Any) -> None:
    for tls in (False, True):
        with live(
            answering(lambda: Response(200, (), file.data)), context=contexts[0] if tls else None
        ) as server:
            client = server.connect(contexts[1] if tls else None)
            for _ in range(3):
                assert client.ask(GET).body == file.data


def upload(server: Live, contexts: Any, body: bytes) -> bytes:
    """Put a body over TLS and return the answer's."""
    client = server.connect(contexts[1])
    return client.ask(
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    ).body


def test_tls_bodies_with_back_pressure(file: File, contexts: Any) -> None:
    async def serve(request: Request) -> Response:
        assert request.secure
        kept = bytearray()

        def feed(piece: memoryview) -> asyncio.Future[None]:
            kept.extend(piece)
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            return future

        await request.body.pump(feed)
        return Response(200, (), bytes(kept))

    with live(serve, context=contexts[0]) as server:
        for size in (1, 100_000, 4 * MIB):
            assert upload(server, contexts, file.data[:size]) == file.data[:size]


def test_refusal_over_tls_with_the_body_in_flight(contexts: Any) -> None:
    with live(answering(lambda: Response(403, (), b"no")), context=contexts[0]) as server:
        client = server.connect(contexts[1])
        size = 20 * MIB
        client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        client.send(bytes(size))
        reply = client.reply()
        assert (reply.status, reply.body, reply.headers["connection"]) == (403, b"no", "close")


def test_plain_http_on_a_tls_port_and_broken_tls_do_no_harm(contexts: Any) -> None:
    with live(answering(lambda: Response(200, (), b"x")), context=contexts[0]) as server:
        plain = server.connect()
        plain.send(GET)
        plain.file.read()
        cut = server.connect(contexts[1])
        cut.send(GET)
        cut.sock.shutdown(2)
        assert server.connect(contexts[1]).ask(GET).body == b"x"
