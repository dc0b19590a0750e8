"""The file tier: one file per blob, written once, past the page cache where the disk allows it.

`root/<epoch as hex>/<bits 38…12 of the id as hex>/<id as 16 hex digits>`: 4,096 files of one
process to a folder, filled one after the other, because a new folder costs more syncs than a file.
An id is unique without asking anybody, 63 bits:

    62…39  epoch    24 bits   (epoch, worker) is new at every start of a process, of a worker
    38…31  worker    8 bits   that replaces a dead one too
    30…0   counter  31 bits   from 1, in this process

- A file is created under its final name; only a row that names it makes it count. What no row
  names is an orphan, found by `ids`.
- After `commit(sync=True)` bytes, name and the names of its directories are durable.
- O_DIRECT needs aligned memory: pieces that are pages of a pool buffer are written as they lie,
  others through one. A file system that refuses O_DIRECT gets buffered writes.
"""

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterator

from xxhash import xxh3_64

from neve.blobs.blobs import FILE, Blob
from neve.blobs.buffers import BLOCK, BUFFERS, is_aligned
from neve.disk import Disk, ensure_dir, list_dir, store_fault, write_all
from neve.errors import StoreFault

EPOCH_MAX = (1 << 24) - 1
WORKER_MAX = (1 << 8) - 1
COUNTER_MAX = (1 << 31) - 1

_EPOCH_SHIFT, _WORKER_SHIFT, _FOLDER_SHIFT = 39, 31, 12
_HEX = re.compile(r"[0-9a-f]+")
_FOLDER_MASK = (1 << _EPOCH_SHIFT - _FOLDER_SHIFT) - 1


def epoch_of(id: int) -> int:
    """The epoch in which a file was made."""
    return id >> _EPOCH_SHIFT


class Files:
    """The files below `root`. For any thread."""

    def __init__(self, root: str, disk: Disk, epoch: int, worker: int, direct: bool) -> None:
        if not (0 <= epoch <= EPOCH_MAX and 0 <= worker <= WORKER_MAX):
            raise StoreFault(f"no file ids are left for epoch {epoch}, worker {worker}")
        self.root = root
        self.disk = disk
        self.direct = direct
        """Whether to open with O_DIRECT; False for good once the file system has refused."""
        self.durable: set[str] = set()
        """Directories whose names this process has made durable."""
        self._first = epoch << _EPOCH_SHIFT | worker << _WORKER_SHIFT
        self._counter = itertools.count(1)

    def folders(self, id: int) -> tuple[str, str]:
        """The directories that lead to a file, outer first."""
        outer = f"{self.root}/{id >> _EPOCH_SHIFT:x}"
        return outer, f"{outer}/{id >> _FOLDER_SHIFT & _FOLDER_MASK:x}"

    def path(self, id: int) -> str:
        return f"{self.folders(id)[1]}/{id:016x}"

    def create(self) -> "LocalFileWriter":
        """See `BlobStore.create_file`."""
        for counter in self._counter:
            if counter > COUNTER_MAX:
                break
            # Of a catalog that was put back from a copy, later epochs have left files.
            with contextlib.suppress(FileExistsError):
                return LocalFileWriter(self, self._first | counter)
        raise StoreFault("this process has used up its file ids; restart it")

    def open_new(self, id: int) -> tuple[int, bool]:
        """Create the file; its descriptor and whether it takes aligned writes only."""
        try:
            return self._open_new(id)
        except FileNotFoundError:
            for folder in self.folders(id):
                self.durable.discard(folder)
                ensure_dir(self.disk, folder, self.durable, sync=False)
            return self._open_new(id)

    def _open_new(self, id: int) -> tuple[int, bool]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        if self.direct:
            try:
                return self.disk.open(self.path(id), flags | os.O_DIRECT), True
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.direct = False
                # Linux refuses O_DIRECT after it has created the file.
                with contextlib.suppress(FileNotFoundError):
                    self.disk.unlink(self.path(id))
        return self.disk.open(self.path(id), flags), False

    def sync_name(self, id: int) -> None:
        """Make the way from the root to the file durable, file first."""
        outer, inner = self.folders(id)
        self.disk.sync_dir(inner)
        ensure_dir(self.disk, inner, self.durable)
        ensure_dir(self.disk, outer, self.durable)

    def delete(self, id: int) -> None:
        """See `BlobStore.delete_file`."""
        try:
            with contextlib.suppress(FileNotFoundError):
                self.disk.unlink(self.path(id))
        except OSError as error:
            raise store_fault(error) from error

    def ids(self, epoch_before: int) -> Iterator[int]:
        """Files of earlier epochs, for the orphan sweep; removes directories found empty."""
        for epoch in list_dir(self.root):
            if not _HEX.fullmatch(epoch) or int(epoch, 16) >= epoch_before:
                continue
            outer = f"{self.root}/{epoch}"
            for inner in list_dir(outer):
                for name in list_dir(f"{outer}/{inner}"):
                    if len(name) == 16 and _HEX.fullmatch(name):
                        yield int(name, 16)
                self._remove_empty(f"{outer}/{inner}")
            self._remove_empty(outer)

    def _remove_empty(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            self.disk.rmdir(folder)


class LocalFileWriter:
    """Writes one file."""

    __slots__ = ("_buffer", "_digest", "_direct", "_fd", "_files", "_filled", "_id", "_offset")

    def __init__(self, files: Files, id: int) -> None:
        self._files = files
        self._id = id
        self._digest = xxh3_64()
        self._buffer: memoryview | None = None
        """Holds what is not yet written of an unaligned stream: its first `_filled` bytes."""
        self._filled = 0
        self._offset = 0
        """Bytes written to the file."""
        try:
            self._fd, self._direct = files.open_new(id)
        except FileExistsError:
            raise
        except OSError as error:
            raise store_fault(error) from error

    def write(self, data: memoryview) -> None:
        """See `FileWriter.write`. Aligned pages are written from where they lie."""
        self._digest.update(data)
        try:
            if self._direct or self._filled:
                self._write_aligned(data)
            else:
                self._write_through(data)
        except OSError as error:
            raise store_fault(error) from error

    def commit(self, sync: bool) -> Blob:
        """See `FileWriter.commit`."""
        files = self._files
        try:
            self._write_tail()
            if sync:
                files.disk.fdatasync(self._fd)
                files.sync_name(self._id)
        except OSError as error:
            raise store_fault(error) from error
        self._close()
        return Blob(FILE, self._id, 0, self._offset, self._digest.intdigest())

    def abort(self) -> None:
        """See `FileWriter.abort`."""
        self._close()
        with contextlib.suppress(OSError):
            self._files.disk.unlink(self._files.path(self._id))

    def _write_aligned(self, data: memoryview) -> None:
        if not self._filled and len(data) >= BLOCK and is_aligned(data):
            whole = len(data) & -BLOCK
            self._write(data[:whole])
            data = data[whole:]
        while data:
            if self._buffer is None:
                self._buffer = BUFFERS.acquire()
            taken = min(len(data), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + taken] = data[:taken]
            self._filled += taken
            data = data[taken:]
            if self._filled == len(self._buffer):
                self._filled = 0
                self._write(self._buffer)

    def _write_tail(self) -> None:
        if not self._filled:
            return
        assert self._buffer is not None
        whole = self._filled & -BLOCK
        tail = self._buffer[whole : self._filled]
        if whole:
            self._write(self._buffer[:whole])
        if tail:
            self._end_direct()
            self._write(tail)
        self._filled = 0

    def _write(self, data: memoryview) -> None:
        try:
            self._write_through(data)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            # Some file systems take the flag at open and refuse the write.
            self._files.direct = False
            self._end_direct()
            self._write_through(data)

    def _write_through(self, data: memoryview) -> None:
        write_all(self._files.disk, self._fd, data, self._offset)
        self._offset += len(data)

    def _end_direct(self) -> None:
        if self._direct:
            self._files.disk.end_direct(self._fd)
            self._direct = False

    def _close(self) -> None:
        if self._buffer is not None:
            BUFFERS.release(self._buffer)
            self._buffer = None
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                self._files.disk.close(fd)
