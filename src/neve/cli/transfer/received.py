"""What of a large download has come: kept in its part file, so that the same command goes on.

Behind the place of the object's bytes stand lines of JSON: first which state of which object they
are of, then for each piece that was written where it lies and its CRC. One file has all of it, so
nothing is left when it goes.

Invariants: a piece counts only if its bytes in the file still have that CRC, whatever stopped the
run before; lines that are of another state, torn, or no lines at all count as nothing; they are cut
off before the file gets its name.
"""

import json
import os
import threading
from typing import Any, NamedTuple

from neve.cli.transfer.body import PIECE
from neve.cli.transfer.verify import Running

_VERSION = 1


class Piece(NamedTuple):
    """Bytes `[start, stop)` of the object, and their CRC."""

    start: int
    stop: int
    crc: int


class Received:
    """The pieces that are in a part file. Safe to tell from several threads."""

    def __init__(self, file: int, size: int, state: str, algorithm: str) -> None:
        """`state` is of the object and its CRCs: another one has nothing to go on with.

        '' for a state that cannot be told from others: nothing is kept then.
        """
        self._file, self._size = file, size
        self._algorithm = algorithm
        self._head = [_VERSION, state, algorithm]
        self._keeps = bool(state)
        self._lock = threading.Lock()
        self._end = size
        self.pieces = self._load()
        self.any = bool(self.pieces)
        """Whether there is something to go on with."""
        os.ftruncate(file, self._end)

    def running(self) -> Running:
        """What a piece's CRC is computed with."""
        return Running(self._algorithm)

    def note(self, piece: Piece) -> None:
        """It is in the file."""
        if not self._keeps:
            return
        with self._lock:
            try:
                if self._end == self._size:
                    self._append(self._head)
                self._append(piece)
            except OSError:
                return  # The disk is full: then an interruption costs more.
            self.any = True

    def holds(self, piece: Piece) -> bool:
        """Whether the file still has the bytes."""
        running, position = self.running(), piece.start
        while position < piece.stop:
            data = os.pread(self._file, min(PIECE, piece.stop - position), position)
            if not data:
                return False
            running.update(data)
            position += len(data)
        return running.crc == piece.crc

    def cut(self) -> None:
        """All has come: leave nothing but the object."""
        os.ftruncate(self._file, self._size)

    def missing(self, step: int) -> list[tuple[int, int]]:
        """What has not come, in steps."""
        found, position = [], 0
        for start, stop in [
            *((piece.start, piece.stop) for piece in self.pieces),
            (self._size,) * 2,
        ]:
            found += [(at, min(at + step, start)) for at in range(position, start, step)]
            position = stop
        return found

    def _append(self, line: object) -> None:
        data = json.dumps(line).encode() + b"\n"
        os.pwrite(self._file, data, self._end)
        self._end += len(data)

    def _load(self) -> list[Piece]:
        """The pieces, in order; what is written next comes behind the last good line."""
        found: dict[int, Piece] = {}
        end = self._size
        with open(self._file, "rb", closefd=False) as stream:
            stream.seek(end)
            if not self._keeps or _line(stream.readline(1 << 14)) != self._head:
                return []
            end = stream.tell()
            while (row := _line(stream.readline(1 << 10))) is not None:
                try:
                    piece = Piece(*map(int, row))
                except (TypeError, ValueError, OverflowError):
                    break
                # The last word on a piece holds: it may have been fetched again.
                found[piece.start] = piece
                end = stream.tell()
        self._end = end
        return _apart(sorted(found.values()), self._size)


def _line(data: bytes) -> list[Any] | None:
    """The list on a line, None when there is none, or half of one."""
    if not data.endswith(b"\n"):
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _apart(pieces: list[Piece], size: int) -> list[Piece]:
    """Those that lie in the object and not in each other."""
    found: list[Piece] = []
    for piece in pieces:
        before = found[-1].stop if found else 0
        if before <= piece.start < piece.stop <= size:
            found.append(piece)
    return found
