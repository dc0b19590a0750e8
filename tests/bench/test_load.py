"""The load generator against a server that answers what a test tells it to."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from bench.connection import Exchange, decode_chunked
from bench.load import Fleet, Generator, GeneratorFailed
from bench.signing import Frames, Signer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REFUSAL = b"<Error><Code>AccessDenied</Code></Error>"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(REFUSAL), REFUSAL)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
)
Answers = Callable[[int], bytes]


class Scripted:
    """A server that answers the n-th request with what `answers(n)` returns, b"" closes."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        self.requests = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                with self._lock:
                    number = self.requests
                    self.requests += 1
                answer = self._answers(number)
                if not answer:
                    return
                connection.sendall(answer)
                if b"onnection: close" in answer:
                    return


class Wanting:
    """A workload of equal requests; bodies must be `hello`."""

    def __init__(self, limit: int = 1_000_000, **expected: object) -> None:
        self._expected = {"status": 200, "length": 5, "keep": True, **expected}
        self._left = limit

    def next(self) -> Exchange | None:
        self._left -= 1
        if self._left < 0:
            return None
        return Exchange([b"GET / HTTP/1.1\r\n\r\n"], **self._expected)  # type: ignore[arg-type]

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        return None if body == b"hello" else f"body {body!r}"


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], Scripted]]:
    servers: list[Scripted] = []

    def start(answers: Answers) -> Scripted:
        servers.append(Scripted(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def drive(server: Scripted, source: Wanting, count: int, clients: int = 1):
    generator = Generator(server.address, clients, source)
    outcome = generator.run(10.0, count)
    generator.close()
    return outcome


def test_every_right_answer_is_an_operation(serve):
    server = serve(lambda n: OK)
    outcome = drive(server, Wanting(), count=50, clients=4)
    assert (outcome.operations, outcome.checked, outcome.errors) == (50, 50, {})
    assert server.requests == 50
    assert len(outcome.latencies_us) == 50


def test_a_run_ends_when_the_workload_does(serve):
    server = serve(lambda n: OK)
    assert drive(server, Wanting(limit=7), count=1000, clients=4).operations == 7
    assert server.requests == 7


def test_a_run_ends_at_its_deadline_with_nothing_under_way(serve):
    server = serve(lambda n: OK)
    generator = Generator(server.address, 4, Wanting())
    outcome = generator.run(0.2, 1_000_000)
    assert 0.2 <= outcome.seconds < 2.0
    assert outcome.operations == server.requests > 0
    generator.close()


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [
        (FORBIDDEN, {}, "403 AccessDenied"),
        (OK.replace(b"hello", b"hullo"), {}, "body b'hullo'"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhell", {}, "length 4 instead of 5"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", {}, "204"),
        (b"SMTP is what I speak here\r\n\r\n", {}, "not HTTP"),
        (OK + b"more", {"keep": False}, "more bytes than announced"),
    ],
)
def test_a_wrong_answer_is_an_error_and_not_an_operation(serve, answer, expected, reason):
    server = serve(lambda n: answer if n == 2 else OK)
    outcome = drive(server, Wanting(**expected), count=6)
    assert outcome.operations == 5
    assert sum(outcome.errors.values()) == 1
    assert next(iter(outcome.errors)).startswith(reason)


def test_an_answer_cut_short_is_an_error(serve):
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhe"
    outcome = drive(serve(lambda n: cut if n == 2 else OK), Wanting(keep=False), count=6)
    assert outcome.operations == 5
    assert outcome.errors == {"connection lost": 1}


def test_a_connection_closed_between_requests_is_opened_again_without_an_error(serve):
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    silently = serve(lambda n: b"" if n == 3 else OK)
    assert drive(silently, Wanting(), count=6).errors == {}
    openly = serve(lambda n: closing)
    outcome = drive(openly, Wanting(), count=6, clients=2)
    assert (outcome.operations, outcome.errors) == (6, {})
    assert outcome.reconnects == 6


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        OK.replace(b"Content-Length", b"content-length"),
    ],
)
def test_other_framings_are_understood(serve, answer):
    outcome = drive(serve(lambda n: answer), Wanting(), count=4)
    assert (outcome.operations, outcome.errors) == (4, {})


def test_a_head_answer_has_a_length_and_no_body(serve):
    server = serve(lambda n: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    outcome = drive(server, Wanting(has_body=False, keep=False), count=4)
    assert (outcome.operations, outcome.errors) == (4, {})


def test_a_server_of_nothing_but_errors_stops_the_run(serve, monkeypatch):
    monkeypatch.setattr("bench.load.ERRORS_MAX", 10)
    outcome = drive(serve(lambda n: FORBIDDEN), Wanting(), count=1000, clients=2)
    assert 10 < outcome.errors["403 AccessDenied"] < 20


def test_a_silent_server_is_an_error(serve, monkeypatch):
    monkeypatch.setattr("bench.load.SILENCE_S", 0.1)
    forever = threading.Event()

    def answers(number: int) -> bytes:
        if number == 2:
            forever.wait(5)
        return OK

    outcome = drive(serve(answers), Wanting(), count=4)
    forever.set()
    assert outcome.operations == 3
    assert list(outcome.errors) == ["no answer within 0 s"]


def test_a_fleet_adds_up_what_its_processes_did(serve):
    server = serve(lambda n: OK)
    fleet = Fleet(server.address, 5, lambda index, count: Wanting(limit=20 + index), processes=2)
    outcome = fleet.run(10.0, 1000)
    fleet.close()
    assert outcome.operations == 41
    assert outcome.cpu_seconds > 0


def test_a_fleet_that_cannot_connect_says_where():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with pytest.raises(GeneratorFailed, match=f"127.0.0.1:{address[1]}: .*refused"):
        Fleet(address, 1, lambda index, count: Wanting(), processes=1)


def test_an_incomplete_chunked_body_is_not_decoded():
    whole = b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"
    assert decode_chunked(bytearray(whole)) == b"0\r\n\r\n"
    assert [decode_chunked(bytearray(whole[:n])) for n in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_000])
def test_signed_frames_are_as_long_as_announced_and_hold_the_body(size):
    body = random.Random(size).randbytes(size)
    frames = Frames(Signer("host", "key", "secret", "us-east-1"), body)
    encoded = b"".join(frames.buffers(b"0" * 64))
    assert len(encoded) == frames.encoded_bytes
    plain = re.sub(rb";chunk-signature=[0-9a-f]{64}\r\n", b"\r\n", encoded)
    assert decode_chunked(bytearray(plain)) == body
