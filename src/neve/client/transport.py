"""Signed requests to one server: connections kept, retries, refusals as one sentence.

Invariants: a request that may have taken effect is sent again only if that does no harm
(`idempotent`); a redirect is never followed, only reported, save to the region that AWS names;
what `--debug` shows has no signature, token or key in it. One transport serves several threads.
"""

import hashlib
import http.client
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from itertools import count
from typing import IO, NamedTuple, Self
from urllib.parse import quote, urlsplit

from neve.client.alias import Alias
from neve.client.connections import Connections
from neve.client.errors import ClientError, ServerError, Unreachable
from neve.client.reasons import ASKED_MAX, SOFTWARE, reason_of
from neve.client.refusals import refusal_of, region_of, unreachable_of
from neve.signing import UNSIGNED_PAYLOAD, presign_url, sign_headers

TIMEOUT_S = 60.0
ATTEMPTS = 5
BACKOFF_S = 0.2
REGION = "us-east-1"
"""What is signed when nobody has said otherwise; most servers but AWS accept any."""

AGAIN = frozenset((429, 500, 502, 503, 504))
AGAIN_CODES = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable")
_VIRTUAL = (".amazonaws.com", ".aliyuncs.com", ".myqcloud.com")
_SECRET_HEADERS = ("authorization", "token", "customer-key", "cookie", "secret")
_SECRET_FIELDS = ("X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential", "Signature")

Query = Mapping[str, str | list[str]]
"""Fields of a query; a list is a field that stands several times."""


class Answer(NamedTuple):
    """A whole answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Stream:
    """An answer whose body is read bit by bit. Close it, or use it as a context manager."""

    def __init__(
        self, raw: http.client.HTTPResponse, headers: dict[str, str], done: Callable[[bool], None]
    ) -> None:
        self.status = raw.status
        self.headers = headers
        self._raw = raw
        self._done: Callable[[bool], None] | None = done

    @property
    def size(self) -> int:
        """Bytes of the body, -1 when the server does not say."""
        return int(self.headers.get("content-length", -1))

    def read(self, size: int = 1 << 20) -> bytes:
        """Return the next bytes, none at the end. Raises: Unreachable when the server stops."""
        try:
            piece = self._raw.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the answer broke off: {error}.", "BrokenOff") from error
        if not piece and self._raw.length:
            raise Unreachable(f"the answer ended {self._raw.length:,} bytes too soon.", "BrokenOff")
        return piece

    def read_some(self, size: int) -> bytes:
        """Return what has come, at least a byte, none at the end: for answers that go on."""
        try:
            return self._raw.read1(size)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the answer broke off: {error}.", "BrokenOff") from error

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it; once."""
        done, self._done = self._done, None
        if done is None:
            return
        if not self._raw.isclosed() and self._raw.length == 0:
            self._raw.read()
        done(self._raw.isclosed())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Transport:
    """Requests to the server of one alias."""

    def __init__(
        self,
        alias: Alias,
        insecure: bool = False,
        debug: bool = False,
        authorities: tuple[str, ...] = (),
        attempts: int = ATTEMPTS,
        timeout_s: float = TIMEOUT_S,
        connections: Connections | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`authorities` are files of certificates that are trusted besides the system's.

        `connections` are shared with other transports; `headers` go with each request, unsigned.
        """
        self.alias = alias
        self.attempts = attempts
        self.timeout_s = timeout_s
        parts = urlsplit(alias.url)
        self.scheme, self.host = parts.scheme, parts.netloc
        self.debug = debug
        self.connections = connections or Connections(
            parts.scheme, timeout_s, insecure, authorities
        )
        self._headers = dict(headers or {})
        self._regions: dict[str, str] = {}
        self._software, self._asked_why = "", count()

    def request(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] = b"",
        *,
        doing: str = "",
        idempotent: bool | None = None,
        accept: Container[int] = (),
    ) -> Answer:
        """Send a request and return its whole answer.

        `doing` completes "may not …" and "could not …" of a refusal. Statuses in `accept` are
        returned, all others but 2xx raise. Raises: ServerError, Unreachable.
        """
        stream = self.stream(
            method, bucket, key, query, headers, body,
            doing=doing, idempotent=idempotent, accept=accept,
        )  # fmt: skip
        with stream:
            data = b"".join(stream) if method != "HEAD" else b""
            return Answer(stream.status, stream.headers, data)

    def stream(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] = b"",
        *,
        doing: str = "",
        idempotent: bool | None = None,
        accept: Container[int] = (),
    ) -> Stream:
        """As `request`, but the body of the answer is left to be read."""
        may_repeat = method != "POST" if idempotent is None else idempotent
        start = 0 if isinstance(body, bytes) or not body.seekable() else body.tell()
        if not isinstance(body, bytes) and not body.seekable():
            may_repeat = False
        attempt, moved = 1, False
        while True:
            if attempt > 1 and not isinstance(body, bytes):
                body.seek(start)
            last = attempt >= self.attempts or not may_repeat
            try:
                stream = self._send(method, bucket, key, query or {}, headers or {}, body)
            except (OSError, http.client.HTTPException) as error:
                if last or hopeless(error):
                    raise unreachable_of(error, self.alias, attempt) from error
                self.pause(attempt)
                attempt += 1
                continue
            self._software = stream.headers.get("server", "")
            if stream.status < 300 or stream.status in accept:
                return stream
            with stream:
                data = b"" if method == "HEAD" else stream.read(1 << 20)
            answer = Answer(stream.status, stream.headers, data)
            if not moved and self.moved(bucket, region_of(answer)):
                moved = True
                continue
            refused = self.refusal(answer, method, bucket, key, query or {}, doing, attempt)
            if last or not (answer.status in AGAIN or refused.code in AGAIN_CODES):
                raise refused
            self.pause(attempt)
            attempt += 1

    def refusal(
        self, answer: Answer, method: str, bucket: str, key: str, query: Query, doing: str,
        attempt: int,
    ) -> ServerError:  # fmt: skip
        """Return the error that an answer other than 2xx means."""
        refused = refusal_of(answer, self.alias, bucket, key, doing, attempt)
        self._software = answer.headers.get("server", "")
        if refused.code == "AccessDenied":
            refused.why = partial(reason_of, self, method, bucket, key, query)
        return refused

    def may_ask_why(self) -> bool:
        """Whether the server is one that tells why it refuses, and was not asked too often."""
        return self._software == SOFTWARE and next(self._asked_why) < ASKED_MAX

    def prepare(self) -> bool:
        """Have a connection ready; return whether it is a new one. Raises: Unreachable."""
        if self.connections.kept(self.host):
            return False
        try:
            self.connections.give(self.host, self.connections.take(self.host))
        except OSError as error:
            raise unreachable_of(error, self.alias) from error
        return True

    def region(self, bucket: str = "") -> str:
        """The region that requests to the bucket are signed for."""
        return self._regions.get(bucket) or self.alias.region or REGION

    def moved(self, bucket: str, region: str) -> bool:
        """Take note of the region of a bucket; return whether that is news."""
        if not region or region == self.region(bucket):
            return False
        self._regions[bucket] = region
        return True

    def url(self, bucket: str = "", key: str = "", query: Query | None = None) -> str:
        """Return the URL of a bucket or object, percent-encoded."""
        host, path = self._place(bucket, key)
        fields = encode_query(query or {})
        return f"{self.scheme}://{host}{path}" + (f"?{fields}" if fields else "")

    def presign(
        self, method: str, bucket: str, key: str, expires_s: int, query: Query | None = None
    ) -> str:
        """Return a URL with which anybody may do `method` for a while. Raises: ClientError."""
        alias = self.alias
        if alias.anonymous:
            raise ClientError(
                f"the alias {alias.name!r} has no keys, and a link must be signed.", "Anonymous"
            )
        fields = dict(query or {})
        if alias.session_token:
            fields["X-Amz-Security-Token"] = alias.session_token
        url = self.url(bucket, key, fields)
        region = self.region(bucket)
        return presign_url(method, url, alias.access_key, alias.secret_key, region, expires_s)

    def close(self) -> None:
        """Close all idle connections."""
        self.connections.close()

    def tls_version(self) -> str:
        """The TLS version of an idle connection, '' for plain HTTP."""
        connection = self.connections.kept(self.host)
        if connection is not None and isinstance(connection.sock, ssl.SSLSocket):
            return connection.sock.version() or ""
        return ""

    def _place(self, bucket: str, key: str) -> tuple[str, str]:
        """Return host and path."""
        host = self.host
        region = self._regions.get(bucket)
        if region and host.endswith(".amazonaws.com"):
            host = f"s3.{region}.amazonaws.com"
        path = "/" + quote(key, safe="/~")
        if not bucket:
            return host, path
        virtual = self.alias.path == "off" or (
            self.alias.path == "auto"
            and host.endswith(_VIRTUAL)
            and not (self.scheme == "https" and "." in bucket)
        )
        return (f"{bucket}.{host}", path) if virtual else (host, f"/{bucket}{path}")

    def _send(
        self,
        method: str,
        bucket: str,
        key: str,
        query: Query,
        headers: Mapping[str, str],
        body: bytes | IO[bytes],
    ) -> Stream:
        url = self.url(bucket, key, query)
        parts = urlsplit(url)
        sent = self._signed(method, url, bucket, headers, body)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        if self.debug:
            show_request(method, url, sent)
        sent |= self._headers | self.connections.proxy_headers(parts.netloc)
        connection = self.connections.take(parts.netloc)
        try:
            target = self.connections.target(parts.netloc, target)
            raw = _exchange(connection, method, target, sent, body)
        except BaseException:
            connection.close()
            raise
        found = {name.lower(): as_written(value) for name, value in raw.getheaders()}
        if self.debug:
            show_answer(raw.status, raw.reason, found)
        keep = not raw.will_close

        def done(whole: bool) -> None:
            if whole and keep:
                self.connections.give(parts.netloc, connection)
            else:
                connection.close()

        return Stream(raw, found, done)

    def _signed(
        self,
        method: str,
        url: str,
        bucket: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes],
    ) -> dict[str, str]:
        alias = self.alias
        sent = {"user-agent": "neve", "accept-encoding": "identity"}
        sent |= {name.lower(): value for name, value in headers.items()}
        if isinstance(body, bytes) and (body or method in ("PUT", "POST")):
            sent["content-length"] = str(len(body))
        if alias.anonymous:
            return sent | {"host": urlsplit(url).netloc}
        if alias.session_token:
            sent["x-amz-security-token"] = alias.session_token
        if isinstance(body, bytes):
            payload = hashlib.sha256(body).hexdigest()
        else:
            payload = UNSIGNED_PAYLOAD.decode()
        region = self.region(bucket)
        return sign_headers(method, url, sent, alias.access_key, alias.secret_key, region, payload)

    @staticmethod
    def pause(attempt: int) -> None:
        """Wait before the next attempt, longer each time, not in step with other clients."""
        time.sleep(BACKOFF_S * 2 ** (attempt - 1) * (0.5 + random.random()))


def as_written(value: str) -> str:
    """Return a header's value as its writer meant it: most write UTF-8, and Latin-1 is read."""
    try:
        return value if value.isascii() else value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def encode_query(query: Query) -> str:
    """Return the query as it is sent; a field without a value keeps its `=`.

    Values of one field are in order: servers differ in how they sort them for the signature.
    """
    return "&".join(
        f"{quote(name, safe='~')}={quote(each, safe='~')}"
        for name, value in query.items()
        for each in ([value] if isinstance(value, str) else sorted(value))
    )


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | IO[bytes],
) -> http.client.HTTPResponse:
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value.encode("utf-8"))
    connection.endheaders()
    if isinstance(body, bytes):
        if body:
            connection.send(body)
    else:
        while piece := body.read(1 << 18):
            connection.send(piece)
    return connection.getresponse()


def hopeless(error: Exception) -> bool:
    """Whether the same request would fail again in the same way."""
    return isinstance(error, ConnectionRefusedError | socket.gaierror | ssl.SSLError)


def show_request(method: str, url: str, headers: Mapping[str, str]) -> None:
    """Print a request for `--debug`."""
    path, _, query = url.partition("?")
    fields = [
        f"{name}=…" if name in _SECRET_FIELDS else f"{name}={value}"
        for name, _, value in (field.partition("=") for field in query.split("&") if field)
    ]
    lines = [f"> {method} {path}" + (f"?{'&'.join(fields)}" if fields else "")]
    _show(lines, ">", headers)


def show_answer(status: int, reason: str, headers: Mapping[str, str]) -> None:
    """Print the head of an answer for `--debug`."""
    _show([f"< {status} {reason}"], "<", headers)


def _show(lines: list[str], sign: str, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        secret = any(word in name for word in _SECRET_HEADERS)
        lines.append(f"{sign} {name}: {'…' if secret else value}")
    sys.stderr.write("\n".join(lines) + "\n")
