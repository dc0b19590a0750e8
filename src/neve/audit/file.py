"""The audit log as a file that several processes append to, or as standard output.

Invariants: each entry is one `write` of a whole line to a descriptor in append mode, made before
`record` returns: lines of several processes never mix, and a killed process loses none. What cannot
be written is counted and said, never raised: a full disk must not stop the service.
"""

import logging
import os
from collections.abc import Callable

from neve.audit.lost import Lost
from neve.errors import StoreRefused

STDOUT = "-"
_MODE = 0o640

log = logging.getLogger("neve.audit")


def _uncounted(written: int, dropped: int) -> None:
    """Count nothing."""


class AuditFile:
    """Writes lines. One thread at a time."""

    def __init__(self, path: str, count: Callable[[int, int], None] = _uncounted) -> None:
        """`count(written, dropped)` is told of every line. Raises: StoreRefused."""
        self._path = path
        self._count = count
        self._lost = Lost(f"the audit log {path}")
        self._torn = False
        self._fd = _open(path)

    def write(self, line: bytes) -> None:
        """Append the line."""
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            self._drop(os.strerror(error.errno or 0))
            return
        self._torn = written < len(line)
        if self._torn:
            self._drop("only a part of a line could be written")
            return
        self._count(1, 0)
        self._lost.works()

    def stat(self) -> os.stat_result:
        """What the system knows of the file that is written."""
        return os.fstat(self._fd)

    def reopen(self) -> None:
        """Open the file again, as after a rotation; keep the old one when that fails."""
        try:
            fd = _open(self._path)
        except StoreRefused as error:
            log.error("%s It is still written under its old name.", error)
            return
        self.close()
        self._fd = fd

    def close(self) -> None:
        """Write no more."""
        if self._fd > 2:
            os.close(self._fd)
        self._fd = -1

    def _drop(self, why: str) -> None:
        self._count(0, 1)
        self._lost.drop(1, why)


def _open(path: str) -> int:
    if path == STDOUT:
        return 1
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, _MODE)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise StoreRefused(f"The audit log {path} cannot be written: {why}.") from error
