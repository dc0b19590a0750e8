"""Zip archives written as they are sent: stored, of any size, in bounded memory.

What stands at the end of an archive, a line for each file, waits in a temporary file. Names are
made safe so that no two keys get the same, part by part: a part that had to be changed ends in a
hash of what it was, and so does one that looks as if it did.
"""

import hashlib
import re
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO

MISSING = "_missing.txt"
_MARKED = re.compile(r"~[0-9a-f]{16}$")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_SPOOL = 1 << 18
_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_UTF8_AND_DESCRIPTOR = 0x0808
_NEEDED, _NEEDED_64 = 20, 45
_UNIX = 3 << 8
_FILE, _DIRECTORY = 0o100644 << 16, (0o040755 << 16) | 0x10


class Names:
    """Gives keys, in their order, the names of files."""

    def __init__(self) -> None:
        self._above: list[str] = []
        """Keys of files that the next keys begin with: a folder may not have the same name."""

    def of(self, key: str, empty: bool = True) -> str:
        """Return the name for a key; one that ends in `/` and is empty is a folder."""
        folder = key.endswith("/") and empty
        raw = (key.removesuffix("/") if folder else key).split("/")
        parts = list(map(_safe, raw))
        if raw[0] == MISSING:
            parts[0] += _mark(MISSING)
        while self._above and not key.startswith(self._above[-1]):
            self._above.pop()
        for file in self._above:
            if key.startswith(f"{file}/"):
                at = file.count("/")
                parts[at] += _mark(f"{raw[at]}/")
        if not folder:
            self._above.append(key)
        return "/".join(parts) + ("/" if folder else "")


def _safe(part: str) -> str:
    """A part of a path that leads nowhere else on any system, and no other part gets."""
    safe = _UNSAFE.sub("_", re.sub(r"^([A-Za-z]):", r"\1_", part))
    if part in ("", ".", ".."):
        safe = "_"
    return safe + _mark(part) if safe != part or _MARKED.search(part) else part


def _mark(part: str) -> str:
    return "~" + hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Zip:
    """One archive. Send what the methods yield, in order; `end` comes last. Then `close`."""

    def __init__(self) -> None:
        self._directory: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115
        self._offset = 0
        self._count = 0

    def close(self) -> None:
        """Let go of the temporary file."""
        self._directory.close()

    def add(
        self, name: str, size: int, modified: datetime, pieces: Iterable[bytes]
    ) -> Iterator[bytes]:
        """Add a file whose content has `size` bytes. Raises: ValueError when it has not."""
        start, large = self._offset, size >= _U32
        raw, stamp = name.encode("utf-8", "surrogatepass"), _dos(modified)
        yield self._sent(_local(raw, stamp, large))
        checksum, sent = 0, 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
            sent += len(piece)
            yield self._sent(piece)
        if sent != size:
            raise ValueError(f"{sent:,} bytes came of {size:,}")
        layout = "<IIQQ" if large else "<IIII"
        yield self._sent(struct.pack(layout, 0x08074B50, checksum, size, size))
        self._directory.write(_central(raw, stamp, checksum, size, start))
        self._count += 1

    def end(self) -> Iterator[bytes]:
        """Write the directory of the archive."""
        start, size = self._offset, self._directory.tell()
        self._directory.seek(0)
        while piece := self._directory.read(_SPOOL):
            yield piece
        count = self._count
        if count >= _U16 or start >= _U32 or size >= _U32:
            yield struct.pack(
                "<IQHHIIQQQQ", 0x06064B50, 44, _UNIX | _NEEDED_64, _NEEDED_64, 0, 0,
                count, count, size, start,
            )  # fmt: skip
            yield struct.pack("<IIQI", 0x07064B50, 0, start + size, 1)
        few, small, first = min(count, _U16), min(size, _U32), min(start, _U32)
        yield struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, small, first, 0)

    def _sent(self, piece: bytes) -> bytes:
        self._offset += len(piece)
        return piece


def _local(name: bytes, stamp: tuple[int, int], large: bool) -> bytes:
    """What stands before a file. Sizes and checksum follow it."""
    extra = struct.pack("<HHQQ", 1, 16, 0, 0) if large else b""
    size = _U32 if large else 0
    needed = _NEEDED_64 if large else _NEEDED
    return struct.pack(
        "<IHHHHHIIIHH", 0x04034B50, needed, _UTF8_AND_DESCRIPTOR, 0, *stamp, 0, size, size,
        len(name), len(extra),
    ) + name + extra  # fmt: skip


def _central(name: bytes, stamp: tuple[int, int], checksum: int, size: int, start: int) -> bytes:
    """The line of a file in the directory."""
    large = [size, size] if size >= _U32 else []
    large += [start] if start >= _U32 else []
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    needed = _NEEDED_64 if large else _NEEDED
    shown = min(size, _U32)
    return struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, _UNIX | needed, needed, _UTF8_AND_DESCRIPTOR, 0,
        *stamp, checksum, shown, shown, len(name), len(extra), 0, 0, 0,
        _DIRECTORY if name.endswith(b"/") else _FILE, min(start, _U32),
    ) + name + extra  # fmt: skip


def _dos(moment: datetime) -> tuple[int, int]:
    """Time and date as archives have them: from 1980 on, to two seconds."""
    at = moment.astimezone(UTC)
    if at.year < 1980:
        return 0, 0x21
    year = min(at.year, 2107) - 1980
    return at.hour << 11 | at.minute << 5 | at.second // 2, year << 9 | at.month << 5 | at.day
