"""Open files for reading, kept for the next read.

Bounded, least recently used first out. A file in use is never closed under its user: an evicted
one is closed by its last release. For any thread.
"""

import os
import threading
from collections import OrderedDict

from neve.disk import Disk, store_fault
from neve.errors import BlobMissing


class Handle:
    """An open file and how many use it now."""

    __slots__ = ("evicted", "fd", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 1
        self.evicted = False


class Handles:
    """Open files by path-independent key."""

    def __init__(self, disk: Disk, count_max: int) -> None:
        self._disk = disk
        self._count_max = count_max
        self._handles: OrderedDict[int, Handle] = OrderedDict()
        self._lock = threading.Lock()

    def cached(self, key: int) -> Handle | None:
        """The handle of `key` if it is open, now used once more: release it."""
        with self._lock:
            handle = self._handles.get(key)
            if handle is not None:
                handle.users += 1
                self._handles.move_to_end(key)
            return handle

    def open(self, key: int, path: str) -> Handle:
        """Open the file, keep it for later, and return the handle, used once: release it.

        Raises: BlobMissing, StoreFault.
        """
        handle = Handle(_open(self._disk, path))
        with self._lock:
            self._evict(self._handles.pop(key, None))
            self._handles[key] = handle
            while len(self._handles) > self._count_max:
                self._evict(self._handles.popitem(last=False)[1])
        return handle

    def release(self, handle: Handle) -> None:
        """End one use."""
        with self._lock:
            handle.users -= 1
            if handle.evicted and not handle.users:
                self._disk.close(handle.fd)

    def forget(self, key: int) -> None:
        """Close the file of `key` as soon as nobody uses it."""
        with self._lock:
            self._evict(self._handles.pop(key, None))

    def forget_deleted(self) -> int:
        """Close files without a name, whose space the disk keeps while they are open; count."""
        with self._lock:
            gone = [key for key, handle in self._handles.items() if _is_nameless(handle.fd)]
            for key in gone:
                self._evict(self._handles.pop(key))
        return len(gone)

    def close(self) -> None:
        """Forget all."""
        with self._lock:
            while self._handles:
                self._evict(self._handles.popitem()[1])

    def _evict(self, handle: Handle | None) -> None:
        if handle is None:
            return
        handle.evicted = True
        if not handle.users:
            self._disk.close(handle.fd)


def _open(disk: Disk, path: str) -> int:
    try:
        return disk.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise BlobMissing(path) from error
    except OSError as error:
        raise store_fault(error) from error


def _is_nameless(fd: int) -> bool:
    return os.fstat(fd).st_nlink == 0
