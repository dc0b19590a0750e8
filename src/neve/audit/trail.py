"""The audit trail: entries that a server keeps in its own folder, within a bound, to be searched.

    DATA/audit/00000042.jsonl    a segment: lines as in the audit log's file
    DATA/audit/lock              held (flock) while a segment is begun and the oldest are removed

Several processes write. Each line is one `write` to a descriptor in append mode, as in `file`.
A segment that has reached its size is left: whoever writes next begins another, unless somebody
has. So a writer whose segment was left, or removed, always finds it too large, and goes where the
others are; no line is written into a file that is gone, or lost between two.
Invariants: all segments together have at most `bytes_max`, but for lines that cross the end of a
segment; what cannot be written is counted and said, never raised.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator

from neve.audit.file import AuditFile
from neve.audit.lost import Lost
from neve.errors import StoreRefused

DIRECTORY = "audit"
SEGMENTS = 16
"""At most so many, so that the trail loses its oldest 16th at a time."""
_LOCK = "lock"
_SUFFIX = ".jsonl"


class Trail:
    """Writes lines. One thread at a time."""

    def __init__(self, folder: str, bytes_max: int, count: Callable[[int, int], None]) -> None:
        """`count(written, dropped)` is told of every line. Touches nothing before the first."""
        self._directory = os.path.join(folder, DIRECTORY)
        self._bytes_max = bytes_max
        self._segment_bytes = max(1, bytes_max // SEGMENTS)
        self._count = count
        self._lost = Lost("the audit trail")
        self._file: AuditFile | None = None

    def write(self, line: bytes) -> None:
        """Append the line."""
        try:
            file = self._current()
        except (OSError, StoreRefused) as error:
            self._count(0, 1)
            self._lost.drop(1, str(error))
            return
        self._lost.works()
        file.write(line)

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _current(self) -> AuditFile:
        """Return the segment to write to."""
        file = self._file
        if file is not None:
            stat = file.stat()
            if stat.st_size < self._segment_bytes and stat.st_nlink:
                return file
        os.makedirs(self._directory, 0o750, exist_ok=True)
        with self._lock():
            self._file = AuditFile(self._newest(), self._count)
        if file is not None:
            file.close()
        return self._file

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Begin segments one process at a time; it takes as long as opening a file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(os.path.join(self._directory, _LOCK), flags, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _newest(self) -> str:
        """Return the path of the newest segment; of a new one when that is full."""
        paths = segments(self._directory)
        sizes = [os.stat(path).st_size for _, path in paths]
        if paths and sizes[-1] < self._segment_bytes:
            return paths[-1][1]
        while sizes and sum(sizes) + self._segment_bytes > self._bytes_max:
            os.unlink(paths.pop(0)[1])
            sizes.pop(0)
        number = paths[-1][0] + 1 if paths else 1
        return os.path.join(self._directory, f"{number:08d}{_SUFFIX}")


def segments(directory: str) -> list[tuple[int, str]]:
    """Return (number, path) of the segments in a directory, the oldest first."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    numbers = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
    found = sorted(int(number) for number in numbers if number.isascii() and number.isdigit())
    return [(each, os.path.join(directory, f"{each:08d}{_SUFFIX}")) for each in found]
