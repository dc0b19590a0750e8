"""Framed bodies, signed and not, built without the code under test; and a way to decode them."""

import base64
import hashlib
import hmac
import zlib
from collections.abc import Sequence

import pytest
from tests.s3.signed_requests import ACCESS_KEY, REGION, SECRET_KEY

from neve import signing
from neve.s3.chunked import ChunkDecoder
from neve.s3.errors import S3Error
from neve.s3.sigv4 import STREAM_SIGNED, STREAM_UNSIGNED_TRAILER, PayloadSpec

DATA = b"the data"
DATE = b"20130524T000000Z"
SCOPE = b"20130524/us-east-1/s3/aws4_request"
KEY = signing.signing_key(SECRET_KEY.encode(), b"20130524", REGION.encode())
SEED = b"0" * 64
CRC32 = b"x-amz-checksum-crc32"
UNSIGNED = PayloadSpec(STREAM_UNSIGNED_TRAILER)


def signed_spec(kind: int = STREAM_SIGNED, seed: bytes = SEED) -> PayloadSpec:
    spec = PayloadSpec(kind)
    spec.amz_date, spec.scope, spec.signing_key, spec.seed_signature = DATE, SCOPE, KEY, seed
    spec.access_key = ACCESS_KEY
    return spec


def decode(
    body: bytes,
    length: int | None,
    spec: PayloadSpec = UNSIGNED,
    trailers: Sequence[bytes] = (),
    *,
    step: int | None = None,
) -> tuple[bytes, dict[bytes, bytes]]:
    """Feed the body in pieces of `step` bytes; return data and trailers."""
    out = bytearray()
    decoder = ChunkDecoder(
        spec, out.extend, decoded_length=length, trailer_names=frozenset(trailers)
    )
    view = memoryview(body)
    step = step or max(1, len(body))
    for at in range(0, len(body), step):
        assert decoder.feed(view[at : at + step]) is None
    found = decoder.finish()
    return bytes(out), found


def refusal(body: bytes, length: int, spec: PayloadSpec = UNSIGNED, *trailers: bytes) -> S3Error:
    with pytest.raises(S3Error) as caught:
        decode(body, length, spec, trailers)
    return caught.value


def frames(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def chunk_signature(previous: bytes, chunk: bytes) -> bytes:
    empty = hashlib.sha256(b"").hexdigest()
    digest = hashlib.sha256(chunk).hexdigest()
    scope = f"{DATE.decode()}\n{SCOPE.decode()}\n{previous.decode()}"
    text = f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{empty}\n{digest}"
    return hmac.new(KEY, text.encode(), "sha256").hexdigest().encode()


def trailer_signature(previous: bytes, lines: bytes) -> bytes:
    digest = hashlib.sha256(lines).hexdigest()
    parts = ["AWS4-HMAC-SHA256-TRAILER", DATE.decode(), SCOPE.decode(), previous.decode(), digest]
    return hmac.new(KEY, "\n".join(parts).encode(), "sha256").hexdigest().encode()


def signed_frames(*chunks: bytes, seed: bytes = SEED, end: bytes = b"\r\n") -> tuple[bytes, bytes]:
    """The frames with their signatures, and the last signature. `end` follows the empty frame."""
    body = []
    for chunk in chunks:
        seed = chunk_signature(seed, chunk)
        body.append(b"%x;chunk-signature=%b\r\n%b" % (len(chunk), seed, chunk))
        body.append(b"\r\n" if chunk else end)
    return b"".join(body), seed


def trailing(data: bytes) -> bytes:
    return CRC32 + b":" + base64.b64encode(zlib.crc32(data).to_bytes(4, "big")) + b"\r\n"


def minio_trailer_body() -> bytes:
    """The same as minio-go, which `mc` is made of, frames it: LF after the trailer, then CRLF."""
    line = trailing(DATA).replace(b"\r", b"")
    return frames(DATA) + b"0\r\n" + line + b"\r\n\r\n"


def signed_minio_trailer_body() -> bytes:
    """The same, signed."""
    body, last = signed_frames(DATA, b"", end=b"")
    line = trailing(DATA).replace(b"\r", b"")
    signature = trailer_signature(last, line)
    return body + line + b"\r\nx-amz-trailer-signature:" + signature + b"\r\n\r\n"


def signed_trailer_body() -> bytes:
    """DATA with its checksum as a trailer, both signed."""
    body, last = signed_frames(DATA, b"", end=b"")
    line = trailing(DATA)
    signature = trailer_signature(last, line.replace(b"\r", b""))
    return body + line + b"x-amz-trailer-signature:" + signature + b"\r\n\r\n"
