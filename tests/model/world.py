"""The model: buckets as dicts, and what a listing of one must look like, computed the slow way."""

import base64
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import awscrt.checksums

KIB, MIB = 1 << 10, 1 << 20

# Every one of them has gone wrong in some store: product.md, "the traps others fell into".
KEYS = (
    "a",
    "a/b",
    "a/b/c",
    "a//b",
    "a/",
    "/lead",
    "/",
    "//",
    "//x",
    "foo",
    "foo/",
    "foo/bar",
    "foo/baz",
    "foo-bar",
    "foo.bar",
    "foo0",
    ".zgroup",
    "c/0/0",
    "c/0/1",
    "c/10/0",
    "..",
    "a/../b",
    "./x",
    "é",
    "e\u0301",
    "\uffffhigh",
    "\U0001f30a/zarr",
    "\U0001f30a",
    "sp ace",
    " ",
    "pl+us",
    "per%cent",
    "%2F",
    "?q=1&r",
    "#frag",
    "a&b<c>'\"",
    "\x01control",
    "tab\tkey",
    "line\nkey\r",
    "\x7f",
    "x" * 1024,
    "é" * 512,
    "\U0001f30a" * 256,
)
PREFIXES = ("", "a", "a/", "a//", "/", "//", "foo", "foo/", "c/", "c/0", "\U0001f30a", "\x01", "é")
DELIMITERS = ("", "/", "//", "o", "/b", "é", "%2F", "\U0001f30a")


@dataclass
class Stored:
    """An object as it must be found."""

    data: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    """Fields of the answer to a HEAD that asks for checksums."""
    parts: list[tuple[int, int]] = field(default_factory=list)
    """(number, size) of its parts; none unless it was uploaded in parts."""
    upload: str = ""
    """The id of the upload that made it."""

    def user_headers(self) -> dict[str, str]:
        """What a copy takes along."""
        return {n: v for n, v in self.headers.items() if not n.startswith("x-amz-checksum")}


@dataclass
class Upload:
    """A multipart upload in progress."""

    bucket: str
    key: str
    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


Bucket = dict[str, Stored]


@dataclass
class World:
    """All that the server was told and has acknowledged."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def objects(self) -> list[tuple[str, str]]:
        return [(name, key) for name, bucket in self.buckets.items() for key in bucket]

    def usage(self, bucket: str) -> tuple[int, int]:
        objects = self.buckets[bucket].values()
        return len(objects), sum(len(stored.data) for stored in objects)


def ordered(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def entries(keys: Iterable[str], prefix: str, delimiter: str, after: str) -> list[tuple[str, bool]]:
    """(name, whether a common prefix) of a whole listing.

    AWS: a start-after that ends in the delimiter, as NextMarker does, passes over what is below it;
    one that lies below a common prefix leaves it to be listed for the keys that follow.
    """
    found: list[tuple[str, bool]] = []
    whole = after.startswith(prefix) and (
        after.find(delimiter, len(prefix)) + len(delimiter) == len(after)
        if delimiter and delimiter in after[len(prefix) :]
        else False
    )
    for key in ordered(keys):
        if not key.startswith(prefix) or (after and key.encode() <= after.encode()):
            continue
        if whole and key.startswith(after):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = (key, False) if cut < 0 else (key[: cut + len(delimiter)], True)
        if entry not in found:
            found.append(entry)
    return found


def checksum(algorithm: str, data: bytes) -> str:
    """The digest of the whole, in base64."""
    if algorithm == "crc32":
        raw = zlib.crc32(data).to_bytes(4, "big")
    elif algorithm == "crc32c":
        raw = awscrt.checksums.crc32c(data).to_bytes(4, "big")
    elif algorithm == "crc64nvme":
        raw = awscrt.checksums.crc64nvme(data).to_bytes(8, "big")
    else:
        raw = hashlib.new(algorithm, data).digest()
    return base64.b64encode(raw).decode()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def multipart_etag(parts: list[bytes]) -> str:
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{md5(digests)}-{len(parts)}"
