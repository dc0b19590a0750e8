"""An HTTP request as data, and the strict parser of its head.

The parser sees complete heads only. It accepts what RFC 9112 lets a client send and nothing that
two parsers could read differently: no bare CR or LF, no folding, no space before a colon, one Host,
one Content-Length, no Content-Length beside Transfer-Encoding. Methods are any token: the handler
knows which it serves. Targets may hold raw non-ASCII bytes, as S3 clients send them.

Why not httptools: it knows no methods but its own, refuses raw UTF-8 in targets, takes HTTP/0.9 and
double spaces, and would need this parser beside it for that; it would save 1 of 4 microseconds.
"""

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any

from neve.server.http_errors import HttpRefused, bad_request
from neve.server.http_limits import HttpLimits

if TYPE_CHECKING:
    from neve.server.http_body import Body

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HOST = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~:[]%!$&'()*+,;="
# Deleting these from a head must leave nothing but the CR LF between its lines.
_TEXT = bytes(code for code in range(256) if code == 9 or (code >= 32 and code != 127))
_METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")
}
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://[^/?#]+(.*)", re.DOTALL)
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_LENGTH_DIGITS_MAX = 18
# Field names come from a handful of clients; each distinct spelling is checked and lowered once.
_NAMES_MAX = 2048
_names: dict[bytes, bytes] = {}


class Request:
    """A request whose head is complete. The last slots belong to the layers above."""

    __slots__ = (
        "method",
        "raw_path",
        "raw_query",
        "headers",
        "version",
        "body",
        "client",
        "inside",
        "secure",
        "started",
        "id",
        "keep_alive",
        "operation",
        "caller",
        "auth",
        "decision",
        "principal",
        "bucket",
        "key",
        "error_code",
        "details",
    )

    body: "Body"
    client: str
    inside: bool
    """Set, to true, only when the panel of this server made the request (`server.visitors`)."""
    secure: bool
    id: str

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: dict[bytes, bytes],
        version: str,
        keep_alive: bool,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.raw_query = raw_query
        self.headers = headers
        self.version = version
        self.keep_alive = keep_alive
        self.started = perf_counter()
        self.operation = ""
        self.error_code = ""
        self.caller: Any = None
        self.auth: Any = None
        self.decision: Any = None
        self.principal: Any = None
        self.bucket: Any = None
        self.key: Any = None
        self.details: Any = None


def parse_head(head: bytes, limits: HttpLimits) -> Request:
    """Return the request of a head given without its last CR LF CR LF.

    Body, client, secure and id are left for the connection to fill. Raises HttpRefused.
    """
    lines = head.split(b"\r\n")
    line = lines.pop(0)
    count = len(lines)
    check_size(len(line), len(head) - len(line), limits)
    if count > limits.header_count_max:
        raise HttpRefused(431, "RequestHeaderSectionTooLarge", "Too many headers.")
    if len(head.translate(None, _TEXT)) != 2 * count or b"\t" in line:
        raise bad_request("The head holds a control character.")
    parts = line.split(b" ")
    if len(parts) != 3:
        raise bad_request("The request line is malformed.")
    method, target, version = parts
    name = _METHODS.get(method) or _parse_method(method)
    if version == b"HTTP/1.1":
        number = "1.1"
    elif version == b"HTTP/1.0":
        number = "1.0"
    else:
        raise _version_refused(method, version)
    if target[:1] != b"/":
        target = _parse_target(name, target)
    path, _, query = target.partition(b"?")
    headers = _parse_headers(lines)
    if number == "1.1":
        host = headers.get(b"host")
        if host is None or host.translate(None, _HOST):
            raise bad_request("The Host header is missing or malformed.")
    connection = headers.get(b"connection")
    keep = number == "1.1" if connection is None else _keeps_alive(connection, number)
    return Request(name, path, query, headers, number, keep)


def body_length(request: Request) -> int | None:
    """Return the length of the request's body, or None when it is chunked. Raises HttpRefused."""
    headers = request.headers
    length = headers.get(b"content-length")
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise bad_request("Content-Length and Transfer-Encoding exclude each other.")
        if request.version == "1.0":
            raise bad_request("HTTP/1.0 knows no Transfer-Encoding.")
        if coding.lower() != b"chunked":
            raise HttpRefused(501, "NotImplemented", "This transfer coding is not implemented.")
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > _LENGTH_DIGITS_MAX:
        raise bad_request("The Content-Length is malformed.")
    return int(length)


def expects_continue(request: Request) -> bool:
    """Return whether the client waits for 100 Continue. Raises HttpRefused."""
    expect = request.headers.get(b"expect")
    # An empty field expects nothing.
    if not expect or request.version == "1.0":
        return False
    if expect.lower() != b"100-continue":
        raise HttpRefused(417, "ExpectationFailed", "Only 100-continue can be expected.")
    return True


def check_size(line: int, headers: int, limits: HttpLimits) -> None:
    """Refuse a head of these sizes if they are over the limits."""
    if line > limits.request_line_bytes_max:
        raise HttpRefused(414, "URITooLong", "The request line is too long.")
    if headers > limits.header_bytes_max:
        raise HttpRefused(431, "RequestHeaderSectionTooLarge", "The headers are too large.")


def check_partial(head: bytes | bytearray, limits: HttpLimits) -> None:
    """Refuse an incomplete head that cannot become a good one, without waiting for it."""
    end = head.find(b"\n")
    line = len(head) if end < 0 else end
    check_size(line, len(head) - line, limits)
    if head.count(b"\n") != head.count(b"\r\n"):
        raise bad_request("A line ends without CR.")
    if head[:1] != b"\r" and not _TOKEN.match(head):
        raise bad_request("This is not HTTP.")
    if end >= 0:
        parts = bytes(head[: end - 1]).split(b" ")
        if len(parts) != 3:
            raise bad_request("The request line is malformed.")
        if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise _version_refused(parts[0], parts[2])


def _parse_headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    known = _names
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise bad_request("A header line has no colon.")
        try:
            headers[known[name]] = value.strip()
        except KeyError:
            headers[_learn_name(name)] = value.strip()
    return headers if len(headers) == len(lines) else _join_repeated(lines)


def _join_repeated(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        value = value.strip()
        if name in headers:
            if name in (b"host", b"content-length"):
                raise bad_request("A header that must be single is repeated.")
            value = b"%b,%b" % (headers[name], value)
        headers[name] = value
    return headers


def _learn_name(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise bad_request("A header name is malformed.")
    lower = name.lower()
    if len(_names) < _NAMES_MAX and len(name) <= 64:
        _names[name] = lower
    return lower


def _parse_method(method: bytes) -> str:
    if not _TOKEN.fullmatch(method) or len(method) > 32:
        raise bad_request("The method is malformed.")
    return method.decode("ascii")


def _parse_target(method: str, target: bytes) -> bytes:
    if target == b"*" and method == "OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise bad_request("The request target is malformed.")
    rest = absolute[1]
    return rest if rest[:1] == b"/" else b"/" + rest


def _version_refused(method: bytes, version: bytes) -> HttpRefused:
    if method == b"PRI" or not _VERSION.fullmatch(version):
        return bad_request("This server speaks HTTP/1.1.")
    return HttpRefused(505, "HTTPVersionNotSupported", "This server speaks HTTP/1.1.")


def _keeps_alive(connection: bytes, version: str) -> bool:
    options = [option.strip() for option in connection.lower().split(b",")]
    if b"close" in options:
        return False
    return version == "1.1" or b"keep-alive" in options
