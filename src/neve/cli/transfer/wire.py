"""Connections for object data: kept open, few instructions per request, many threads.

HTTP/1.1 as object stores speak it, without the parts that cost: `http.client` needs two to three
times the CPU for a small object. Everything that is a decision (URL, region, what a refusal means,
when to try again) is the transport's.

Invariant: a request is sent again only as a whole, after what the failed attempt had told its meter
was taken back; so it must do no harm twice, as every GET, HEAD, PUT and DELETE.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit

from neve.cli.transfer.body import EMPTY, Body, Bytes, Interrupted, Meter
from neve.client.errors import ClientError, ServerError
from neve.client.refusals import region_of, unreachable_of
from neve.client.transport import (
    AGAIN,
    AGAIN_CODES,
    Answer,
    Transport,
    hopeless,
    show_answer,
    show_request,
)
from neve.signing import (
    amz_date_of,
    canonical_query,
    canonical_request,
    canonical_value,
    scope_of,
    signature,
    signing_key,
    string_to_sign,
)

_HEAD_MAX = 1 << 18
_BODY_OF_REFUSAL_MAX = 1 << 20
_LEFT_TO_READ_MAX = 1 << 16
"""What of an answer is read only to keep its connection."""

_T = TypeVar("_T")


class Broken(Exception):
    """The connection failed; `error` says how. Errors of files are never this."""

    def __init__(self, error: OSError | ValueError) -> None:
        super().__init__(str(error))
        if isinstance(error, BlockingIOError):
            self.error: OSError = TimeoutError("no answer in time")
        else:
            self.error = error if isinstance(error, OSError) else ConnectionError(str(error))


class Request(NamedTuple):
    """A request and what it completes of a refusal's sentence (`could not …`)."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: Body = EMPTY
    doing: str = ""


class Reply:
    """The head of an answer, and its body to be read."""

    def __init__(self, connection: socket.socket, head: bytes, rest: bytes, method: str) -> None:
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        self.status = int(lines[0][9:12])
        self.reason = lines[0][13:]
        self.headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self._connection = connection
        self._rest = memoryview(rest)
        self.chunked = "chunked" in self.headers.get("transfer-encoding", "")
        self.keep = self.headers.get("connection", "").lower() != "close" and not self.chunked
        if method == "HEAD" or self.status in (204, 304):
            self.left, self.chunked = 0, False
        elif self.chunked or "content-length" not in self.headers:
            self.left, self.keep = -1, False
        else:
            self.left = int(self.headers["content-length"])

    @property
    def size(self) -> int:
        """Bytes of the body. Raises: ClientError when the server does not say."""
        if self.left < 0:
            raise ClientError("the server does not say how long the object is.", "NoLength")
        return self.left

    def read_into(self, view: memoryview) -> int:
        """Fill the view, or what of it the body has; return how many bytes that were."""
        count = min(len(view), self.size)
        done = min(count, len(self._rest))
        view[:done] = self._rest[:done]
        self._rest = self._rest[done:]
        while done < count:
            try:
                got = self._connection.recv_into(view[done:count], count - done)
            except OSError as error:
                raise Broken(error) from error
            if not got:
                missing = self.left - done
                raise Broken(ConnectionError(f"the answer ended {missing:,} bytes too soon"))
            done += got
        self.left -= done
        return done

    def read(self) -> bytes:
        """Return the whole body; for what fits into memory."""
        if self.left < 0:
            return self._read_to_the_end()
        data = bytearray(self.left)
        self.read_into(memoryview(data))
        return bytes(data)

    def _read_to_the_end(self) -> bytes:
        """A body of unknown length: small documents, such as refusals of some servers."""
        data = bytearray(self._rest)
        while len(data) < _BODY_OF_REFUSAL_MAX:
            if self.chunked and data.endswith(b"0\r\n\r\n"):
                break
            try:
                piece = self._connection.recv(1 << 16)
            except OSError as error:
                raise Broken(error) from error
            if not piece:
                break
            data += piece
        return _joined(bytes(data)) if self.chunked else bytes(data)


class Wire:
    """Requests to the server of a transport, from any number of threads."""

    def __init__(self, transport: Transport, busy: Callable[[], None]) -> None:
        """`busy` is called when the server says that it is too much."""
        self.transport = transport
        self._busy = busy
        self._idle: dict[str, list[socket.socket]] = {}
        self._active: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._keys: dict[tuple[bytes, str], bytes] = {}
        self._proxies: dict[str, tuple[bytes, dict[str, str]]] = {}
        self._closed = False

    def call(self, request: Request, take: Callable[[Reply], _T], meter: Meter | None = None) -> _T:
        """Send a request, and return what `take` makes of its answer if that is a success.

        `take` is called anew for each attempt, and reads what of the body it wants. Raises:
        ServerError, Unreachable, and what `take` raises.
        """
        transport, attempt, moved = self.transport, 1, False
        while True:
            last = attempt >= transport.attempts
            try:
                found = self._exchange(request, take, meter)
            except Broken as broken:
                if self._closed:
                    raise Interrupted from broken
                if last or hopeless(broken.error):
                    raise unreachable_of(broken.error, transport.alias, attempt) from broken
            else:
                if not isinstance(found, Answer):
                    return found
                if not moved and transport.moved(request.bucket, region_of(found)):
                    moved = True
                    continue
                refused = transport.refusal(
                    found, request.method, request.bucket, request.key, request.query,
                    request.doing, attempt,
                )  # fmt: skip
                if last or not (found.status in AGAIN or refused.code in AGAIN_CODES):
                    raise refused
                self._busy()
            transport.pause(attempt)
            attempt += 1

    def head(self, request: Request) -> dict[str, str] | None:
        """Return the headers of the answer, None when there is no such object."""
        try:
            return self.call(request, lambda reply: reply.headers)
        except ServerError as error:
            if error.absent and error.code != "NoSuchBucket":
                return None
            raise

    def close(self) -> None:
        """Close all connections, also those in use: whoever waits on one is woken."""
        with self._lock:
            self._closed = True
            for connection in self._active:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # The other side was quicker.
            for idle in self._idle.values():
                for connection in idle:
                    connection.close()
            self._idle.clear()

    def _exchange(
        self, request: Request, take: Callable[[Reply], _T], meter: Meter | None
    ) -> _T | Answer:
        """One attempt; an `Answer` is a refusal."""
        url = self.transport.url(request.bucket, request.key, request.query)
        parts = urlsplit(url)
        head = self._head(request, url, parts)
        sent = _Count(meter)
        connection, kept = self._connection(parts.netloc)
        whole = False
        try:
            try:
                reply = _send(connection, head, request, sent)
            except Broken as broken:
                # A kept connection that the server has closed meanwhile: it saw nothing of this.
                if not kept or self._closed or not isinstance(broken.error, ConnectionError):
                    raise
                self._drop(connection)
                sent.take_back()
                connection, _ = self._connection(parts.netloc, fresh=True)
                reply = _send(connection, head, request, sent)
            if self.transport.debug:
                show_answer(reply.status, reply.reason, reply.headers)
            if reply.status >= 300:
                sent.take_back()
                return Answer(reply.status, reply.headers, self._refusal(reply, request))
            found = take(reply)
            if 0 < reply.left < _LEFT_TO_READ_MAX:
                reply.read()
            whole = reply.keep and reply.left == 0
            return found
        except Exception:
            sent.take_back()
            raise
        finally:
            if whole:
                self._keep(parts.netloc, connection)
            else:
                self._drop(connection)

    @staticmethod
    def _refusal(reply: Reply, request: Request) -> bytes:
        return b"" if request.method == "HEAD" else reply.read()[:_BODY_OF_REFUSAL_MAX]

    def _head(self, request: Request, url: str, parts: SplitResult) -> bytes:
        """The bytes of the request before its body, signed."""
        alias = self.transport.alias
        path, query = parts.path.encode() or b"/", parts.query.encode()
        fields = {name.lower(): value for name, value in request.headers.items()}
        fields["host"] = parts.netloc
        if not alias.anonymous:
            if alias.session_token:
                fields["x-amz-security-token"] = alias.session_token
            fields["x-amz-content-sha256"] = request.body.payload
            fields["x-amz-date"] = amz_date_of(None)
            self._sign(request, path, query, fields)
        fields["user-agent"] = "neve"
        if request.method in ("PUT", "POST"):
            fields["content-length"] = str(request.body.size)
        if self.transport.debug:
            show_request(request.method, url, fields)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        fields |= self._proxied(parts.netloc)[1]
        target = path + (b"?" + query if query else b"")
        target = self._proxied(parts.netloc)[0] + target
        head = lines.encode("utf-8", "surrogateescape")
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method.encode(), target, head)

    def _proxied(self, netloc: str) -> tuple[bytes, dict[str, str]]:
        """What a proxy of plain HTTP wants: something before the path, and headers."""
        found = self._proxies.get(netloc)
        if found is None:
            connections = self.transport.connections
            found = (connections.target(netloc, "").encode(), connections.proxy_headers(netloc))
            self._proxies[netloc] = found
        return found

    def _sign(self, request: Request, path: bytes, query: bytes, fields: dict[str, str]) -> None:
        alias = self.transport.alias
        region = self.transport.region(request.bucket)
        moment = fields["x-amz-date"].encode()
        date = moment[:8]
        key = self._keys.get((date, region))
        if key is None:
            key = signing_key(alias.secret_key.encode(), date, region.encode())
            self._keys[date, region] = key
        names = sorted(fields)
        block = b"".join(
            b"%b:%b\n"
            % (name.encode(), canonical_value(fields[name].encode("utf-8", "surrogateescape")))
            for name in names
        )
        signed = ";".join(names)
        canonical = canonical_request(
            request.method.encode(), path, canonical_query(query), block, signed.encode(),
            request.body.payload.encode(),
        )  # fmt: skip
        scope = scope_of(date, region.encode())
        sign = signature(key, string_to_sign(moment, scope, canonical)).decode()
        fields["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={alias.access_key}/{scope.decode()}, "
            f"SignedHeaders={signed}, Signature={sign}"
        )

    def _connection(self, netloc: str, fresh: bool = False) -> tuple[socket.socket, bool]:
        with self._lock:
            if self._closed:
                raise Interrupted
            idle = self._idle.get(netloc)
            if idle and not fresh:
                connection = idle.pop()
                self._active.add(connection)
                return connection, True
        try:
            connection = self._connect(netloc)
        except (OSError, ValueError) as error:
            raise Broken(error) from error
        with self._lock:
            self._active.add(connection)
        return connection, False

    def _connect(self, netloc: str) -> socket.socket:
        made = self.transport.connections.take(netloc)
        connection = made.sock
        assert connection is not None
        if not isinstance(connection, ssl.SSLSocket):
            # The kernel's own time limits: a call is one system call, and sendfile can be used.
            connection.settimeout(None)
            limit = struct.pack("ll", max(1, int(self.transport.timeout_s)), 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return connection

    def _keep(self, netloc: str, connection: socket.socket) -> None:
        with self._lock:
            self._active.discard(connection)
            if not self._closed:
                self._idle.setdefault(netloc, []).append(connection)
                return
        connection.close()

    def _drop(self, connection: socket.socket) -> None:
        with self._lock:
            self._active.discard(connection)
        connection.close()


class _Count:
    """A meter that can take back what it was told."""

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter
        self._done = 0

    def __call__(self, count: int) -> None:
        self._done += count
        if self._meter:
            self._meter(count)

    def take_back(self) -> None:
        """The bytes were sent for nothing."""
        if self._meter and self._done:
            self._meter(-self._done)
        self._done = 0


def _send(connection: socket.socket, head: bytes, request: Request, sent: _Count) -> Reply:
    try:
        return _send_and_receive(connection, head, request, sent)
    except (OSError, ValueError) as error:
        raise Broken(error) from error


def _send_and_receive(
    connection: socket.socket, head: bytes, request: Request, sent: _Count
) -> Reply:
    body = request.body
    try:
        if isinstance(body, Bytes) and body.size < 1 << 16:
            connection.sendall(head + bytes(body.data))
            sent(body.size)
        else:
            connection.sendall(head)
            body.send(connection, sent)
    except ConnectionError:
        # Servers answer before they have read a body that they refuse, and close.
        try:
            return _receive(connection, request.method)
        except (OSError, ValueError):
            pass
        raise
    return _receive(connection, request.method)


def _receive(connection: socket.socket, method: str) -> Reply:
    data = b""
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _HEAD_MAX:
                raise ValueError("the head of the answer has no end")
            piece = connection.recv(1 << 16)
            if not piece:
                raise ConnectionResetError("the connection was closed before an answer came")
            data += piece
        elif not data.startswith(b"HTTP/1."):
            raise ValueError("the answer is not HTTP")
        elif data[9:10] == b"1":
            data = data[end + 4 :]
        else:
            return Reply(connection, data[:end], data[end + 4 :], method)


def _joined(data: bytes) -> bytes:
    """The body that chunks carry."""
    found = bytearray()
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line.partition(b";")[0] or b"0", 16)
        if not size:
            break
        found += data[:size]
        data = data[size + 2 :]
    return bytes(found)
