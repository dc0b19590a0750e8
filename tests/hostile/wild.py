"""Bytes on a socket, and a watch over the server that receives them.

`send` speaks whatever it is given and reads one answer, or learns that there is none. `Watch` says
afterwards whether the server took harm: a process that ended, a traceback, an InternalError,
memory or descriptors that do not come back.
"""

import base64
import gc
import http.client
import os
import re
import socket
import time
import urllib.request
from collections.abc import Mapping
from typing import NamedTuple

from neve.signing import sign_headers
from neve.testing.live import LiveServer, wait_until

ANSWER_WITHIN_S = 5.0
_ERRORS = re.compile(r'neve_errors_total\{code="InternalError"\} (\d+)')
_RESTARTS = re.compile(r"neve_process_restarts_total\{[^}]*\} (\d+)")


class Reply(NamedTuple):
    """What the server said; status 0 when it closed the connection without an answer."""

    status: int
    body: bytes
    seconds: float

    @property
    def code(self) -> str:
        match = re.search(rb"<Code>(\w+)</Code>", self.body)
        return match[1].decode() if match else ""


def connect(server: LiveServer, timeout_s: float = ANSWER_WITHIN_S) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout_s)


def send(server: LiveServer, data: bytes, *, half_close: bool = True, method: str = "GET") -> Reply:
    """Send the bytes and read one answer. Raises TimeoutError when the server hangs."""
    started = time.monotonic()
    with connect(server) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
        return receive(sock, method, started)


def receive(sock: socket.socket, method: str = "GET", started: float = 0.0) -> Reply:
    """Read one answer."""
    started = started or time.monotonic()
    answer = http.client.HTTPResponse(sock, method=method)
    try:
        answer.begin()
        return Reply(answer.status, answer.read(), time.monotonic() - started)
    except TimeoutError:
        raise
    except (http.client.HTTPException, OSError):
        return Reply(0, b"", time.monotonic() - started)
    finally:
        answer.close()


def head(
    server: LiveServer,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
) -> dict[str, str]:
    """Signed header fields of a request."""
    keys = server.access_key, server.secret_key
    url = server.endpoint + path
    return sign_headers(method, url, headers or {}, *keys, "us-east-1", payload)


def render(method: str, path: str, headers: Mapping[str, str | bytes], body: bytes = b"") -> bytes:
    """The request as bytes, exactly as given but for the line ends."""
    lines = [f"{method} {path} HTTP/1.1".encode()]
    for name, value in headers.items():
        raw = value if isinstance(value, bytes) else value.encode()
        lines.append(name.encode() + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ask(
    server: LiveServer,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
) -> Reply:
    """A whole, well signed request on a connection of its own."""
    signed = head(server, method, path, headers, payload)
    signed.setdefault("content-length", str(len(body)))
    return send(server, render(method, path, signed, body), method=method)


class Watch:
    """The state of a server's processes, and what became of it."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.pids = server.children()
        self.logged = len(server.output())
        self.before = metrics(server)
        self.memory = self._memory()
        self.descriptors = self._descriptors()

    def check(self, *, memory_growth_max: int = 64 << 20) -> None:
        """Fail unless the server is as well as before."""
        assert self.server.children() == self.pids, "a process has ended"
        now = metrics(self.server)
        assert _RESTARTS.findall(now) == _RESTARTS.findall(self.before)
        assert _ERRORS.findall(now) == _ERRORS.findall(self.before), self.log()[-3000:]
        assert "Traceback" not in self.log(), self.log()[-3000:]
        assert self.server.is_ready()
        wait_until(lambda: self._descriptors() <= self.descriptors + 8, 15)
        grown = self._memory() - self.memory
        assert grown < memory_growth_max, f"{grown >> 20} MiB more memory"

    def log(self) -> str:
        """What was logged since the watch began."""
        return self.server.output()[self.logged :]

    def _memory(self) -> int:
        """Bytes that the processes hold for themselves alone."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/smaps_rollup") as stream:
                for line in stream:
                    if line.startswith(("Private_Dirty:", "Private_Clean:")):
                        total += int(line.split()[1]) << 10
        return total

    def _descriptors(self) -> int:
        # Connections of this process that nobody refers to any more are closed with this.
        gc.collect()
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids)


def metrics(server: LiveServer) -> str:
    token = base64.b64encode(f"{server.access_key}:{server.secret_key}".encode()).decode()
    request = urllib.request.Request(f"{server.endpoint}/neve/metrics")
    request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())
