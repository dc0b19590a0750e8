"""Ten thousand connections that say nothing: the service goes on, and all is given back."""

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostile.wild import Watch, ask, metrics

from neve.testing.live import LiveServer, wait_until

CONNECTIONS = 10_000
SPARE = 500


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Let this process, and a server started in it, have so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        except (ValueError, PermissionError):
            pytest.skip(f"the hard limit of open files is {hard}; {count} are needed")
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connection(server: LiveServer, number: int) -> socket.socket:
    """From several addresses, so that source ports never run out."""
    host, _, port = server.address.rpartition(":")
    source = f"127.0.{1 + number // 2500}.1"
    return socket.create_connection((host, int(port)), 10, (source, 0))


def open_connections(server: LiveServer) -> int:
    name = "neve_connections "
    [line] = [line for line in metrics(server).splitlines() if line.startswith(name)]
    return int(line.removeprefix(name))


@pytest.mark.timeout(180)
def test_ten_thousand_idle_connections_leave_the_service_as_it_was(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors(CONNECTIONS + SPARE))
        server = stack.enter_context(LiveServer(tmp_path / "data"))
        assert ask(server, "PUT", "/idle").status == 200
        assert ask(server, "PUT", "/idle/key", b"served").status == 200
        watch = Watch(server)
        opened: list[socket.socket] = []
        stack.callback(lambda: [sock.close() for sock in opened])
        for number in range(CONNECTIONS):
            sock = connection(server, number)
            opened.append(sock)
            if number % 10 == 0:
                sock.sendall(b"GET /idle HTTP/1.1\r\nHost: a\r\n")  # a head that never ends
        wait_until(lambda: open_connections(server) >= CONNECTIONS, 20)
        slowest = max(serve_meanwhile(server, number) for number in range(200))
        assert slowest < 1.0, f"a request took {slowest:.2f} s"
        # Each costs a few kilobytes, in two processes.
        assert watch._memory() - watch.memory < CONNECTIONS * 8192
        for sock in opened:
            sock.close()
        opened.clear()
        wait_until(lambda: open_connections(server) < 10, 20)
        watch.check()


def serve_meanwhile(server: LiveServer, number: int) -> float:
    started = time.monotonic()
    body = b"%d" % number
    assert ask(server, "PUT", f"/idle/{number}", body).status == 200
    assert ask(server, "GET", f"/idle/{number}").body == body
    assert ask(server, "GET", "/idle/key").body == b"served"
    return time.monotonic() - started


def test_a_storm_of_connections_is_survived(server: LiveServer, watch: Watch) -> None:
    """Threads that connect, say half a word and leave, as fast as they can."""
    over = time.monotonic() + 2.0

    def storm(number: int) -> None:
        while time.monotonic() < over:
            with contextlib.suppress(OSError):
                with connection(server, number * 100) as sock:
                    sock.sendall(b"PUT /wild/x HTTP/1.1\r\nHost: a\r\nContent-Le")

    threads = [threading.Thread(target=storm, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while time.monotonic() < over:
        assert ask(server, "GET", "/wild?list-type=2").status == 200
    for thread in threads:
        thread.join()
