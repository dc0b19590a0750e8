"""Disks that remember what was done to them, and disks that misbehave on purpose.

`RecordingDisk` performs everything and writes it down in a `Recording`, in order, together with
what `neve.testing.vfs` sees of SQLite; `neve.testing.crash` rebuilds the folder as it may look
after the power failed at any point of it. `FailingDisk` raises errors and writes short.
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

from neve.disk import Disk

DATA_OPERATIONS = frozenset(("write", "truncate"))


class Operation(NamedTuple):
    """One thing that was done to the recorded folder. Paths are relative to it."""

    name: str
    """create, write, truncate, sync; mkdir, rmdir, rename, unlink, sync_dir."""
    path: str
    """What it was done to, by the name it had then."""
    file: int = 0
    """Number of the file, which stays the same when names change; 0 for directories."""
    offset: int = 0
    """Where a write began; the new size for a truncate."""
    data: bytes = b""
    target: str = ""
    """The new name of a rename."""


class Recording:
    """All that is done to a folder, from its state at the start on. For any thread."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.log: list[Operation] = []
        self.lock = threading.RLock()
        """Held while something is done and written down, so that the order is the true one."""
        self._files: dict[str, int] = {}
        self._file_count = 0
        self._record_existing("")

    def __len__(self) -> int:
        return len(self.log)

    def relative(self, path: str) -> str | None:
        """The path below the folder, "" for the folder itself; None for one outside."""
        folder, name = os.path.split(os.path.abspath(path))
        path = os.path.join(os.path.realpath(folder), name)
        if path != self.root and not path.startswith(self.root + "/"):
            return None
        return path[len(self.root) + 1 :]

    def file(self, path: str) -> int:
        """The number of the file that has this name now; a new name is a new file."""
        number = self._files.get(path)
        if number is None:
            self._file_count += 1
            number = self._files[path] = self._file_count
            self.log.append(Operation("create", path, number))
        return number

    def add(self, operation: Operation) -> None:
        """Write down what was done."""
        self.log.append(operation)
        if operation.name in ("unlink", "rename"):
            number = self._files.pop(operation.path, 0)
            if operation.name == "rename" and number:
                self._files[operation.target] = number

    def _record_existing(self, folder: str) -> None:
        for name in sorted(os.listdir(os.path.join(self.root, folder))):
            path = os.path.join(folder, name)
            full = os.path.join(self.root, path)
            if os.path.isdir(full):
                self.add(Operation("mkdir", path))
                self._record_existing(path)
            else:
                with open(full, "rb") as file:
                    number = self.file(path)
                    self.add(Operation("write", path, number, 0, file.read()))
                    self.add(Operation("sync", path, number))
        self.add(Operation("sync_dir", folder))


class RecordingDisk(Disk):
    """Another disk, the real one by default, whose changes below the recorded folder are written
    down: what it did, so calls that fail leave nothing here."""

    def __init__(self, recording: Recording, inner: Disk | None = None) -> None:
        self._recording = recording
        self._inner = inner or Disk()
        self._open: dict[int, tuple[int, str]] = {}

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        with self._recording.lock:
            relative = self._recording.relative(path)
            fd = self._inner.open(path, flags, mode)
            if relative is not None:
                file = self._recording.file(relative)
                self._open[fd] = file, relative
                if flags & os.O_TRUNC:
                    self._recording.add(Operation("truncate", relative, file))
            return fd

    def close(self, fd: int) -> None:
        with self._recording.lock:
            self._open.pop(fd, None)
            self._inner.close(fd)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self._recording.lock:
            written = self._inner.pwrite(fd, data, offset)
            self._add(fd, "write", offset, bytes(data[:written]))
            return written

    def pwritev(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int:
        with self._recording.lock:
            written = self._inner.pwritev(fd, buffers, offset)
            self._add(fd, "write", offset, b"".join(buffers)[:written])
            return written

    def end_direct(self, fd: int) -> None:
        self._inner.end_direct(fd)

    def ftruncate(self, fd: int, size: int) -> None:
        with self._recording.lock:
            self._inner.ftruncate(fd, size)
            self._add(fd, "truncate", size)

    def fdatasync(self, fd: int) -> None:
        with self._recording.lock:
            self._inner.fdatasync(fd)
            self._add(fd, "sync")

    def sync_dir(self, path: str) -> None:
        self._change("sync_dir", path, self._inner.sync_dir)

    def mkdir(self, path: str) -> None:
        self._change("mkdir", path, self._inner.mkdir)

    def rmdir(self, path: str) -> None:
        self._change("rmdir", path, self._inner.rmdir)

    def unlink(self, path: str) -> None:
        self._change("unlink", path, self._inner.unlink)

    def rename(self, source: str, target: str) -> None:
        with self._recording.lock:
            self._inner.rename(source, target)
            old, new = self._recording.relative(source), self._recording.relative(target)
            assert old is not None and new is not None, "a rename into or out of the folder"
            self._recording.add(Operation("rename", old, target=new))

    def _change(self, name: str, path: str, do: Callable[[str], None]) -> None:
        with self._recording.lock:
            do(path)
            relative = self._recording.relative(path)
            if relative is not None:
                self._recording.add(Operation(name, relative))

    def _add(self, fd: int, name: str, offset: int = 0, data: bytes = b"") -> None:
        if fd in self._open:
            file, path = self._open[fd]
            self._recording.add(Operation(name, path, file, offset, data))


class CarelessDisk(Disk):
    """The real disk without its syncs: fast, for tests in which no power fails."""

    def fdatasync(self, fd: int) -> None:
        pass

    def sync_dir(self, path: str) -> None:
        pass


class Call(NamedTuple):
    """A call of a disk that may be made to fail."""

    number: int
    """Counts all calls of the disk, from 1."""
    operation: str
    """The name of the method of `Disk`."""
    path: str


class Fault(NamedTuple):
    """What goes wrong."""

    error: int = 0
    """The errno to raise; 0 for a short write without an error."""
    written: int = 0
    """How many bytes a write still puts on the disk."""


def fail_at(number: int, error: int, *, forever: bool = False) -> Callable[[Call], Fault | None]:
    """Fail call `number`, and if `forever` all after it."""
    return lambda call: (
        Fault(error) if call.number == number or (forever and call.number > number) else None
    )


def fail_on(
    operation: str, error: int, *, count: int = 1, written: int = 0, path: str = ""
) -> Callable[[Call], Fault | None]:
    """Fail the first `count` calls of an operation on paths that contain `path`."""
    left = count

    def choose(call: Call) -> Fault | None:
        nonlocal left
        if left and call.operation == operation and path in call.path:
            left -= 1
            return Fault(error, written)
        return None

    return choose


class FailingDisk(Disk):
    """A disk whose calls fail as `choose` says. Closing never fails."""

    def __init__(
        self, choose: Callable[[Call], Fault | None] | None = None, inner: Disk | None = None
    ) -> None:
        self.choose = choose
        """May be changed at any time."""
        self.calls = 0
        self.faults: list[Call] = []
        self._inner = inner or Disk()
        self._paths: dict[int, str] = {}
        self._lock = threading.Lock()

    def open(self, path: str, flags: int, mode: int = 0o640) -> int:
        self._raise(self._fault("open", path))
        fd = self._inner.open(path, flags, mode)
        self._paths[fd] = path
        return fd

    def close(self, fd: int) -> None:
        self._paths.pop(fd, None)
        self._inner.close(fd)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        fault = self._fault("pwrite", self._paths[fd])
        if fault is None:
            return self._inner.pwrite(fd, data, offset)
        return self._write_some(fault, fd, bytes(data), offset)

    def pwritev(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int:
        fault = self._fault("pwritev", self._paths[fd])
        if fault is None:
            return self._inner.pwritev(fd, buffers, offset)
        return self._write_some(fault, fd, b"".join(buffers), offset)

    def end_direct(self, fd: int) -> None:
        self._raise(self._fault("end_direct", self._paths[fd]))
        self._inner.end_direct(fd)

    def ftruncate(self, fd: int, size: int) -> None:
        self._raise(self._fault("ftruncate", self._paths[fd]))
        self._inner.ftruncate(fd, size)

    def fdatasync(self, fd: int) -> None:
        self._raise(self._fault("fdatasync", self._paths[fd]))
        self._inner.fdatasync(fd)

    def sync_dir(self, path: str) -> None:
        self._raise(self._fault("sync_dir", path))
        self._inner.sync_dir(path)

    def mkdir(self, path: str) -> None:
        self._raise(self._fault("mkdir", path))
        self._inner.mkdir(path)

    def rmdir(self, path: str) -> None:
        self._raise(self._fault("rmdir", path))
        self._inner.rmdir(path)

    def rename(self, source: str, target: str) -> None:
        self._raise(self._fault("rename", source))
        self._inner.rename(source, target)

    def unlink(self, path: str) -> None:
        self._raise(self._fault("unlink", path))
        self._inner.unlink(path)

    def _fault(self, operation: str, path: str) -> Fault | None:
        with self._lock:
            self.calls += 1
            call = Call(self.calls, operation, path)
            fault = None if self.choose is None else self.choose(call)
            if fault is not None:
                self.faults.append(call)
            return fault

    def _raise(self, fault: Fault | None) -> None:
        if fault is not None:
            number = fault.error or errno.EIO
            raise OSError(number, os.strerror(number))

    def _write_some(self, fault: Fault, fd: int, data: bytes, offset: int) -> int:
        # Written through the page cache: what is left of aligned data need not be aligned.
        if fault.written:
            self._inner.end_direct(fd)
            self._inner.pwrite(fd, data[: fault.written], offset)
        if fault.error:
            self._raise(fault)
        return fault.written
