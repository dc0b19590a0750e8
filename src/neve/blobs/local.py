"""Blobs in a folder of the local disk: `root/segments` and `root/files`.

Which thread may call what: append, amend and sync_segment one thread, the commit thread; a
FileWriter one thread at a time; everything else any thread.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from neve.blobs.blobs import FILE, SEGMENT, Append, Blob, Buffers, Record, Tail
from neve.blobs.buffers import BUFFERS
from neve.blobs.files import Files, LocalFileWriter
from neve.blobs.handles import Handle, Handles
from neve.blobs.scan import FileWindow, Scanned, scan_records, scan_tail
from neve.blobs.segments import Segments
from neve.disk import Disk, ensure_dir, store_fault
from neve.errors import BlobCorrupt
from neve.spans import Span

SEGMENT_BYTES_MAX = 64 << 20
HANDLES_MAX = 256

_SCRATCH_BYTES = 1 << 20
_NOT_NOW = frozenset((errno.EAGAIN, errno.EOPNOTSUPP))


class LocalBlobStore:
    """A `BlobStore` on local disk, as one process sees it."""

    buffers: Buffers = BUFFERS

    def __init__(
        self,
        root: str,
        disk: Disk,
        *,
        new_segment: Callable[[], int],
        epoch: int,
        worker: int,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        direct: bool = True,
    ) -> None:
        """Create the folders if needed.

        `new_segment` gives an id that was never used; (epoch, worker) is new at every start.
        """
        self.root = root
        self._disk = disk
        self._direct = direct
        self._create_folders()
        self._segments = Segments(f"{root}/segments", disk, new_segment, segment_bytes_max)
        self._files = Files(f"{root}/files", disk, epoch, worker, direct)
        self._handles = Handles(disk, HANDLES_MAX)
        self._scratch: list[memoryview] = []
        """Memory for reads, one piece per thread that reads at the same time."""

    @property
    def sealed(self) -> list[int]:
        """See `BlobStore.sealed`."""
        return self._segments.sealed

    def append(self, records: Sequence[Record], redo_bytes_max: int) -> Append:
        return self._segments.append(records, redo_bytes_max)

    def leave_segment(self, size_min: int) -> None:
        self._segments.leave(size_min)

    def amend(self, segment: int, start: int, kind: int, seq: int) -> bytes:
        return self._segments.amend(segment, start, kind, seq)

    def sync_segment(self, segment: int) -> None:
        self._segments.sync(segment)

    def replay(self, segment: int, offset: int, data: bytes) -> bool:
        return self._segments.replay(segment, offset, data)

    def create_file(self) -> LocalFileWriter:
        return self._files.create()

    def read(self, blob: Blob, start: int, stop: int) -> bytes | None:
        length = stop - start
        if length <= 0:
            return b""
        handle = self._handle(blob)
        try:
            return self._read_cached(handle.fd, blob[2] + start, length)
        finally:
            self._handles.release(handle)

    def _read_cached(self, fd: int, offset: int, length: int) -> bytes | None:
        # Reading into warm memory and copying out is cheaper than reading into new memory: a new
        # page costs more than its copy.
        scratch = self._take_scratch(length)
        target = scratch[:length]
        try:
            read = os.preadv(fd, (target,), offset, os.RWF_NOWAIT)
            return bytes(target) if read == length else None
        except OSError as error:
            if error.errno in _NOT_NOW:
                return None
            raise store_fault(error) from error
        finally:
            if len(scratch) == _SCRATCH_BYTES:
                self._scratch.append(scratch)

    def span(self, blob: Blob, start: int, stop: int) -> Span:
        handle = self._handle(blob)
        release = partial(self._handles.release, handle)
        return Span(handle.fd, blob.offset + start, stop - start, release)

    def verify(self, blob: Blob) -> None:
        window = FileWindow(self._disk, self._path(blob), self._direct)
        try:
            if window.digest(blob.offset, blob.length) != blob.digest:
                raise BlobCorrupt(f"{self._path(blob)} at {blob.offset}, {blob.length} bytes")
        finally:
            window.close()

    def delete_file(self, id: int) -> None:
        self._handles.forget(id << 1 | FILE)
        self._files.delete(id)

    def delete_segment(self, id: int) -> None:
        self._handles.forget(id << 1 | SEGMENT)
        self._segments.delete(id)

    def scan_segment(self, id: int) -> Iterator[Scanned]:
        window = FileWindow(self._disk, self._segments.path(id), self._direct)
        try:
            yield from scan_records(window, id)
        finally:
            window.close()

    def scan_tail(self, id: int, start: int) -> list[Tail]:
        window = FileWindow(self._disk, self._segments.path(id), self._direct)
        try:
            return scan_tail(window, id, start)
        finally:
            window.close()

    def amend_tail(self, id: int, starts: Sequence[int], kind: int) -> None:
        self._segments.amend_tail(id, starts, kind)

    def segments(self) -> Iterator[int]:
        return self._segments.ids()

    def files(self, epoch_before: int) -> Iterator[int]:
        return self._files.ids(epoch_before)

    def segment_path(self, id: int) -> str:
        """Where a segment lies, whether or not it exists."""
        return self._segments.path(id)

    def file_path(self, id: int) -> str:
        """Where a file lies, whether or not it exists."""
        return self._files.path(id)

    def forget_deleted(self) -> int:
        return self._handles.forget_deleted()

    def free_bytes(self) -> int:
        figures = os.statvfs(self.root)
        return figures.f_bavail * figures.f_frsize

    def close(self) -> None:
        self._segments.close()
        self._handles.close()

    def _take_scratch(self, length: int) -> memoryview:
        if length > _SCRATCH_BYTES:
            return memoryview(bytearray(length))
        try:
            return self._scratch.pop()
        except IndexError:
            return memoryview(bytearray(_SCRATCH_BYTES))

    def _path(self, blob: Blob) -> str:
        files = self._files if blob.tier == FILE else self._segments
        return files.path(blob.id)

    def _handle(self, blob: Blob) -> Handle:
        key = blob[1] << 1 | blob[0]
        return self._handles.cached(key) or self._handles.open(key, self._path(blob))

    def _create_folders(self) -> None:
        """The root may exist; what is created here is durable."""
        durable: set[str] = set()
        try:
            for folder in (self.root, f"{self.root}/segments", f"{self.root}/files"):
                ensure_dir(self._disk, folder, durable)
        except OSError as error:
            raise store_fault(error) from error
