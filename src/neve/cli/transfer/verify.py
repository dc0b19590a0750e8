"""Whether what arrived is what the server has: by the checksum that it names, or its ETag.

The best that the server offers is taken: a checksum of the whole object (CRC-32C, CRC-64/NVME,
CRC-32, SHA-256, SHA-1), else an ETag that is an MD5, else the size alone.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from neve.client.errors import ClientError

_MD5 = re.compile(r"[0-9a-f]{32}")
_PREFIX = "x-amz-checksum-"


class Running:
    """A checksum that is computed bit by bit."""

    def __init__(self, algorithm: str) -> None:
        self._value = 0
        self._crc = _CRCS.get(algorithm)
        self._hash = None if self._crc else hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        if self._crc:
            self._value = self._crc.update(data, self._value)
        elif self._hash:
            self._hash.update(data)

    @property
    def crc(self) -> int:
        """The value, of a CRC."""
        return self._value

    def digest(self) -> bytes:
        """The value as bytes."""
        if self._hash:
            return self._hash.digest()
        assert self._crc
        return self._value.to_bytes(self._crc.size, "big")


class _Crc(NamedTuple):
    size: int
    update: Callable[[bytes | bytearray | memoryview, int], int]


def _crc32c(data: bytes | bytearray | memoryview, value: int) -> int:
    from awscrt import checksums

    return int(checksums.crc32c(data, value))


def _crc64nvme(data: bytes | bytearray | memoryview, value: int) -> int:
    from awscrt import checksums

    return int(checksums.crc64nvme(data, value))


_CRCS = {"crc32c": _Crc(4, _crc32c), "crc64nvme": _Crc(8, _crc64nvme), "crc32": _Crc(4, zlib.crc32)}
_ORDER = ("crc32c", "crc64nvme", "crc32", "sha256", "sha1")


class Expected(NamedTuple):
    """What the server says of the whole object."""

    algorithm: str
    """'' when nothing can be checked but the size."""
    digest: bytes

    @property
    def name(self) -> str:
        """As a reader knows it."""
        return {
            "crc32c": "CRC-32C", "crc64nvme": "CRC-64/NVME", "crc32": "CRC-32",
            "sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5",
        }.get(self.algorithm, "size")  # fmt: skip

    @property
    def combines(self) -> bool:
        """Whether the checksum of the whole follows from those of pieces."""
        return self.algorithm in ("crc32c", "crc64nvme")

    def running(self) -> Running | None:
        """Something to compute it with; None when there is nothing to compute."""
        return Running(self.algorithm) if self.algorithm else None

    def check(self, digest: bytes, what: str) -> None:
        """Raises: ClientError when the bytes are not those of the object."""
        if self.algorithm and digest != self.digest:
            raise ClientError(
                f"{what} arrived damaged: its {self.name} is {digest.hex()}, "
                f"the server says {self.digest.hex()}.",
                "Damaged",
                what,
            )

    def combined(self, pieces: list[tuple[int, int]]) -> bytes:
        """Return the digest of pieces (CRC, size) one after the other."""
        from awscrt import checksums

        c32 = self.algorithm == "crc32c"
        combine = checksums.combine_crc32c if c32 else checksums.combine_crc64nvme
        value = 0
        for crc, size in pieces:
            value = combine(value, crc, size)
        return int(value).to_bytes(4 if c32 else 8, "big")


def expected_of(headers: Mapping[str, str]) -> Expected:
    """Return what the headers of an answer say of the whole object."""
    # Of an object in parts, one that does not say so may be a checksum of checksums.
    usual = "" if "-" in headers.get("etag", "") else "FULL_OBJECT"
    whole = headers.get("x-amz-checksum-type", usual).upper() == "FULL_OBJECT"
    for algorithm in _ORDER:
        text = headers.get(_PREFIX + algorithm)
        # A checksum of checksums has the number of parts behind a dash.
        if text and whole and "-" not in text:
            return Expected(algorithm, base64.b64decode(text))
    etag = plain_md5(headers)
    return Expected("md5", bytes.fromhex(etag)) if etag else Expected("", b"")


def plain_md5(headers: Mapping[str, str]) -> str:
    """Return the ETag if it is the MD5 of the bytes, else ''."""
    etag = headers.get("etag", "").strip('"')
    sealed = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    sealed = sealed or "x-amz-server-side-encryption-customer-algorithm" in headers
    return etag if _MD5.fullmatch(etag) and not sealed else ""
