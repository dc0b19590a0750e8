"""What the protocol layer reads from a request: its target, its query and its fields.

`Request` describes the front's object; nothing here opens a socket. Keys are the percent-decoded
bytes of the raw path, exactly: `//`, a leading `/`, `+` and dots stay, `%2F` is part of the key.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from neve.s3.errors import S3Error

QUERY_FIELDS_MAX = 100
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BUCKET_CHARACTERS = re.compile(rb"[A-Za-z0-9._-]{1,255}")


class Body(Protocol):
    """The body of a request as the front hands it over."""

    length: int | None
    """Content-Length; None when the body is chunked."""
    ready: bytes | None
    """The whole body when it has arrived with the headers, else None."""

    async def pump(self, feed: Callable[[memoryview], Awaitable[Any] | None]) -> Any:
        """Call `feed` with every slab in order; waits for what it returns."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises when it is longer than `limit`."""


class Request(Protocol):
    """A request as the front hands it over; the pipeline fills what comes after the id."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[bytes, bytes]
    body: Body
    client: str
    secure: bool
    id: str
    operation: str
    caller: Any
    """The Principal, once there is one."""
    auth: Any
    """What authentication found out; its `access_key` is who signed."""
    decision: Any
    """The Decision of the policy that was asked last, if one was."""
    details: Callable[[], dict[str, Any]] | None
    """Gives what the audit log shall say on top: `objects` or `arguments`."""
    principal: str
    bucket: str
    key: str
    error_code: str


def parse_target(raw_path: bytes, host: bytes, domains: list[bytes]) -> tuple[str, bytes]:
    """Return (bucket, percent-decoded key bytes); an empty bucket is the service itself.

    `domains` are the suffixes (`.s3.example.org`) under which buckets are host names.
    Raises: S3Error InvalidURI.
    """
    if domains:
        bucket = bucket_of_host(host, domains)
        if bucket is not None:
            return bucket, unescape(raw_path[1:])
    slash = raw_path.find(b"/", 1)
    if slash < 0:
        name, raw_key = raw_path[1:], b""
    else:
        name, raw_key = raw_path[1:slash], raw_path[slash + 1 :]
    if b"%" in raw_key:
        raw_key = unescape(raw_key)
    if name:
        return bucket_name(name), raw_key
    if raw_key:
        raise S3Error("InvalidURI")
    return "", b""


def bucket_of_host(host: bytes, domains: list[bytes]) -> str | None:
    """Return the bucket that is a host name under one of `domains`, or None.

    Raises: S3Error InvalidBucketName.
    """
    name = host.partition(b":")[0].lower()
    for suffix in domains:
        if name.endswith(suffix) and len(name) > len(suffix):
            return bucket_name(name[: -len(suffix)])
    return None


def bucket_name(raw: bytes) -> str:
    """Return the bucket named by `raw`, which no rule but the character set has checked.

    Raises: S3Error InvalidBucketName.
    """
    if b"%" in raw:
        raw = unescape(raw)
    if not _BUCKET_CHARACTERS.fullmatch(raw):
        raise S3Error("InvalidBucketName", BucketName=raw.decode("utf-8", "replace"))
    return raw.decode("ascii")


def unescape(raw: bytes) -> bytes:
    """Return the percent-decoded bytes. Raises: S3Error InvalidURI."""
    if _BROKEN_ESCAPE.search(raw):
        raise S3Error("InvalidURI")
    return unquote_to_bytes(raw)


def parse_query(raw: bytes) -> dict[str, str]:
    """Return the query's fields, decoded; of a repeated field the first counts.

    Raises: S3Error InvalidURI (broken escape, not UTF-8, too many fields).
    """
    fields: dict[str, str] = {}
    pairs = raw.split(b"&")
    if len(pairs) > QUERY_FIELDS_MAX:
        raise S3Error("InvalidURI")
    for pair in pairs:
        if pair:
            name, _, value = pair.partition(b"=")
            fields.setdefault(_query_text(name), _query_text(value))
    return fields


def _query_text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unescape(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI") from error


def integer(query: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return the query's whole number, clipped to `high`; `default` when absent or empty.

    Raises: S3Error InvalidArgument (not a number, below `low`, beyond 32 bits).
    """
    text = query.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        message = f"Provided {name} not an integer or within integer range"
        if text[0] == "-" and text[1:].isdigit():
            message = f"Argument {name} must be an integer between {low} and 2147483647"
        raise S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=text)
    value = int(text) if len(text) < 12 else 1 << 40
    if value < low or value > 2**31 - 1:
        message = f"Argument {name} must be an integer between {low} and 2147483647"
        raise S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=text)
    return min(value, high)
