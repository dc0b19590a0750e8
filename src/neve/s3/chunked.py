"""The decoder of `aws-chunked` bodies: frames in, the object's bytes out, signatures verified.

    frame    = size in hex [";chunk-signature=" 64 hex digits] CRLF, size bytes, CRLF
    body     = frame … frame, "0" [";chunk-signature=" …] CRLF, trailers, [CRLF]
    trailers = (name ":" value end) …, ["x-amz-trailer-signature:" 64 hex digits CRLF]
    end      = CRLF, or LF CRLF, as minio-go has it

It is fed whatever pieces the socket yields and passes decoded bytes on at once: only lines are held
back, never data. The caller must not let the object be seen before `finish()` returned, since the
signature of a frame is known to hold only when its last byte is in.

Invariants: the same bytes give the same result however they are split; decoded bytes never exceed
the declared length; only `S3Error` is raised; after an error, `finish()` does not succeed.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from neve.s3.claims import mismatch
from neve.s3.errors import S3Error
from neve.s3.sigv4 import (
    STREAM_SIGNED,
    STREAM_SIGNED_TRAILER,
    STREAM_UNSIGNED_TRAILER,
    PayloadSpec,
)
from neve.signing import EMPTY_SHA256

_SMALL_HEAD = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})\r\n").match
_SMALL_END = re.compile(rb"\r\n0;chunk-signature=([0-9a-f]{64})\r\n\r\n\Z").match

LINE_BYTES_MAX = 1024
"""Of a frame's first line or a trailer; clients send about 100."""
TRAILERS_MAX = 8
TAIL_BYTES_MAX = 8
"""Line ends that may follow the end of the body: some SDKs send one too many."""
FRAME_BYTES_MIN = 8192
"""AWS: the least size of a signed frame, but for the last. Unsigned ones may be of any size, since
clients pass on what short reads of their source gave them."""

_HEADER: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILER: Final = 3
_TAIL: Final = 4
_FAILED: Final = 5

_parse_frame = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(;.*)?", re.DOTALL).fullmatch
_TRAILER_SIGNATURE = b"x-amz-trailer-signature"


class ChunkDecoder:
    """Decode one body. `sink` gets slices of what `feed` was given, valid until `feed` returns."""

    __slots__ = (
        "_decoded",
        "_decoded_length",
        "_frame",
        "_frame_index",
        "_frame_signature",
        "_hash",
        "_line",
        "_lone",
        "_missing",
        "_previous",
        "_signed",
        "_sink",
        "_spec",
        "_state",
        "_tail",
        "_trailer_lines",
        "_trailer_names",
        "_trailer_signature",
        "_trailers",
    )

    def __init__(
        self,
        spec: PayloadSpec,
        sink: Callable[[memoryview], Any],
        *,
        decoded_length: int | None,
        trailer_names: frozenset[bytes],
    ) -> None:
        if decoded_length is None:
            raise S3Error("MissingContentLength")
        assert spec.kind in (STREAM_SIGNED, STREAM_SIGNED_TRAILER, STREAM_UNSIGNED_TRAILER)
        self._spec = spec
        self._sink = sink
        self._decoded_length = decoded_length
        self._trailer_names = trailer_names
        self._signed = spec.kind != STREAM_UNSIGNED_TRAILER
        self._previous = spec.seed_signature
        self._state = _HEADER
        self._line = b""
        """What has come of a line whose end has not."""
        self._lone = False
        """A trailer ended with LF: the CRLF that belongs to it is still to come."""
        self._decoded = 0
        self._frame = FRAME_BYTES_MIN
        """Size of the present frame, or of the last one."""
        self._frame_index = 0
        self._frame_signature = b""
        self._missing = 0
        """Bytes of the present frame still to come."""
        self._hash = sha256()
        self._trailer_lines: list[bytes] = []
        self._trailer_signature: bytes | None = None
        self._trailers: dict[bytes, bytes] = {}
        self._tail = 0

    def feed(self, piece: memoryview) -> Any:
        """Decode a piece. Return the last thing the sink returned that was not None.

        Raises S3Error, after which the body is lost.
        """
        try:
            return self._feed(piece)
        except S3Error:
            self._state = _FAILED
            raise

    def finish(self) -> dict[bytes, bytes]:
        """End the body; return its trailers. Raises S3Error if anything is missing or wrong."""
        if self._state not in (_TRAILER, _TAIL) or self._line or self._lone:
            raise _incomplete()
        if self._spec.kind == STREAM_SIGNED_TRAILER:
            self._check_trailer_signature()
        if self._trailers.keys() != self._trailer_names:
            raise S3Error("MalformedTrailerError")
        return self._trailers

    def _feed(self, piece: memoryview) -> Any:
        waiting = None
        position = 0
        end = len(piece)
        while position < end:
            if self._state == _DATA:
                stop = min(end, position + self._missing)
                data = piece[position:stop]
                self._missing -= stop - position
                position = stop
                if self._signed:
                    self._hash.update(data)
                answer = self._sink(data)
                if answer is not None:
                    waiting = answer
                if not self._missing:
                    self._end_frame(_DATA_END)
            elif self._state == _FAILED:
                raise _incomplete()
            elif self._state == _TAIL:
                self._take_tail(bytes(piece[position : position + TAIL_BYTES_MAX + 1]))
                position = end
            else:
                position += self._take_line(piece, position)
        return waiting

    def _take_line(self, piece: memoryview, position: int) -> int:
        """Take a line, or what there is of one, and act on it. Return the bytes taken."""
        room = LINE_BYTES_MAX - len(self._line)
        text = bytes(piece[position : position + room])
        index = text.find(b"\n")
        if index < 0:
            self._line += text
            if len(self._line) >= LINE_BYTES_MAX:
                raise _malformed_trailer() if self._state == _TRAILER else _incomplete()
            return len(text)
        line = self._line + text[: index + 1]
        self._line = b""
        if not line.endswith(b"\r\n"):
            if self._state != _TRAILER or len(line) == 1:
                raise _incomplete()
            self._lone = True
            self._take_trailer(line[:-1])
        elif self._state == _HEADER:
            self._start_frame(line[:-2])
        elif self._state == _TRAILER:
            self._take_trailer(line[:-2])
        elif line == b"\r\n":
            self._state = _HEADER
        else:
            raise _incomplete()
        return index + 1

    def _start_frame(self, line: bytes) -> None:
        match = _parse_frame(line)
        if match is None:
            raise _incomplete()
        size = int(match[1], 16)
        self._frame_index += 1
        if self._signed:
            self._frame_signature = _extension_value(match[2])
            if size and self._frame < FRAME_BYTES_MIN:
                raise S3Error(
                    "InvalidChunkSizeError",
                    "Only the last chunk is allowed to have a size less than 8192 bytes",
                    Chunk=self._frame_index,
                    BadChunkSize=self._frame,
                )
            self._hash = sha256()
        self._frame = self._missing = size
        self._decoded += size
        if size and self._decoded <= self._decoded_length:
            self._state = _DATA
        elif self._decoded == self._decoded_length:
            self._end_frame(_TRAILER)
        else:
            raise S3Error(
                "IncompleteBody",
                NumberBytesExpected=self._decoded_length,
                NumberBytesProvided=self._decoded,
            )

    def _end_frame(self, state: int) -> None:
        """Verify the frame's signature, then go on to `state`."""
        if self._signed:
            digest = self._hash.hexdigest().encode()
            self._check(b"PAYLOAD", b"%b\n%b" % (EMPTY_SHA256, digest), self._frame_signature)
        self._state = state

    def _check(self, kind: bytes, last: bytes, signature: bytes) -> None:
        spec = self._spec
        parts = (kind, spec.amz_date, spec.scope, self._previous, last)
        text = b"AWS4-HMAC-SHA256-%b\n%b\n%b\n%b\n%b" % parts
        computed = hmac.digest(spec.signing_key, text, "sha256").hex().encode()
        if not hmac.compare_digest(computed, signature):
            raise mismatch(spec.access_key, text, signature, spec.canonical)
        self._previous = computed

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            if not self._lone:
                self._state = _TAIL
            self._lone = False
            return
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        value = value.strip()
        if not colon or self._trailer_signature is not None:
            raise _malformed_trailer()
        if name == _TRAILER_SIGNATURE and self._spec.kind == STREAM_SIGNED_TRAILER:
            self._trailer_signature = value
            return
        if name not in self._trailer_names or len(self._trailer_lines) >= TRAILERS_MAX:
            raise _malformed_trailer()
        self._trailer_lines.append(b"%b:%b\n" % (name, value))
        self._trailers[name] = value

    def _check_trailer_signature(self) -> None:
        if self._trailer_signature is None:
            raise _incomplete()
        digest = sha256(b"".join(self._trailer_lines)).hexdigest().encode()
        self._check(b"TRAILER", digest, self._trailer_signature)

    def _take_tail(self, text: bytes) -> None:
        # AWS ignores whatever follows the end. Bytes that mean nothing to either side are a sign
        # that client and server disagree about the framing, so anything but line ends is refused.
        self._tail += len(text)
        if text.strip(b"\r\n") or self._tail > TAIL_BYTES_MAX:
            raise _malformed_trailer()


def decode_small(spec: PayloadSpec, body: bytes, decoded_length: int) -> bytes | None:
    """Return the data of a whole signed body in hand that has the common form of small ones.

    That is one data frame and the empty one that ends it, no trailers. Any other form, also a
    malformed one, is None: `ChunkDecoder` takes them all and knows what to answer. The signatures
    of the common form are verified here. Raises S3Error SignatureDoesNotMatch.
    """
    head = _SMALL_HEAD(body)
    if head is None or int(head[1], 16) != decoded_length:
        return None
    start = head.end()
    stop = start + decoded_length
    end = _SMALL_END(body, stop)
    if end is None or not decoded_length:
        return None
    data = body[start:stop]
    digest = sha256(data).hexdigest().encode()
    previous = spec.seed_signature
    for last, signature in ((digest, head[2]), (EMPTY_SHA256, end[1])):
        parts = (spec.amz_date, spec.scope, previous, EMPTY_SHA256, last)
        text = b"AWS4-HMAC-SHA256-PAYLOAD\n%b\n%b\n%b\n%b\n%b" % parts
        computed = hmac.digest(spec.signing_key, text, "sha256").hex().encode()
        if not hmac.compare_digest(computed, signature):
            raise mismatch(spec.access_key, text, signature, spec.canonical)
        previous = computed
    return data


def decoded_length_of(headers: Mapping[bytes, bytes]) -> int:
    """Return the size of the object in a framed body. Raises MissingContentLength, as AWS does."""
    text = headers.get(b"x-amz-decoded-content-length", b"").strip()
    if not text.isdigit() or len(text) > 18:
        raise S3Error("MissingContentLength")
    return int(text)


def _extension_value(extension: bytes | None) -> bytes:
    """Return the signature of a frame; of any other extension, what cannot be one."""
    name, _, value = (extension or b"")[1:].partition(b"=")
    value = value.strip(b" \t")
    if not value:
        raise _incomplete()
    return value if name.strip(b" \t") == b"chunk-signature" else b""


def _incomplete() -> S3Error:
    return S3Error("IncompleteBody", "The request body terminated unexpectedly")


def _malformed_trailer() -> S3Error:
    return S3Error("MalformedTrailerError")
