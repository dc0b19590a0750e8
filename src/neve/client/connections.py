"""Open connections to a server, kept while it keeps them; TLS, and the way through a proxy.

A kept connection is looked at before it is used again: one that the server has closed meanwhile is
thrown away, so that nothing is sent into it. Proxies are those of HTTPS_PROXY, HTTP_PROXY,
ALL_PROXY and NO_PROXY, in capitals or not; this machine itself is never asked through one. Safe to
use from several threads.
"""

import base64
import http.client
import os
import socket
import ssl
import threading
from collections import deque
from urllib.parse import SplitResult, unquote, urlsplit

from neve.client.errors import ClientError

CONNECT_TIMEOUT_S = 10.0


class Connections:
    """Connections of one scheme, by host and port."""

    def __init__(
        self, scheme: str, timeout_s: float, insecure: bool, authorities: tuple[str, ...]
    ) -> None:
        """`authorities` are files of certificates that are trusted besides the system's."""
        self.scheme = scheme
        self._timeout_s = timeout_s
        self._insecure, self._authorities = insecure, authorities
        self._context: ssl.SSLContext | None = None
        self._idle: dict[str, deque[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def take(self, netloc: str) -> http.client.HTTPConnection:
        """Return a connection that nobody else uses: a kept one, or else a new one."""
        while True:
            with self._lock:
                idle = self._idle.get(netloc)
                connection = idle.pop() if idle else None
            if connection is None:
                return self._connect(netloc)
            if not _gone(connection.sock):
                return connection
            connection.close()

    def give(self, netloc: str, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose last answer was read to its end."""
        with self._lock:
            self._idle.setdefault(netloc, deque()).append(connection)

    def kept(self, netloc: str) -> http.client.HTTPConnection | None:
        """Return a kept connection without taking it."""
        with self._lock:
            idle = self._idle.get(netloc)
            return idle[-1] if idle else None

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def target(self, netloc: str, path: str) -> str:
        """What stands in the request line: a proxy of plain HTTP wants the whole URL."""
        if self.scheme == "http" and proxy_of(self.scheme, netloc):
            return f"http://{netloc}{path}"
        return path

    def proxy_headers(self, netloc: str) -> dict[str, str]:
        """Headers for a proxy of plain HTTP."""
        proxy = proxy_of(self.scheme, netloc) if self.scheme == "http" else None
        return _credentials(proxy) if proxy else {}

    def _connect(self, netloc: str) -> http.client.HTTPConnection:
        parts = urlsplit(f"{self.scheme}://{netloc}")
        host, port = parts.hostname or "", parts.port
        proxy = proxy_of(self.scheme, netloc)
        first, first_port = (proxy.hostname or "", proxy.port) if proxy else (host, port)
        timeout = min(CONNECT_TIMEOUT_S, self._timeout_s)
        connection: http.client.HTTPConnection
        if self.scheme == "https":
            connection = http.client.HTTPSConnection(
                first, first_port, timeout=timeout, context=self._tls()
            )
            if proxy:
                connection.set_tunnel(host, port or 443, _credentials(proxy))
        else:
            connection = http.client.HTTPConnection(first, first_port, timeout=timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        assert connection.sock is not None
        connection.sock.settimeout(self._timeout_s)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            context = ssl.create_default_context()
            for file in self._authorities:
                try:
                    context.load_verify_locations(file)
                except (OSError, ssl.SSLError) as error:
                    sentence = f"{file} holds no certificate that can be trusted: {error}."
                    raise ClientError(sentence, "BadCertificate", file) from error
            if self._insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._context = context
        return self._context


def proxy_of(scheme: str, netloc: str) -> SplitResult | None:
    """Return the proxy that the environment names for a server."""
    names = (f"{scheme}_proxy", "all_proxy")
    value = next((v for name in names if (v := _variable(name))), "")
    if not value or _direct(urlsplit(f"//{netloc}").hostname or ""):
        return None
    proxy = urlsplit(value if "://" in value else f"http://{value}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ClientError(f"the proxy {value!r} is of a kind that is not known here.", "BadProxy")
    return proxy


def _direct(host: str) -> bool:
    """Whether a host is asked without a proxy: this machine, or one that NO_PROXY names."""
    if host in ("localhost", "::1") or host.startswith("127."):
        return True
    names = [name.strip().lstrip(".").lower() for name in _variable("no_proxy").split(",")]
    return any(
        name and (name == "*" or host == name or host.endswith(f".{name}")) for name in names
    )


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    text = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"proxy-authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def _gone(sock: socket.socket | None) -> bool:
    """Whether the other side has closed an idle connection, or says something unasked."""
    if sock is None:
        return True
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        # Under TLS there may be bytes that belong to TLS itself; only an end is telling there.
        waiting = socket.socket.recv(sock, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)
    return not waiting or not isinstance(sock, ssl.SSLSocket)
