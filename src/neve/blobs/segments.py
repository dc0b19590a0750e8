"""Segments: append-only files of records, one open per process, shared by no two writers.

`root/<hh>/<id as 16 hex digits>.seg`, hh = the low byte of the id.

- A segment's header and name are durable before the first record is written to it.
- A group lies in one segment, contiguous, written at an offset that this object keeps itself. What
  a failed write left behind is cut off, and the next group takes its place; when it cannot be cut
  off, the segment is left. Either way no row refers to it, and what remains of it proves itself as
  whole records of refused writes or is skipped.
- A failed sync ends appending and syncing through this object: only redo rows, or nothing, can
  tell which of the unsynced bytes the disk holds.
- A segment is never opened again for appending: after a restart the process begins a new one.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence

from neve.blobs.blobs import Append, Record
from neve.blobs.records import (
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    amend_header,
    pack_records,
    pack_segment_header,
    unpack_header,
    unpack_segment_salt,
)
from neve.clock import now_us
from neve.disk import Disk, ensure_dir, list_dir, store_fault, write_all, write_group
from neve.errors import BlobMissing, StoreFault, StoreReadOnly

IDS_TRIED_MAX = 1000

_NAME = re.compile(r"[0-9a-f]{16}\.seg")


class _Open:
    """The segment that takes appends, and where the next group goes."""

    __slots__ = ("fd", "id", "offset", "salt")

    def __init__(self, id: int, fd: int, salt: int) -> None:
        self.id = id
        self.fd = fd
        self.salt = salt
        self.offset = SEGMENT_HEADER_BYTES


class Segments:
    """The segments below `root`. Appending is for one thread, the rest for any."""

    def __init__(
        self, root: str, disk: Disk, new_segment: Callable[[], int], segment_bytes_max: int
    ) -> None:
        self.root = root
        self.sealed: list[int] = []
        self._disk = disk
        self._new_segment = new_segment
        self._bytes_max = segment_bytes_max
        self._open: _Open | None = None
        self._unused: int | None = None
        """An id whose file could not be created: the next attempt takes it."""
        self._durable: set[str] = set()
        self._torn: dict[tuple[int, int], bytes] = {}
        """Headers whose amendment failed, as they were before: by salt and place."""
        self._broken: StoreReadOnly | None = None

    def path(self, id: int) -> str:
        return f"{self.root}/{id & 255:02x}/{id:016x}.seg"

    def append(self, records: Sequence[Record], redo_bytes_max: int) -> Append:
        """See `BlobStore.append`."""
        self._check_whole()
        segment = self._open or self._begin()
        buffers, length, offsets, starts = pack_records(records, segment.salt, segment.offset)
        if segment.offset + length > self._bytes_max and segment.offset > SEGMENT_HEADER_BYTES:
            self._leave(segment)
            segment = self._begin()
            buffers, length, offsets, starts = pack_records(records, segment.salt, segment.offset)
        raw = b"".join(buffers) if length <= redo_bytes_max else None
        at = segment.offset
        self._write(segment, buffers if raw is None else [raw])
        segment.offset = at + length
        return Append(segment.id, at, raw, length, offsets, starts)

    def leave(self, size_min: int) -> None:
        """See `BlobStore.leave_segment`."""
        segment = self._open
        if segment is not None and segment.offset >= size_min:
            self._leave(segment)

    def amend(self, id: int, start: int, kind: int, seq: int) -> bytes:
        """See `BlobStore.amend`."""
        segment = self._open
        if segment is None or segment.id != id:
            raise StoreFault(f"segment {id:x} does not take appends")
        try:
            return self._amend(segment.fd, segment.salt, start, kind, seq)
        except OSError as error:
            raise store_fault(error) from error

    def amend_tail(self, id: int, starts: Sequence[int], kind: int) -> None:
        """See `BlobStore.amend_tail`."""
        try:
            with self._opened(id) as fd:
                salt = unpack_segment_salt(os.pread(fd, SEGMENT_HEADER_BYTES, 0), id)
                assert salt is not None, "not a segment"
                for start in starts:
                    self._amend(fd, salt, start, kind, 0)
        except OSError as error:
            raise store_fault(error) from error

    def _amend(self, fd: int, salt: int, start: int, kind: int, seq: int) -> bytes:
        # A disk that failed in the middle of an amendment may have left half a header.
        before = self._torn.get((salt, start)) or os.pread(fd, RECORD_HEADER_BYTES, start)
        assert unpack_header(before, salt, start), "not the start of a record"
        header = amend_header(before, salt, start, kind, seq)
        try:
            write_all(self._disk, fd, header, start)
        except OSError:
            self._torn[salt, start] = before
            raise
        self._torn.pop((salt, start), None)
        return header

    def sync(self, id: int) -> None:
        """See `BlobStore.sync_segment`."""
        self._check_whole()
        segment = self._open
        if segment is not None and segment.id == id:
            self._sync(segment.fd)
            return
        try:
            with self._opened(id) as fd:
                self._sync(fd)
        except OSError as error:
            raise store_fault(error) from error

    def replay(self, id: int, offset: int, data: bytes) -> bool:
        """See `BlobStore.replay`."""
        try:
            with self._opened(id) as fd:
                write_all(self._disk, fd, data, offset)
        except BlobMissing:
            return False
        except OSError as error:
            raise store_fault(error) from error
        return True

    def delete(self, id: int) -> None:
        """See `BlobStore.delete_segment`."""
        path = self.path(id)
        try:
            with contextlib.suppress(FileNotFoundError):
                self._disk.unlink(path)
            # One that comes back with the power looks like one that the catalog does not know yet,
            # and its deletions may be gone for good by then.
            with contextlib.suppress(FileNotFoundError):
                self._disk.sync_dir(os.path.dirname(path))
        except OSError as error:
            raise store_fault(error) from error

    def ids(self) -> Iterator[int]:
        """Every segment on disk."""
        for folder in list_dir(self.root):
            for name in list_dir(f"{self.root}/{folder}"):
                if _NAME.fullmatch(name):
                    yield int(name[:16], 16)

    def close(self) -> None:
        """Leave the open segment; call once."""
        if self._open is not None:
            self._leave(self._open)

    @contextlib.contextmanager
    def _opened(self, id: int) -> Iterator[int]:
        try:
            fd = self._disk.open(self.path(id), os.O_RDWR)
        except FileNotFoundError as error:
            raise BlobMissing(f"segment {id:x}") from error
        try:
            yield fd
        finally:
            self._disk.close(fd)

    def _sync(self, fd: int) -> None:
        try:
            self._disk.fdatasync(fd)
        except OSError as error:
            # The kernel may have dropped the bytes and would call the next sync a success.
            self._broken = StoreReadOnly(f"a sync failed: {error}")
            raise self._broken from error

    def _check_whole(self) -> None:
        if self._broken is not None:
            raise StoreReadOnly(str(self._broken))

    def _begin(self) -> _Open:
        for _ in range(IDS_TRIED_MAX):
            id = self._new_segment() if self._unused is None else self._unused
            self._unused = id
            try:
                self._open = self._create(id)
            except FileExistsError:
                # A process that lost power before the catalog kept the id left this: no row
                # refers to it. The caller has now a row to free it by.
                self._unused = None
                self.sealed.append(id)
                continue
            except OSError as error:
                raise store_fault(error) from error
            self._unused = None
            return self._open
        raise StoreFault(f"{IDS_TRIED_MAX} new segment ids in a row are taken already")

    def _create(self, id: int) -> _Open:
        folder = f"{self.root}/{id & 255:02x}"
        ensure_dir(self._disk, folder, self._durable)
        fd = self._disk.open(self.path(id), os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            salt = int.from_bytes(os.urandom(8), "little")
            write_all(self._disk, fd, pack_segment_header(id, now_us(), salt), 0)
            self._disk.fdatasync(fd)
            self._disk.sync_dir(folder)
        except BaseException:
            self._disk.close(fd)
            with contextlib.suppress(OSError):
                self._disk.unlink(self.path(id))
            raise
        return _Open(id, fd, salt)

    def _write(self, segment: _Open, buffers: list[bytes | memoryview]) -> None:
        try:
            if len(buffers) == 1:
                write_all(self._disk, segment.fd, buffers[0], segment.offset)
            else:
                write_group(self._disk, segment.fd, buffers, segment.offset)
        except OSError as error:
            self._cut(segment)
            raise store_fault(error) from error

    def _cut(self, segment: _Open) -> None:
        try:
            self._disk.ftruncate(segment.fd, segment.offset)
        except OSError:
            self._leave(segment)

    def _leave(self, segment: _Open) -> None:
        self._open = None
        self.sealed.append(segment.id)
        with contextlib.suppress(OSError):
            self._disk.close(segment.fd)
