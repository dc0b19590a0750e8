"""AWS Signature Version 4 as arithmetic: canonical forms, keys, signatures, and client signing.

Knows no socket and no server. The verifier (`neve.s3.sigv4`) and the clients of the project share
these functions; what proves them is not that they agree with each other but that they agree with
botocore (`tests/s3/test_sigv4.py`).

Invariants: everything canonical is bytes; S3's path is never normalised (`//`, `.` and `..` stay);
a space is `%20`, never `+`; every function is total over arbitrary bytes.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from operator import itemgetter
from urllib.parse import unquote_to_bytes, urlsplit

ALGORITHM = b"AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest().encode()
EXPIRES_S_MAX = 604_800
"""AWS: a presigned URL lives seven days at most."""

UNSIGNED_HEADERS = frozenset(
    ("authorization", "connection", "content-length", "expect", "transfer-encoding", "user-agent")
)
"""Headers that proxies and HTTP libraries change on the way: a client must not sign them."""

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PATH_PLAIN = _UNRESERVED + b"/"
_QUERY_PLAIN = _UNRESERVED + b"&="
_PATH_TABLE = [bytes((c,)) if c in _PATH_PLAIN else b"%%%02X" % c for c in range(256)]
_QUERY_TABLE = [bytes((c,)) if c in _UNRESERVED else b"%%%02X" % c for c in range(256)]

# Escapes that decoding and encoding again leaves alone: in capitals, of bytes that need one. A run
# of plain bytes is taken whole or not at all (`++`): a hostile path must not make the pattern try
# every way to divide it. The outer repetition is not possessive: before 3.11.5 that goes wrong.
_ESCAPES = rb"[0189A-F][0-9A-F]|2[0-9A-C]|3[A-F]|40|5[B-E]|60|7[B-DF]"
_PATH_CANONICAL = re.compile(rb"(?:[\w\-.~/]++|%(?:" + _ESCAPES + rb"))*", re.ASCII).fullmatch
_QUERY_CANONICAL = re.compile(rb"(?:[\w\-.~&=]++|%(?:2F|" + _ESCAPES + rb"))*", re.ASCII).fullmatch
_TEXT_CANONICAL = re.compile(rb"(?:[\w\-.~]++|%(?:2F|" + _ESCAPES + rb"))*", re.ASCII).fullmatch


def canonical_path(raw: bytes) -> bytes:
    """Return the path as it must be signed: decoded, then encoded with `/` and unreserved plain."""
    if not raw.translate(None, _PATH_PLAIN) or _PATH_CANONICAL(raw):
        return raw
    return b"".join(map(_PATH_TABLE.__getitem__, unquote_to_bytes(raw)))


def canonical_query(raw: bytes, *, by_name: bool = False) -> bytes:
    """Return the query as it must be signed: encoded anew, sorted, without `X-Amz-Signature`.

    A `+` means a space, as S3 reads it; a parameter without `=` has an empty value. With `by_name`
    the values of one name stay in the order they come, which is how Go's clients sort.
    """
    if not raw:
        return b""
    plain = not raw.translate(None, _QUERY_PLAIN) or _QUERY_CANONICAL(raw) is not None
    pairs = []
    for piece in raw.split(b"&"):
        name, _, value = piece.partition(b"=")
        if not (plain or _TEXT_CANONICAL(name)):
            name = _quote(unquote_to_bytes(name.replace(b"+", b" ")))
        if b"=" in value if plain else not _TEXT_CANONICAL(value):
            value = _quote(unquote_to_bytes(value.replace(b"+", b" ")))
        if piece and name != b"X-Amz-Signature":
            pairs.append((name, value))
    if len(pairs) > 1:
        pairs.sort(key=itemgetter(0) if by_name else None)
    return b"&".join([b"%b=%b" % pair for pair in pairs])


def raw_query_sorted(raw: bytes) -> bytes:
    """Return the query sorted and without `X-Amz-Signature`, its bytes as they were sent."""
    pairs = [piece.partition(b"=")[::2] for piece in raw.split(b"&") if piece]
    pairs.sort()
    return b"&".join([b"%b=%b" % pair for pair in pairs if pair[0] != b"X-Amz-Signature"])


def canonical_value(value: bytes) -> bytes:
    """Return a header value trimmed, with each run of white space as one space."""
    return b" ".join(value.split())


def canonical_request(
    method: bytes, path: bytes, query: bytes, block: bytes, signed: bytes, payload: bytes
) -> bytes:
    """Join the six parts. `block` holds the lines `name:value`, each with its line feed."""
    return b"%b\n%b\n%b\n%b\n%b\n%b" % (method, path, query, block, signed, payload)


def string_to_sign(amz_date: bytes, scope: bytes, canonical: bytes) -> bytes:
    """Return what the signing key signs."""
    digest = hashlib.sha256(canonical).hexdigest().encode()
    return b"AWS4-HMAC-SHA256\n%b\n%b\n%b" % (amz_date, scope, digest)


def signing_key(secret: bytes, date: bytes, region: bytes, service: bytes = b"s3") -> bytes:
    """Derive the key of one day, region and service. `date` is `yyyymmdd`."""
    key = b"AWS4" + secret
    for part in (date, region, service, b"aws4_request"):
        key = hmac.digest(key, part, "sha256")
    return key


def signature(key: bytes, text: bytes) -> bytes:
    """Return the signature of a string to sign, in hex."""
    return hmac.digest(key, text, "sha256").hex().encode()


def scope_of(date: bytes, region: bytes, service: bytes = b"s3") -> bytes:
    """Return the credential scope, `yyyymmdd/region/service/aws4_request`."""
    return b"%b/%b/%b/aws4_request" % (date, region, service)


def sign_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    access_key: str,
    secret_key: str,
    region: str,
    payload_hash: str = "UNSIGNED-PAYLOAD",
    now: float | None = None,
) -> dict[str, str]:
    """Return `headers` and what authenticates the request: host, date, payload hash, signature.

    `url` is the URL as it will be sent, percent-encoded. Names come back in lower case.
    """
    amz_date = amz_date_of(now)
    sent = {name.lower(): value for name, value in headers.items()}
    parts = urlsplit(url)
    sent.update({"x-amz-date": amz_date, "x-amz-content-sha256": payload_hash})
    sent.setdefault("host", _host_of(parts.scheme, parts.netloc))
    names = sorted(name for name in sent if name not in UNSIGNED_HEADERS)
    signed = ";".join(names)
    canonical = canonical_request(
        method.encode(),
        canonical_path(parts.path.encode() or b"/"),
        canonical_query(parts.query.encode()),
        _block((name, sent[name]) for name in names),
        signed.encode(),
        payload_hash.encode(),
    )
    scope, sign = _sign(canonical, amz_date, secret_key, region)
    parts_signed = f"SignedHeaders={signed}, Signature={sign}"
    sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, {parts_signed}"
    return sent


def presign_url(
    method: str,
    url: str,
    access_key: str,
    secret_key: str,
    region: str,
    expires_s: int,
    now: float | None = None,
) -> str:
    """Return `url` with a signature in its query: who holds it may do `method` for a while."""
    if not 0 < expires_s <= EXPIRES_S_MAX:
        raise ValueError(f"a presigned URL lives 1 to {EXPIRES_S_MAX} seconds, not {expires_s}")
    amz_date = amz_date_of(now)
    parts = urlsplit(url)
    host = _host_of(parts.scheme, parts.netloc)
    credential = f"{access_key}/{scope_of(amz_date[:8].encode(), region.encode()).decode()}"
    query = "&".join(
        ([parts.query] if parts.query else [])
        + [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential={_quote(credential.encode()).decode()}",
            f"X-Amz-Date={amz_date}",
            f"X-Amz-Expires={expires_s}",
            "X-Amz-SignedHeaders=host",
        ]
    )
    path = parts.path or "/"
    canonical = canonical_request(
        method.encode(),
        canonical_path(path.encode()),
        canonical_query(query.encode()),
        _block([("host", host)]),
        b"host",
        UNSIGNED_PAYLOAD,
    )
    _, sign = _sign(canonical, amz_date, secret_key, region)
    return f"{parts.scheme}://{parts.netloc}{path}?{query}&X-Amz-Signature={sign}"


def amz_date_of(now: float | None) -> str:
    """Return a time, or the present one, as `yyyymmddThhmmssZ`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _sign(canonical: bytes, amz_date: str, secret_key: str, region: str) -> tuple[str, str]:
    date = amz_date[:8].encode()
    scope = scope_of(date, region.encode())
    key = signing_key(secret_key.encode(), date, region.encode())
    text = string_to_sign(amz_date.encode(), scope, canonical)
    return scope.decode(), signature(key, text).decode()


def _block(headers: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(
        b"%b:%b\n" % (name.encode(), canonical_value(value.encode())) for name, value in headers
    )


def _host_of(scheme: str, netloc: str) -> str:
    """Return the Host header that HTTP libraries send: no user, no default port."""
    host = netloc.rpartition("@")[2]
    return host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))


def _quote(text: bytes) -> bytes:
    return b"".join(map(_QUERY_TABLE.__getitem__, text))
