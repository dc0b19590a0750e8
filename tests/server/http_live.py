"""A live HTTP front in a thread of its own, and a raw-socket client that trusts `http.client`."""

import asyncio
import datetime
import http.client
import io
import ipaddress
import json
import logging
import socket
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from neve.server.http import HttpLimits, HttpServer, Request, Response

TIMEOUT_S = 10.0
Done = tuple[Request, Response, int, float]


class _KeptFile:
    """Stands for the socket: `http.client` closes what it read from after each answer."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def makefile(self, mode: str) -> "_KeptFile":
        return self

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Reply:
    """An answer as a client library reads it."""

    def __init__(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = body

    def json(self) -> Any:
        """Return the body parsed."""
        return json.loads(self.body)


class Client:
    """One connection. Sends bytes exactly as given."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self.sock.sendall(data)

    def reply(self, method: str = "GET") -> Reply:
        """Read one answer."""
        answer = http.client.HTTPResponse(_KeptFile(self.file), method=method)  # type: ignore[arg-type]
        answer.begin()
        return Reply(answer, answer.read())

    def ask(self, data: bytes, method: str = "GET") -> Reply:
        """Send `data` and read one answer."""
        self.send(data)
        return self.reply(method)

    def at_end(self) -> bool:
        """Return whether the server has closed in an orderly way, having sent nothing more."""
        return self.file.read(1) == b""

    def close(self) -> None:
        """Close both the file and the socket."""
        self.file.close()
        self.sock.close()


class Live:
    """A server under test. Leaving its context fails if it logged anything unexpected."""

    def __init__(self, handler: Any, limits: HttpLimits, context: ssl.SSLContext | None) -> None:
        self.done: list[Done] = []
        self.records: list[logging.LogRecord] = []
        self.loop_errors: list[dict[str, Any]] = []
        self.expected_logs = 0
        self._clients: list[Client] = []
        self.loop = uvloop.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        self.server = HttpServer(
            handler, limits=limits, ssl=context, on_done=lambda *done: self.done.append(done)
        )
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        self.address = listener.getsockname()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.run(self.server.serve(listener))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(TIMEOUT_S)

    def inspect(self, look: Any) -> Any:
        """Call a function in the server's thread."""

        async def call() -> Any:
            return look()

        return self.run(call())

    def connect(self, trust: ssl.SSLContext | None = None, receive_bytes: int = 0) -> Client:
        """Open a connection; `receive_bytes` makes the client's window small."""
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(TIMEOUT_S)
        sock.connect(self.address)
        if trust is not None:
            sock = trust.wrap_socket(sock, server_hostname="localhost")
        client = Client(sock)
        self._clients.append(client)
        return client

    def close_clients(self) -> None:
        """Close every connection of the test."""
        for client in self._clients:
            client.close()

    def wait(self, holds: Any) -> None:
        """Wait until `holds()` is true in the server's thread."""

        async def poll() -> None:
            while not holds():
                await asyncio.sleep(0.005)

        self.run(asyncio.wait_for(poll(), TIMEOUT_S))

    def wait_until_empty(self) -> None:
        """Wait until no connection and no request is left."""
        self.wait(lambda: not self.server.connections and not self.server.requests_in_flight)

    def stop(self) -> None:
        """Drain and end the loop."""
        self.run(self.server.drain(2.0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


@contextmanager
def live(
    handler: Any, limits: HttpLimits | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Live]:
    """Serve `handler` for the duration of the context."""
    server = Live(handler, limits or HttpLimits(), context)
    keeper = logging.Handler()
    keeper.emit = server.records.append  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("neve.http", "asyncio")]
    for logger in loggers:
        logger.addHandler(keeper)
    try:
        yield server
        server.close_clients()
        server.stop()
        assert not server.loop_errors
        told = [keeper.format(record) for record in server.records]
        assert len(told) == server.expected_logs, "\n".join(told)
        assert server.server.requests_in_flight == 0
        assert server.server.gathered_bytes == 0
    finally:
        for logger in loggers:
            logger.removeHandler(keeper)


def echo(request: Request) -> Response:
    """Answer with the request as JSON, bytes as latin-1."""
    seen = {
        "method": request.method,
        "path": request.raw_path.decode("latin-1"),
        "query": request.raw_query.decode("latin-1"),
        "headers": {k.decode("latin-1"): v.decode("latin-1") for k, v in request.headers.items()},
        "version": request.version,
        "client": request.client,
        "secure": request.secure,
        "id": request.id,
        "length": request.body.length,
        "ready": None if request.body.ready is None else request.body.ready.decode("latin-1"),
    }
    return Response(200, [(b"Content-Type", b"application/json")], json.dumps(seen).encode())


def make_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
