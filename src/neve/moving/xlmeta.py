"""`xl.meta`: what a MinIO drive keeps of one key: its versions, newest first, and small bytes.

    b"XL2 "  major (2 bytes, little-endian)  minor (2 bytes)
    bin      header version, metadata version, count, then for each version: bin header, bin body
    uint32   the lower half of the xxHash64 of the content of that bin
    1 byte   version of what follows
    map      version id or "null" → bytes of inline data, as a part file has them

All but the first line is msgpack. A body is a map: `Type` 1 (`V2Obj`: an object), 2 (`DelObj`: a
delete marker) or 3 (an object of a release before 2020). Nothing in it is trusted: whatever cannot
be read raises `Damaged`, and every number is checked before it is used.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import xxhash

MAGIC = b"XL2 "
MAJOR, MINOR = 1, 3
META_BYTES_MAX = 512 << 20
BLOCK_BYTES_MAX = 64 << 20

_OBJECT, _MARKER, _LEGACY = 1, 2, 3
_FREE = 1
"""Flag of a version that only keeps track of bytes elsewhere."""
_BIN = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_HEADER_FIELDS = (5, 7)
_INTERNAL = "x-minio-internal-"

_decode = msgspec.msgpack.Decoder(ext_hook=lambda _code, data: bytes(data)).decode


class Damaged(Exception):
    """What is on the drive is not what MinIO writes; the message says what."""


class NotTaken(Exception):
    """It is whole, but nothing that can be brought along; the message says why."""


class PartMeta(NamedTuple):
    """A part of an object."""

    number: int
    size: int
    etag: str
    """'' when the drive does not keep it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a key, or a delete marker."""

    id: str
    """'' for the null version."""
    mtime_ns: int
    marker: bool
    size: int = 0
    etag: str = ""
    folder: str = ""
    """Name of the folder of its part files."""
    parts: tuple[PartMeta, ...] = ()
    block_bytes: int = 0
    """How many bytes have a sum together."""
    inline: bytes | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """Header name in lower case → value, as the client gave them."""
    internal: dict[str, bytes] = field(default_factory=dict)
    """What MinIO notes for itself; names in lower case, without their common beginning."""
    refused: str = ""
    """Why it cannot be brought along, '' when it can."""

    @property
    def shown_id(self) -> str:
        """As S3 shows it."""
        return self.id or "null"


def parse(data: bytes) -> list[Version]:
    """Return the versions, oldest first. Raises: Damaged, NotTaken."""
    if data[:1] == b"{":
        raise NotTaken("it was written by a MinIO of before 2020: let a newer one heal the drive")
    if len(data) <= 8 or data[:4] != MAGIC:
        raise Damaged("xl.meta is not one")
    major, minor = int.from_bytes(data[4:6], "little"), int.from_bytes(data[6:8], "little")
    if (major, minor) != (MAJOR, MINOR):
        raise NotTaken(
            f"xl.meta has format {major}.{minor}, and {MAJOR}.{MINOR} is what can be read"
        )
    try:
        meta, rest = _bin(data, 8)
        if rest + 5 > len(data) or data[rest] != 0xCE:
            raise Damaged("xl.meta is cut off")
        if xxhash.xxh64_intdigest(meta) & 0xFFFFFFFF != int.from_bytes(data[rest + 1 : rest + 5]):
            raise Damaged("xl.meta does not match its checksum")
        inline = _decode(data[rest + 6 :]) if len(data) > rest + 6 else {}
        if not isinstance(inline, dict):
            raise Damaged("the inline data of xl.meta cannot be read")
        versions = [_version(header, body, inline) for header, body in _entries(meta)]
    except (
        msgspec.DecodeError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as e:
        raise Damaged(f"xl.meta cannot be read: {e}") from e
    found = [version for version in reversed(versions) if version is not None]
    # The order in the file is by time already; versions of one nanosecond keep it.
    return sorted(found, key=lambda version: version.mtime_ns)


def _bin(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes of a msgpack bin at `at`, and where it ends. Raises: Damaged."""
    width = _BIN.get(data[at] if at < len(data) else 0)
    if width is None:
        raise Damaged("xl.meta is cut off")
    start = at + 1 + width
    stop = start + int.from_bytes(data[at + 1 : start])
    if stop > len(data):
        raise Damaged("xl.meta is cut off")
    return data[start:stop], stop


def _entries(meta: bytes) -> list[tuple[list[Any], dict[str, Any]]]:
    """Header and body of every version."""
    # Version of the headers, version of the bodies, count: small numbers, but none is sure to be.
    numbers, at = [], 0
    for _ in range(3):
        width = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}.get(
            meta[at], 0
        )
        numbers.append(_decode(meta[at : at + 1 + width]))
        at += 1 + width
    if not 2 <= numbers[0] <= 3 or not 1 <= numbers[1] <= 3:
        raise NotTaken(f"xl.meta has headers {numbers[0]} and bodies {numbers[1]}, not known here")
    found = []
    for _ in range(numbers[2]):
        header, at = _bin(meta, at)
        body, at = _bin(meta, at)
        fields = _decode(header)
        if not isinstance(fields, list) or len(fields) not in _HEADER_FIELDS:
            raise Damaged("the header of a version cannot be read")
        found.append((fields, _decode(body)))
    return found


def _version(header: list[Any], body: dict[str, Any], inline: dict[str, bytes]) -> Version | None:
    """One version; None when it is only MinIO's own bookkeeping."""
    kind = body["Type"]
    if header[4] & _FREE:
        return None
    if kind == _LEGACY:
        return Version(
            _id(header[0]),
            int(header[1]),
            False,
            refused="it has the format of a MinIO of before 2020",
        )
    fields = body[{_OBJECT: "V2Obj", _MARKER: "DelObj"}[kind]]
    id, mtime_ns = _id(fields["ID"]), int(fields["MTime"])
    if not 0 <= mtime_ns < 2**63:
        raise Damaged("a version has an impossible time")
    if kind == _MARKER:
        return Version(id, mtime_ns, True)
    return _object(id, mtime_ns, fields, inline)


def _object(id: str, mtime_ns: int, fields: dict[str, Any], inline: dict[str, bytes]) -> Version:
    user = {str(name).lower(): str(value) for name, value in (fields["MetaUsr"] or {}).items()}
    system = {
        str(name).lower().removeprefix(_INTERNAL): bytes(value)
        for name, value in (fields["MetaSys"] or {}).items()
    }
    etags = fields.get("PartETags") or [""] * len(fields["PartNums"])
    parts = tuple(
        PartMeta(int(number), int(size), str(etag))
        for number, size, etag in zip(fields["PartNums"], fields["PartSizes"], etags, strict=True)
    )
    size, block = int(fields["Size"]), int(fields["EcBSize"])
    refused = _refusal(fields, system)
    numbers = [part.number for part in parts]
    if not refused and (
        min(size, block - 1, *(part.size for part in parts)) < 0
        or block > BLOCK_BYTES_MAX
        or sum(part.size for part in parts) != size
        or sorted(set(numbers)) != numbers
        or (numbers and not 1 <= numbers[0] <= numbers[-1] <= 10_000)
    ):
        raise Damaged("the parts of a version do not fit its size")
    data = inline.get(id or "null") if "inline-data" in system else None
    if data is None and "inline-data" in system and size and not refused:
        raise Damaged("the inline data of a version are missing")
    folder = str(uuid.UUID(bytes=fields["DDir"]))
    about = (size, user.pop("etag", ""), folder, parts, block, data, user, system, refused)
    return Version(id, mtime_ns, False, *about)


def _refusal(fields: dict[str, Any], system: dict[str, bytes]) -> str:
    """Why the object cannot be brought along; '' when it can."""
    if any(name.startswith("server-side-encryption") for name in system):
        return "it is encrypted by MinIO"
    if "compression" in system:
        return "it is compressed by MinIO"
    if system.get("transition-status") == b"complete":
        return "its bytes were moved to another tier"
    if (fields["EcM"], fields["EcN"]) != (1, 0):
        return "its bytes are spread over several drives"
    if fields["CSumAlgo"] != 1:
        return "its sums are of an unknown kind"
    return ""


def _id(raw: bytes) -> str:
    return str(uuid.UUID(bytes=raw)) if any(raw) else ""
