"""Background reads of whole blobs and segments: every byte once, in order, in bounded memory.

Past the page cache where the disk allows it, so that a scrub sees what is on the disk and does not
push out what users read; else the pages read are dropped afterwards.
"""

import errno
import os
from collections.abc import Iterator

from xxhash import xxh3_64, xxh3_64_intdigest

from neve.blobs.blobs import Record, Tail
from neve.blobs.buffers import BLOCK, BUFFER_BYTES, BUFFERS
from neve.blobs.records import (
    MAGIC,
    MAGIC_OFFSET,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    HeaderFields,
    padded,
    place_of,
    unpack_header,
    unpack_segment_salt,
)
from neve.disk import Disk, store_fault
from neve.errors import BlobMissing

Scanned = tuple[int, int, Record, int, bool]
"""start, data offset, record with empty data, data length, intact"""


class Window:
    """Bytes seen a piece at a time."""

    size: int
    piece_bytes_max: int

    def view(self, offset: int, length: int) -> memoryview:
        """The bytes at `offset`: all of them unless there are more than `piece_bytes_max`, or
        fewer at the end. Valid until the next call."""
        raise NotImplementedError

    def pieces(self, offset: int, length: int) -> Iterator[memoryview]:
        """The bytes at `offset` in order, as many as there are."""
        while length:
            piece = self.view(offset, min(length, self.piece_bytes_max))
            if not piece:
                return
            offset += len(piece)
            length -= len(piece)
            yield piece

    def digest(self, offset: int, length: int) -> int | None:
        """XXH3-64 of the bytes; None if the end comes before."""
        if offset + length > self.size:
            return None
        state = xxh3_64()
        for piece in self.pieces(offset, length):
            state.update(piece)
            length -= len(piece)
        return None if length else state.intdigest()


class MemoryWindow(Window):
    """Bytes in memory."""

    def __init__(self, data: memoryview) -> None:
        self.size = self.piece_bytes_max = len(data)
        self._data = data

    def view(self, offset: int, length: int) -> memoryview:
        return self._data[offset : offset + length]


class FileWindow(Window):
    """A file seen through one buffer that moves forward over it. Close it."""

    piece_bytes_max = BUFFER_BYTES - BLOCK

    def __init__(self, disk: Disk, path: str, direct: bool) -> None:
        self._disk = disk
        self._direct = direct
        self._fd = self._open(path)
        self.size = os.fstat(self._fd).st_size
        self._buffer = BUFFERS.acquire()
        self._base = 0
        self._filled = 0

    def view(self, offset: int, length: int) -> memoryview:
        stop = min(offset + length, self.size)
        if offset < self._base or stop > self._base + self._filled:
            self._load(offset & -BLOCK)
        return self._buffer[offset - self._base : max(stop, offset) - self._base]

    def close(self) -> None:
        BUFFERS.release(self._buffer)
        if not self._direct:
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        self._disk.close(self._fd)

    def _open(self, path: str) -> int:
        try:
            return self._disk.open(path, os.O_RDONLY | (os.O_DIRECT if self._direct else 0))
        except FileNotFoundError as error:
            raise BlobMissing(path) from error
        except OSError as error:
            if not self._direct or error.errno != errno.EINVAL:
                raise store_fault(error) from error
        self._direct = False
        return self._open(path)

    def _load(self, base: int) -> None:
        self._base, self._filled = base, 0
        wanted = min(len(self._buffer), self.size - base)
        try:
            while self._filled < wanted:
                read = self._read(self._buffer[self._filled :], base + self._filled)
                if not read:
                    break
                self._filled += read
        except OSError as error:
            raise store_fault(error) from error

    def _read(self, target: memoryview, offset: int) -> int:
        try:
            return os.preadv(self._fd, [target], offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            self._disk.end_direct(self._fd)
            self._direct = False
            return os.preadv(self._fd, [target], offset)


def scan_records(window: Window, id: int) -> Iterator[Scanned]:
    """The records of a segment; see `BlobStore.scan_segment`."""
    salt = unpack_segment_salt(bytes(window.view(0, SEGMENT_HEADER_BYTES)), id)
    if salt is None:
        return
    for start, _, fields in _headers(window, salt, SEGMENT_HEADER_BYTES):
        kind, head_length, length, seq, head_digest, digest = fields
        head_start = start + RECORD_HEADER_BYTES
        head = b"".join(map(bytes, window.pieces(head_start, head_length)))
        offset = head_start + head_length
        told = xxh3_64_intdigest(head) == head_digest
        intact = told and window.digest(offset, length) == digest
        yield start, offset, Record(kind, seq, head if told else b"", b"", digest), length, intact


def scan_tail(window: Window, id: int, start: int) -> list[Tail]:
    """The records of a segment from `start` on; see `BlobStore.scan_tail`."""
    salt = unpack_segment_salt(bytes(window.view(0, SEGMENT_HEADER_BYTES)), id)
    if salt is None:
        return []
    start = max(padded(start), SEGMENT_HEADER_BYTES)
    found = _headers(window, salt, start)
    return [Tail(at, place_of(header), fields[0]) for at, header, fields in found]


def _headers(window: Window, salt: int, start: int) -> Iterator[tuple[int, bytes, HeaderFields]]:
    """(start, header, its fields) of every record from `start` on that proves itself."""
    while start < window.size:
        header = bytes(window.view(start, RECORD_HEADER_BYTES))
        fields = unpack_header(header, salt, start)
        if fields is None:
            start = _next_candidate(window, start + 8)
            continue
        yield start, header, fields
        start = padded(start + RECORD_HEADER_BYTES + fields[1] + fields[2])


def _next_candidate(window: Window, start: int) -> int:
    """Where, from `start` on, a header may begin; the end of the file if nowhere."""
    at = start + MAGIC_OFFSET
    while at < window.size:
        # Pieces overlap by three bytes, so that no magic is cut in two.
        piece = bytes(window.view(at, window.piece_bytes_max))
        if len(piece) < len(MAGIC):
            break
        found = piece.find(MAGIC)
        while found >= 0:
            if not (at + found) & 7:
                return at + found - MAGIC_OFFSET
            found = piece.find(MAGIC, found + 1)
        at += len(piece) - len(MAGIC) + 1
    return window.size
