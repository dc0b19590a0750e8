"""Checksums of bodies and objects: what a request declares, what came, what a multipart object has.

Names are lower case inside (`crc32c`), upper case in messages and headers' values; digests are raw
bytes inside, base64 of big-endian bytes on the wire. ETags are computed here and opaque elsewhere.

Invariants: nothing declared goes unverified; an algorithm or type that AWS refuses is refused; of a
full-object sum only the CRCs are capable, since only they combine without the bytes.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from awscrt import checksums as crt
from isal import isal_zlib

from neve.s3.errors import S3Error
from neve.s3.sigv4 import SHA256, PayloadSpec

COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"

_PREFIX = b"x-amz-checksum-"
_NOT_SUMS = frozenset((_PREFIX + b"algorithm", _PREFIX + b"type", _PREFIX + b"mode"))
_MULTIPLE = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_NO_TRAILERS: Mapping[bytes, bytes] = {}


class Hasher(Protocol):
    """A running checksum."""

    def update(self, data: Any, /) -> None:
        """Add bytes."""

    def digest(self) -> bytes:
        """Return the digest of the bytes so far, big-endian."""


class _Crc:
    __slots__ = ("_extend", "_size", "_value")

    def __init__(self, extend: Callable[[Any, int], int], size: int) -> None:
        self._extend = extend
        self._size = size
        self._value = 0

    def update(self, data: Any, /) -> None:
        self._value = self._extend(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class Algorithm:
    """A checksum algorithm. `types` are what AWS allows of a multipart object, default first."""

    __slots__ = ("combine", "header", "label", "name", "new", "size", "types")

    def __init__(
        self,
        name: str,
        size: int,
        new: Callable[[], Hasher],
        types: tuple[str, ...],
        combine: Callable[[int, int, int], int] | None = None,
    ) -> None:
        self.name = name
        self.label = name.upper()
        self.header = _PREFIX + name.encode()
        self.size = size
        self.new = new
        self.types = types
        self.combine = combine


# CRC-32 by isal, which is ten times faster at it than awscrt.
ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            "crc32",
            4,
            lambda: _Crc(isal_zlib.crc32, 4),
            (COMPOSITE, FULL_OBJECT),
            crt.combine_crc32,
        ),
        Algorithm(
            "crc32c",
            4,
            lambda: _Crc(crt.crc32c, 4),
            (COMPOSITE, FULL_OBJECT),
            crt.combine_crc32c,
        ),
        Algorithm(
            "crc64nvme",
            8,
            lambda: _Crc(crt.crc64nvme, 8),
            (FULL_OBJECT,),
            crt.combine_crc64nvme,
        ),
        Algorithm("sha1", 20, lambda: hashlib.sha1(usedforsecurity=False), (COMPOSITE,)),
        Algorithm("sha256", 32, hashlib.sha256, (COMPOSITE,)),
    )
}
_BY_HEADER = {algorithm.header: algorithm for algorithm in ALGORITHMS.values()}


class Declared:
    """The one checksum that a request declares. `digest` is None when it comes as a trailer."""

    __slots__ = ("algorithm", "digest", "trailer_names")

    def __init__(self, algorithm: Algorithm, digest: bytes | None) -> None:
        self.algorithm = algorithm
        self.digest = digest
        self.trailer_names = frozenset(() if digest is not None else (algorithm.header,))


class BodyDigest:
    """Everything that must be computed over one body, verified at its end in AWS's order."""

    __slots__ = ("_algorithm", "_content_md5", "_declared", "_hasher", "_md5", "_sha256", "_spec")

    def __init__(
        self,
        spec: PayloadSpec,
        declared: Declared | None = None,
        content_md5: bytes | None = None,
        *,
        default_algorithm: str | None = None,
    ) -> None:
        """Begin. `default_algorithm` is computed when the request declares no checksum."""
        self._spec = spec
        self._declared = declared
        self._content_md5 = content_md5
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if spec.kind == SHA256 else None
        algorithm = declared.algorithm if declared is not None else None
        if algorithm is None and default_algorithm is not None:
            algorithm = ALGORITHMS[default_algorithm]
        self._algorithm = algorithm
        self._hasher: Hasher | None = None
        if algorithm is not None:
            shared = algorithm.name == "sha256" and self._sha256 is not None
            self._hasher = self._sha256 if shared else algorithm.new()

    def update(self, piece: bytes | memoryview) -> None:
        """Add decoded bytes of the body."""
        self._md5.update(piece)
        if self._sha256 is not None:
            self._sha256.update(piece)
        if self._hasher is not None and self._hasher is not self._sha256:
            self._hasher.update(piece)

    def finish(
        self, trailers: Mapping[bytes, bytes] = _NO_TRAILERS
    ) -> tuple[str, tuple[str, bytes] | None]:
        """Return the MD5 in hex, and name and digest of the checksum. Raises on a mismatch."""
        self._check_sha256()
        md5 = self._md5.digest()
        if self._content_md5 is not None and self._content_md5 != md5:
            raise S3Error(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
                ExpectedDigest=self._content_md5.hex(),
                CalculatedDigest=encode(md5),
            )
        if self._algorithm is None or self._hasher is None:
            return md5.hex(), None
        digest = self._hasher.digest()
        if self._declared is not None and digest != self._expected(self._declared, trailers):
            raise mismatched(self._algorithm)
        return md5.hex(), (self._algorithm.name, digest)

    def _check_sha256(self) -> None:
        if self._sha256 is None:
            return
        given = self._spec.sha256.decode("utf-8", "replace")
        computed = self._sha256.hexdigest()
        if given != computed and given.lower() != computed:
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=given,
                S3ComputedContentSHA256=computed,
            )

    @staticmethod
    def _expected(declared: Declared, trailers: Mapping[bytes, bytes]) -> bytes:
        if declared.digest is not None:
            return declared.digest
        text = trailers.get(declared.algorithm.header)
        if text is None:
            raise S3Error("MalformedTrailerError")
        digest = decode(declared.algorithm, text)
        if digest is None:
            name = declared.algorithm.header.decode()
            raise S3Error("InvalidRequest", f"Value for {name} trailing header is invalid.")
        return digest


def parse_declared(headers: Mapping[bytes, bytes], *, streaming: bool) -> Declared | None:
    """Return the checksum that a request declares, in a header or as a trailer.

    `streaming` says that the body is framed, so that it can have trailers at all.
    """
    given = [name for name in headers if name.startswith(_PREFIX) and name not in _NOT_SUMS]
    trailer = headers.get(b"x-amz-trailer")
    wanted = headers.get(b"x-amz-sdk-checksum-algorithm")
    if not given and trailer is None and wanted is None:
        return None
    trailers = _trailer_algorithms(trailer) if trailer else []
    if len(given) > 1 or len(trailers) > 1:
        raise S3Error("InvalidRequest", _MULTIPLE)
    if given and trailers:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header")
    if trailers and not streaming:
        raise S3Error("MalformedTrailerError")
    declared = None
    if given:
        declared = _declared_in_header(given[0], headers[given[0]], wanted)
    elif trailers:
        declared = Declared(trailers[0], None)
        _check_wanted(wanted, declared.algorithm)
    elif wanted is not None:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or"
            " x-amz-trailer headers were found.",
        )
    return declared


def parse_content_md5(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return the digest in Content-MD5, or None without one. Raises InvalidDigest."""
    text = headers.get(b"content-md5")
    if text is None:
        return None
    digest = _decode_base64(text)
    if digest is None or len(digest) != 16:
        raise S3Error(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
            **{"Content-MD5": text.decode("utf-8", "replace")},
        )
    return digest


def parse_algorithm(text: bytes) -> Algorithm:
    """Return the algorithm of `x-amz-checksum-algorithm`. Raises InvalidRequest."""
    algorithm = ALGORITHMS.get(text.decode("latin-1").lower())
    if algorithm is None:
        valid = ", ".join(known.label for known in ALGORITHMS.values())
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported."
            f" Please try again with any of the valid types: [{valid}]",
        )
    return algorithm


def parse_upload(headers: Mapping[bytes, bytes]) -> tuple[Algorithm, str] | None:
    """Return algorithm and type that a new multipart upload asks for, or None."""
    name = headers.get(b"x-amz-checksum-algorithm")
    kind = headers.get(b"x-amz-checksum-type")
    if name is None:
        if kind is not None:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the"
                " x-amz-checksum-algorithm header.",
            )
        return None
    algorithm = parse_algorithm(name)
    if kind is None:
        return algorithm, algorithm.types[0]
    return algorithm, check_type(algorithm, parse_type(kind))


def parse_type(text: bytes) -> str:
    """Return the checksum type in `x-amz-checksum-type`. Raises InvalidRequest."""
    kind = text.decode("latin-1").upper()
    if kind not in (COMPOSITE, FULL_OBJECT):
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    return kind


def check_type(algorithm: Algorithm, kind: str) -> str:
    """Return the type, if AWS allows it with the algorithm. Raises InvalidRequest."""
    if kind not in algorithm.types:
        pair = f"The {kind} checksum type cannot be used with the {algorithm.name}"
        raise S3Error("InvalidRequest", f"{pair} checksum algorithm.")
    return kind


def composite(algorithm: Algorithm, digests: Sequence[bytes]) -> str:
    """Return the checksum of the parts' checksums, `base64-count`."""
    hasher = algorithm.new()
    hasher.update(b"".join(digests))
    return f"{encode(hasher.digest())}-{len(digests)}"


def full_object(algorithm: Algorithm, parts: Iterable[tuple[bytes, int]]) -> str:
    """Return the checksum of all bytes in base64, from the digest and size of each part."""
    assert algorithm.combine is not None, "only a CRC combines"
    value = 0
    for digest, size in parts:
        value = algorithm.combine(value, int.from_bytes(digest, "big"), size)
    return encode(value.to_bytes(algorithm.size, "big"))


def encode(digest: bytes) -> str:
    """Return a digest as it is written in headers."""
    return base64.b64encode(digest).decode()


def decode(algorithm: Algorithm, text: bytes) -> bytes | None:
    """Return the digest that a header's value holds, or None if it cannot be one."""
    digest = _decode_base64(text)
    return digest if digest is not None and len(digest) == algorithm.size else None


def mismatched(algorithm: Algorithm) -> S3Error:
    """Return the error of a body that has another checksum than declared."""
    message = f"The {algorithm.label} you specified did not match the calculated checksum."
    return S3Error("BadDigest", message)


def _declared_in_header(name: bytes, value: bytes, wanted: bytes | None) -> Declared:
    algorithm = _BY_HEADER.get(name)
    if algorithm is None:
        raise S3Error(
            "InvalidRequest",
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        )
    _check_wanted(wanted, algorithm)
    digest = decode(algorithm, value)
    if digest is None:
        raise S3Error("InvalidRequest", f"Value for {name.decode()} header is invalid.")
    return Declared(algorithm, digest)


def _check_wanted(wanted: bytes | None, algorithm: Algorithm) -> None:
    if wanted is not None and wanted.lower() != algorithm.name.encode():
        message = "Value for x-amz-sdk-checksum-algorithm header is invalid."
        raise S3Error("InvalidRequest", message)


def _trailer_algorithms(text: bytes) -> list[Algorithm]:
    # AWS: commas at the end are nothing, an empty name before or between is not supported.
    algorithms = []
    for name in text.strip().rstrip(b",").split(b","):
        algorithm = _BY_HEADER.get(name.strip().lower())
        if algorithm is None:
            message = "The value specified in the x-amz-trailer header is not supported"
            raise S3Error("InvalidRequest", message)
        algorithms.append(algorithm)
    return algorithms


def _decode_base64(text: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
