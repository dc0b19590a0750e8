"""The one door to the disk for blobs: every file operation that durability depends on.

`Disk` is the real thing, a thin layer over `os`. `neve.testing` puts a recording and a failing disk
in its place; nothing in `neve.blobs` or `neve.engine` calls `os.open`, `os.pwrite`, `os.fdatasync`,
`os.unlink` … itself. Reads of open files are not durability's business and go straight to `os`.
"""

import contextlib
import errno
import fcntl
import os

from neve.errors import StoreFault, StoreFull

IOV_MAX = 1024
"""Buffers per pwritev, the limit of Linux."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def store_fault(error: OSError) -> StoreFault:
    """The domain error for an error of the system: StoreFull when there is no room."""
    return (StoreFull if error.errno in _FULL else StoreFault)(str(error))


class Disk:
    """File operations; errors are the OSErrors of the system."""

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def close(self, fd: int) -> None:
        os.close(fd)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(fd, data, offset)

    def pwritev(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int:
        return os.pwritev(fd, buffers, offset)

    def end_direct(self, fd: int) -> None:
        """Let the page cache take the further writes of a file opened with O_DIRECT."""
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT)

    def ftruncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def sync_dir(self, path: str) -> None:
        """Make the names in a directory durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def mkdir(self, path: str) -> None:
        os.mkdir(path, 0o750)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)


def write_all(disk: Disk, fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write `data` whole, going on after short writes."""
    written = disk.pwrite(fd, data, offset)
    if written == len(data):
        return
    rest = memoryview(data)
    while written < len(rest):
        rest = rest[written:]
        offset += written
        written = disk.pwrite(fd, rest, offset)
        if not written:
            raise OSError(errno.EIO, "the disk takes no more bytes")


def write_group(disk: Disk, fd: int, buffers: list[bytes | memoryview], offset: int) -> None:
    """Write the buffers end to end, going on after short writes."""
    while buffers:
        batch, buffers = buffers[:IOV_MAX], buffers[IOV_MAX:]
        written = disk.pwritev(fd, batch, offset)
        offset += written
        if written != sum(map(len, batch)):
            buffers = _unwritten(batch, written) + buffers
            if not written:
                raise OSError(errno.EIO, "the disk takes no more bytes")


def _unwritten(buffers: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    for index, buffer in enumerate(buffers):
        if written < len(buffer):
            return [memoryview(buffer)[written:], *buffers[index + 1 :]]
        written -= len(buffer)
    return []


def ensure_dir(disk: Disk, path: str, durable: set[str], sync: bool = True) -> None:
    """Create the directory unless it exists and, if `sync`, make its name durable.

    `durable` remembers what this process has synced: another may have created the directory and
    not have synced it yet.
    """
    if path in durable:
        return
    with contextlib.suppress(FileExistsError):
        disk.mkdir(path)
    if sync:
        disk.sync_dir(os.path.dirname(path))
        durable.add(path)


def list_dir(path: str) -> list[str]:
    """The sorted names in a directory; none if there is no such directory."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
