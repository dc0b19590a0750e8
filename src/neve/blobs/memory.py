"""Blobs in memory: the model of a `BlobStore` for tests. Nothing outlives the process.

Segments have the same bytes as on disk, so that offsets, redo and scans mean the same.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from xxhash import xxh3_64_intdigest

from neve.blobs.blobs import FILE, SEGMENT, Append, Blob, Buffers, Record, Tail
from neve.blobs.buffers import BUFFERS
from neve.blobs.records import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    amend_header,
    pack_records,
    pack_segment_header,
)
from neve.blobs.scan import MemoryWindow, Scanned, scan_records, scan_tail
from neve.clock import now_us
from neve.errors import BlobCorrupt, BlobMissing, StoreFault
from neve.spans import Span

SALT = 0x6E657665
FREE_BYTES = 1 << 40


class MemoryBlobStore:
    """A `BlobStore` in memory. Share `segment_bytes` and `file_bytes` to act as a second process
    of the same store."""

    buffers: Buffers = BUFFERS

    def __init__(
        self,
        *,
        new_segment: Callable[[], int] | None = None,
        epoch: int = 1,
        worker: int = 0,
        segment_bytes_max: int = 64 << 20,
    ) -> None:
        self.sealed: list[int] = []
        self.segment_bytes: dict[int, bytearray] = {}
        self.file_bytes: dict[int, bytes] = {}
        self._new_segment = new_segment or itertools.count(1).__next__
        self._bytes_max = segment_bytes_max
        self._open: int | None = None
        self._file_ids = itertools.count((epoch << 8 | worker) << 31 | 1)

    def append(self, records: Sequence[Record], redo_bytes_max: int) -> Append:
        segment = self._begin() if self._open is None else self._open
        at = len(self.segment_bytes[segment])
        buffers, length, offsets, starts = pack_records(records, SALT, at)
        if at + length > self._bytes_max and at > SEGMENT_HEADER_BYTES:
            self.sealed.append(segment)
            segment, at = self._begin(), SEGMENT_HEADER_BYTES
            buffers, length, offsets, starts = pack_records(records, SALT, at)
        raw = b"".join(buffers)
        self.segment_bytes[segment] += raw
        redo = raw if length <= redo_bytes_max else None
        return Append(segment, at, redo, length, offsets, starts)

    def leave_segment(self, size_min: int) -> None:
        segment = self._open
        if segment is not None and len(self.segment_bytes[segment]) >= size_min:
            self.sealed.append(segment)
            self._open = None

    def amend(self, segment: int, start: int, kind: int, seq: int) -> bytes:
        if segment != self._open:
            raise StoreFault(f"segment {segment:x} does not take appends")
        return self._amend(self.segment_bytes[segment], start, kind, seq)

    def _amend(self, data: bytearray, start: int, kind: int, seq: int) -> bytes:
        stop = start + RECORD_HEADER_BYTES
        data[start:stop] = amend_header(bytes(data[start:stop]), SALT, start, kind, seq)
        return bytes(data[start:stop])

    def sync_segment(self, segment: int) -> None:
        self._segment(segment)

    def replay(self, segment: int, offset: int, data: bytes) -> bool:
        target = self.segment_bytes.get(segment)
        if target is None:
            return False
        target.extend(bytes(max(0, offset - len(target))))
        target[offset : offset + len(data)] = data
        return True

    def create_file(self) -> "MemoryFileWriter":
        return MemoryFileWriter(self, next(self._file_ids))

    def read(self, blob: Blob, start: int, stop: int) -> bytes | None:
        data = self._bytes(blob)[start:stop]
        return data if len(data) == stop - start else None

    def span(self, blob: Blob, start: int, stop: int) -> Span:
        fd = os.memfd_create("neve-span", os.MFD_CLOEXEC)
        os.pwrite(fd, self._bytes(blob)[start:stop], 0)
        return Span(fd, 0, stop - start, partial(os.close, fd))

    def verify(self, blob: Blob) -> None:
        data = self._bytes(blob)
        if len(data) != blob.length or xxh3_64_intdigest(data) != blob.digest:
            raise BlobCorrupt(repr(blob))

    def delete_file(self, id: int) -> None:
        self.file_bytes.pop(id, None)

    def delete_segment(self, id: int) -> None:
        self.segment_bytes.pop(id, None)

    def scan_segment(self, id: int) -> Iterator[Scanned]:
        return scan_records(MemoryWindow(memoryview(bytes(self._segment(id)))), id)

    def scan_tail(self, id: int, start: int) -> list[Tail]:
        return scan_tail(MemoryWindow(memoryview(bytes(self._segment(id)))), id, start)

    def amend_tail(self, id: int, starts: Sequence[int], kind: int) -> None:
        for start in starts:
            self._amend(self._segment(id), start, kind, 0)

    def segments(self) -> list[int]:
        return list(self.segment_bytes)

    def files(self, epoch_before: int) -> list[int]:
        return [id for id in self.file_bytes if id >> 39 < epoch_before]

    def forget_deleted(self) -> int:
        return 0

    def free_bytes(self) -> int:
        return FREE_BYTES

    def close(self) -> None:
        """Keep what is stored: another object may share it."""

    def _begin(self) -> int:
        self._open = id = self._new_segment()
        self.segment_bytes[id] = bytearray(pack_segment_header(id, now_us(), SALT))
        return id

    def _segment(self, id: int) -> bytearray:
        if id not in self.segment_bytes:
            raise BlobMissing(f"segment {id:x}")
        return self.segment_bytes[id]

    def _bytes(self, blob: Blob) -> bytes:
        if blob.tier == SEGMENT:
            return bytes(self._segment(blob.id)[blob.offset : blob.offset + blob.length])
        if blob.id not in self.file_bytes:
            raise BlobMissing(f"file {blob.id:x}")
        return self.file_bytes[blob.id]


class MemoryFileWriter:
    """Writes one file-tier blob."""

    def __init__(self, store: MemoryBlobStore, id: int) -> None:
        self._store = store
        self._id = id
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._data += data

    def commit(self, sync: bool) -> Blob:
        data = self._store.file_bytes[self._id] = bytes(self._data)
        return Blob(FILE, self._id, 0, len(data), xxh3_64_intdigest(data))

    def abort(self) -> None:
        self._store.file_bytes.pop(self._id, None)
