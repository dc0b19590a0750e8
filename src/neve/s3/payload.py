"""The body of a request on its way to where it belongs, every digest it declares checked.

`receive_body` streams it into an engine writer, `read_body` returns it whole. Both take it plain or
in `aws-chunked` frames. Nothing received is visible to anybody before its digests have been
checked; after any failure the writer has been aborted.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from neve.s3.checksums import BodyDigest, parse_content_md5, parse_declared
from neve.s3.chunked import ChunkDecoder, decode_small, decoded_length_of
from neve.s3.errors import S3Error
from neve.s3.integrity import Sum
from neve.s3.request import Request
from neve.s3.sigv4 import SHA256, STREAM_SIGNED, UNSIGNED

if TYPE_CHECKING:
    from neve.engine.write import Writer
    from neve.s3.call import Call
    from neve.s3.sigv4 import Authenticated

_NO_NAMES: frozenset[bytes] = frozenset()
_NO_TRAILERS: Mapping[bytes, bytes] = {}


class Received(NamedTuple):
    """A body that has arrived whole and is what it was declared to be."""

    writer: "Writer"
    """Closed, ready to be published."""
    md5: str
    """Hex digits."""
    checksum: Sum | None


async def receive_body(
    call: "Call",
    size_max: int,
    default_algorithm: str | None = None,
    *,
    admit: Callable[["Call", int], None] | None = None,
) -> Received:
    """Take the body into a writer. `default_algorithm`: computed when nothing is declared.

    `admit` may refuse a body of a known size that has not arrived yet.

    Raises: S3Error MissingContentLength, EntityTooLarge, BadDigest and its kin; what the front
    raises from a body; StoreFull, StoreFault.
    """
    headers, body = call.headers, call.request.body
    spec = call.auth.payload
    framed = spec.kind > SHA256
    declared = parse_declared(headers, streaming=framed)
    digest = BodyDigest(
        spec, declared, parse_content_md5(headers), default_algorithm=default_algorithm
    )
    # Without a length (plain chunked transfer) the limit is kept while the body comes in.
    size = decoded_length_of(headers) if framed else body.length
    if size is not None and size > size_max:
        raise _too_large(size, size_max)
    ready = body.ready
    if ready and size and spec.kind == STREAM_SIGNED and declared is None:
        ready = decode_small(spec, ready, size)
        framed = ready is None
    if ready is not None and not framed:
        digest.update(ready)
        md5, checksum = digest.finish()
        writer = call.engine.small(ready)
        await writer.close()
        return Received(writer, md5, checksum)
    if admit is not None and size is not None:
        admit(call, size)
    writer = call.engine.writer(size)
    feed = Feed(digest, writer, size_max)
    try:
        trailers = _NO_TRAILERS
        if framed:
            names = declared.trailer_names if declared is not None else _NO_NAMES
            decoder = ChunkDecoder(spec, feed, decoded_length=size, trailer_names=names)
            await body.pump(decoder.feed)
            trailers = decoder.finish()
        else:
            await body.pump(feed)
        md5, checksum = digest.finish(trailers)
        await writer.close()
    except BaseException:
        writer.abort()
        raise
    return Received(writer, md5, checksum)


class Feed:
    """Passes decoded pieces to the digests, then to the writer."""

    __slots__ = ("_feed", "_left", "_limit", "_update")

    def __init__(self, digest: BodyDigest, writer: "Writer", limit: int) -> None:
        self._update = digest.update
        self._feed = writer.feed
        self._limit = self._left = limit

    def __call__(self, piece: memoryview) -> Any:
        self._left -= len(piece)
        if self._left < 0:
            raise _too_large(self._limit - self._left, self._limit)
        self._update(piece)
        return self._feed(piece)


def _too_large(size: int, limit: int) -> S3Error:
    return S3Error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=limit)


class Carrier(Protocol):
    """What a body can be read from: an operation's call, or an admin call."""

    @property
    def headers(self) -> Mapping[bytes, bytes]: ...
    @property
    def request(self) -> Request: ...
    @property
    def auth(self) -> "Authenticated": ...


async def read_body(call: Carrier, limit: int, *, own_checksum: bool = True) -> bytes:
    """Return the whole body, of at most `limit` bytes. Raises as `receive_body` does.

    Without `own_checksum` the x-amz-checksum-* headers speak of something else than the body.
    """
    headers, body = call.headers, call.request.body
    spec = call.auth.payload
    framed = spec.kind > SHA256
    declared = parse_declared(headers, streaming=framed) if own_checksum else None
    digest = BodyDigest(spec, declared, parse_content_md5(headers))
    if not framed:
        data = await body.read(limit)
        digest.update(data)
        digest.finish()
        return data
    size = decoded_length_of(headers)
    if size > limit:
        raise S3Error("MaxMessageLengthExceeded")
    pieces: list[bytes] = []

    def collect(piece: memoryview) -> None:
        digest.update(piece)
        pieces.append(bytes(piece))

    names = declared.trailer_names if declared is not None else _NO_NAMES
    decoder = ChunkDecoder(spec, collect, decoded_length=size, trailer_names=names)
    await body.pump(decoder.feed)
    digest.finish(decoder.finish())
    return b"".join(pieces)


def has_digest(call: "Call") -> bool:
    """Say whether the request lets its body be checked in any way."""
    headers = call.headers
    return (
        b"content-md5" in headers
        or b"x-amz-trailer" in headers
        or call.auth.payload.kind != UNSIGNED
        or any(name.startswith(b"x-amz-checksum-") for name in headers)
    )
