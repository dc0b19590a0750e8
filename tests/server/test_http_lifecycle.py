"""Connections over time: slow and idle clients, too many of them, draining, hostile input."""

import asyncio
import errno
import os
import random
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from neve.server.http import HttpLimits, Request, Response

from .http_live import Client, echo, live, make_certificate

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_slow_head_is_answered_408() -> None:
    with live(echo, HttpLimits(header_timeout_s=0.4)) as server:
        client = server.connect()
        started = time.monotonic()
        client.sock.settimeout(0.02)
        answer = b""
        for byte in b"GET / HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * 500:
            client.send(bytes([byte]))
            try:
                answer = client.sock.recv(4096)
                break
            except TimeoutError:
                continue
        assert 0.3 < time.monotonic() - started < 3
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"<Code>RequestTimeout</Code>" in answer


def test_silent_connections_are_closed() -> None:
    limits = HttpLimits(header_timeout_s=0.3, idle_timeout_s=0.5)
    with live(echo, limits) as server:
        fresh, used = server.connect(), server.connect()
        started = time.monotonic()
        assert used.ask(GET).status == 200
        assert fresh.at_end()
        assert 0.2 < time.monotonic() - started < 2
        assert used.at_end()
        assert 0.4 < time.monotonic() - started < 3
        server.wait(lambda: not server.server.connections)


def test_a_handler_may_take_longer_than_any_timeout() -> None:
    async def serve(request: Request) -> Response:
        await asyncio.sleep(0.5)
        return Response(200)

    limits = HttpLimits(header_timeout_s=0.1, idle_timeout_s=0.1, write_timeout_s=0.1)
    with live(serve, limits) as server:
        assert server.connect().ask(GET).status == 200


def test_a_client_that_never_leaves_after_a_refusal_is_cut() -> None:
    with live(echo, HttpLimits(linger_timeout_s=0.3)) as server:
        client = server.connect()
        assert client.ask(b"BAD\r\n\r\n").status == 400
        server.wait(lambda: not server.server.connections)


def test_connections_over_the_limit_are_turned_away() -> None:
    with live(echo, HttpLimits(connections_max=2, linger_timeout_s=0.2)) as server:
        kept = [server.connect() for _ in range(2)]
        assert all(client.ask(GET).status == 200 for client in kept)
        extra = server.connect()
        reply = extra.reply()
        assert (reply.status, b"SlowDown" in reply.body) == (503, True)
        assert extra.at_end()
        assert all(client.ask(GET).status == 200 for client in kept)
        kept[0].close()
        extra.close()
        server.wait(lambda: server.server.connections == 1)
        assert server.connect().ask(GET).status == 200


def test_answers_leave_at_once() -> None:
    def options() -> list[int]:
        sockets = [item.transport.get_extra_info("socket") for item in tracked.server.live]
        return [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in sockets]

    with live(echo) as tracked:
        tracked.connect().ask(GET)
        assert tracked.inspect(options) == [1]


def test_drain_finishes_what_is_under_way() -> None:
    release = asyncio.Event()
    begun = threading.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await release.wait()
        return Response(200, (), await request.body.read(100))

    with live(slow) as server:
        idle, busy = server.connect(), server.connect()
        busy.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        assert begun.wait(10)
        draining = asyncio.run_coroutine_threadsafe(server.server.drain(5.0), server.loop)
        assert idle.at_end()
        with socket.socket() as late:
            assert late.connect_ex(server.address) == errno.ECONNREFUSED
        assert server.server.requests_in_flight == 1
        assert not draining.done()
        server.loop.call_soon_threadsafe(release.set)
        reply = busy.reply()
        assert (reply.body, reply.headers["connection"]) == (b"abc", "close")
        draining.result(5)
        assert server.server.connections == 0


def test_drain_cuts_what_does_not_finish() -> None:
    ended = threading.Event()

    async def stuck(request: Request) -> Response:
        try:
            await request.body.read(100)
        finally:
            ended.set()
        return Response(200)

    with live(stuck, HttpLimits(gather_bytes_max=0)) as server:
        client = server.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
        server.wait(lambda: server.server.requests_in_flight)
        started = time.monotonic()
        server.run(server.server.drain(0.2))
        assert time.monotonic() - started < 3
        assert ended.wait(10)
        server.wait(lambda: not server.server.requests_in_flight)


# A process of its own, whose memory is the server's alone.
SERVER = """
    import asyncio, os, socket, ssl, sys, tempfile, uvloop
    from neve.server.http import HttpLimits, HttpServer, Response, Span

    MIB = 1 << 20
    file = tempfile.TemporaryFile()
    file.write(os.urandom(MIB) * 64)
    file.flush()

    async def stream():
        for _ in range(1000):
            yield bytes(65536)

    def serve(request):
        if request.raw_path == b"/span":
            return Response(200, (), [Span(file.fileno(), 0, 64 * MIB)])
        if request.raw_path == b"/stream":
            return Response(200, (), stream())
        return Response(200, (), b"x")

    async def main():
        context = None
        if sys.argv[1]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1])
        server = HttpServer(serve, limits=HttpLimits(), ssl=context)
        sock = socket.create_server(("127.0.0.1", 0), backlog=4096)
        await server.serve(sock)
        print(sock.getsockname()[1], flush=True)
        await asyncio.sleep(600)

    uvloop.run(main())
"""


class Remote:
    """A server in a process of its own."""

    def __init__(self, certificate: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SERVER), certificate],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.clients: list[Client] = []

    def connect(self, trust: ssl.SSLContext | None = None, receive_bytes: int = 0) -> Client:
        """Open a connection."""
        sock = socket.socket()
        sock.settimeout(10)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.connect(("127.0.0.1", self.port))
        if trust is not None:
            sock = trust.wrap_socket(sock, server_hostname="localhost")
        self.clients.append(Client(sock))
        return self.clients[-1]

    def resident(self) -> int:
        """Return the memory of the process in bytes."""
        return psutil.Process(self._process.pid).memory_info().rss

    def stop(self) -> None:
        """End the process and every connection."""
        for client in self.clients:
            client.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_two_thousand_idle_connections_cost_little() -> None:
    remote = Remote()
    try:

        def join(count: int) -> None:
            for _ in range(count):
                remote.connect().send(GET)
            for client in remote.clients[-count:]:
                assert client.reply().body == b"x"

        join(200)
        before = remote.resident()
        join(2000)
        assert (remote.resident() - before) / 2000 < 10 * 1024
        assert remote.clients[0].ask(GET).body == b"x"
    finally:
        remote.stop()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("path", [b"span", b"stream"])
def test_slow_readers_hold_little_memory(path: bytes, tls: bool, tmp_path: Path) -> None:
    _, trust = make_certificate(tmp_path)
    remote = Remote(str(tmp_path / "server.pem") if tls else "")
    ask = b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % path
    try:

        def join(count: int) -> None:
            for _ in range(count):
                remote.connect(trust if tls else None, 4096).send(ask)
            for client in remote.clients[-count:]:
                assert client.sock.recv(100)

        join(5)
        before = remote.resident()
        join(40)
        time.sleep(0.2)
        assert (remote.resident() - before) / 40 < 512 * 1024
    finally:
        remote.stop()


SEEDS = [
    b"GET /a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n",
    b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
    (
        b"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n"
    ),
    b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST http://h/b?uploads HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
]
SPICE = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"\xff",
    b"0\r\n\r\n",
    b"Content-Length: 9\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1",
    b"99999999999999999999",
    b"\r\n\r\n",
    b"-1",
]


def mutate(rng: random.Random) -> bytes:
    """Return a stream of requests with a few things wrong."""
    data = bytearray(b"".join(rng.choices(SEEDS, weights=(6, 4, 6, 3, 3, 1), k=rng.randint(1, 4))))
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at:at] = rng.choice(SPICE)
            case 2:
                del data[at : at + rng.randint(1, 8)]
            case _:
                data[at : at + 2] = rng.choice(SPICE)
    return bytes(data)


async def swallow(request: Request) -> Response:
    """Read some bodies, refuse others."""
    if len(request.raw_path) % 3 == 0:
        return Response(403, (), b"no")
    return Response(200, (), b"%d" % len(await request.body.read(50_000)))


def serve_any(request: Request) -> Any:
    """Answer at once or later."""
    return echo(request) if request.method == "GET" else swallow(request)


@pytest.mark.parametrize("gather", [0, 65536])
def test_fuzzed_streams_never_hang_or_raise(gather: int) -> None:
    limits = HttpLimits(
        header_timeout_s=0.2,
        body_timeout_s=0.2,
        idle_timeout_s=0.2,
        linger_timeout_s=0.2,
        discard_timeout_s=0.2,
        gather_bytes_max=gather,
    )
    rng = random.Random(gather)
    with live(serve_any, limits) as server:
        clients = []
        for _ in range(400):
            client = server.connect()
            clients.append(client)
            stream = mutate(rng)
            cut = rng.randrange(len(stream) + 1)
            try:
                client.send(stream[:cut])
                if rng.random() < 0.3:
                    time.sleep(0.0005)
                client.send(stream[cut:])
                if rng.random() < 0.3:
                    client.sock.shutdown(1)
            except OSError:
                continue
        for client in clients:
            received = b""
            try:
                received = client.file.read()
            except ConnectionError:
                pass
            # Whatever came is answers, from the first byte on.
            assert received == b"" or received.startswith(b"HTTP/1.1 ")
        server.wait(lambda: not server.server.connections)
        assert server.inspect(lambda: server.server.requests_in_flight) == 0
        assert server.connect().ask(GET).status == 200


class Recorder:
    """Notes each request whose body was read to its end."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, bytes, dict[bytes, bytes], bytes]] = []

    def __call__(self, request: Request) -> Any:
        """Answer at once when there is nothing to wait for."""
        if request.body.ready == b"":
            return self._note(request, b"")
        return self._read(request)

    async def _read(self, request: Request) -> Response:
        return self._note(request, await request.body.read(1 << 20))

    def _note(self, request: Request, body: bytes) -> Response:
        head = (request.method, request.raw_path, request.raw_query, request.headers)
        self.seen.append((*head, body))
        return Response(200, (), b"x")


def test_requests_do_not_depend_on_how_the_stream_was_cut() -> None:
    """Two readings of one stream would be what request smuggling lives on."""
    rng = random.Random(7)
    recorder = Recorder()
    with live(recorder, HttpLimits(gather_bytes_max=0)) as lean, live(recorder) as usual:
        for _ in range(150):
            stream = mutate(rng)
            readings = []
            for server, piecewise in ((lean, False), (usual, False), (lean, True), (usual, True)):
                recorder.seen = []
                client = server.connect()
                at = 0
                try:
                    while at < len(stream):
                        size = rng.choice((1, 7, 50, 70_000)) if piecewise else len(stream)
                        client.send(stream[at : at + size])
                        at += size
                    client.sock.shutdown(1)
                    client.file.read()
                except OSError:
                    pass
                client.close()
                server.wait_until_empty()
                readings.append(recorder.seen)
            most = max(readings, key=len)
            assert all(reading == most[: len(reading)] for reading in readings), stream
