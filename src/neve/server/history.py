"""What the server did over time: rings of fixed size in shared memory, kept in the folder.

The steward adds to them every 10 s what the metrics have grown by, and any worker reads them:

    fine       a record per 10 s, for 2 h
    minutes    a record per minute, for 24 h
    coarse     a record per 10 min, for 30 d

A record's place follows from its time, so a ring never grows and old records need no removal: a
reader leaves out what is too old. Counts are of the record's time alone, so a restart is no step
down. The memory outlives the steward; with the server's end it is written to DATA/history, and
every SAVE_S before: whole or not at all, and a file that is damaged counts as none.

One process writes. A reader may meet a record between two of its cells: then a figure of the last
10 s appears with the next reading.
"""

import logging
import mmap
import os
import zlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

LATENCY_COUNTS = 16
"""Of the metrics' histogram, which has as many."""
SAVE_S = 300.0
FILE = "history"
COUNTS = (
    "requests",
    "other_requests",
    "client_errors",
    "server_errors",
    "received_bytes",
    "sent_bytes",
    "latency_us",
    *(f"latency_{number}" for number in range(LATENCY_COUNTS)),
)
"""What happened within the time of a record. `latency_N` is the histogram."""
LEVELS = ("objects", "bytes", "free_bytes", "size_bytes")
"""What there was at the end of it."""
_AT, _COVERED, _FIRST = 0, 1, 2
_RECORD = _FIRST + len(COUNTS) + len(LEVELS)

log = logging.getLogger("neve.history")


class Ring(NamedTuple):
    """One of the rings."""

    step_s: int
    records: int
    first: int
    """Its first cell."""


def _rings(*sizes: tuple[int, int]) -> tuple[tuple[Ring, ...], int]:
    rings, cell = [], 0
    for step_s, records in sizes:
        rings.append(Ring(step_s, records, cell))
        cell += records * _RECORD
    return tuple(rings), cell


RINGS, _CELLS = _rings((10, 720), (60, 1440), (600, 4320))
FINE, MINUTES, COARSE = RINGS
_LAST_MS, _READY = _CELLS + len(COUNTS), _CELLS + len(COUNTS) + 1
"""After the rings: the counters as they stood last, when that was, and whether all this is set."""
_MAGIC = b"NEVEHIS1" + zlib.crc32(repr((COUNTS, LEVELS, RINGS)).encode()).to_bytes(4, "little")
"""A file of another layout is of no use."""


class Record(NamedTuple):
    """What is known of one step of time."""

    at_s: int
    """Its begin, seconds since 1970."""
    covered_ms: int
    """How much time its counts are of; less than the step where the server did not run."""
    counts: Sequence[int]
    levels: Sequence[int]


class History:
    """The rings. Made before the fork."""

    __slots__ = ("_cells", "_map")

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, (_READY + 1) * 8)
        self._cells = memoryview(self._map).cast("Q")

    def begin(self, file: str, at_ms: int) -> None:
        """Take up what is in the file, unless a writer before this one has.

        `at_ms` is when all counters were 0.
        """
        if self._cells[_READY]:
            return
        data = _load(file)
        if data is not None:
            self._map[: len(data)] = data
        self._cells[_LAST_MS] = at_ms
        self._cells[_READY] = 1

    @property
    def last_ms(self) -> int:
        """When something was added last."""
        return self._cells[_LAST_MS]

    def add(self, at_ms: int, counters: Sequence[int], levels: Sequence[int]) -> None:
        """Note the counters (since the server's start) and levels as of now."""
        cells = self._cells
        # A counter that stands lower than before is one that began anew.
        grown = [
            value - last if value >= (last := cells[_CELLS + place]) else value
            for place, value in enumerate(counters)
        ]
        covered = max(0, at_ms - cells[_LAST_MS])
        for ring in RINGS:
            # What is noted as a step begins is about the one before it.
            at = (at_ms // 1000 - FINE.step_s) // ring.step_s * ring.step_s
            place = _place(ring, at)
            old: list[int] = cells[place : place + _RECORD].tolist()
            if old[_AT] != at:
                old = [0] * _RECORD
            stop = _FIRST + len(COUNTS)
            sums = [a + b for a, b in zip(old[_FIRST:stop], grown)]
            record = array("Q", [at, old[_COVERED] + covered, *sums, *levels])
            cells[place : place + _RECORD] = memoryview(record)
        cells[_CELLS : _CELLS + len(COUNTS)] = memoryview(array("Q", counters))
        cells[_LAST_MS] = at_ms

    def read(self, ring: Ring, since_s: int, until_s: int) -> list[Record]:
        """Return the records that begin at `since_s` or later, before `until_s`, oldest first."""
        found = []
        cells = self._cells
        oldest = until_s - ring.step_s * ring.records
        for at in range(max(since_s, oldest) // ring.step_s * ring.step_s, until_s, ring.step_s):
            place = _place(ring, at)
            if at >= since_s and cells[place] == at:
                row = cells[place : place + _RECORD].tolist()
                stop = _FIRST + len(COUNTS)
                found.append(Record(at, row[_COVERED], row[_FIRST:stop], row[stop:]))
        return found

    def save(self, file: str) -> None:
        """Replace the file. Raises: OSError."""
        packed = zlib.compress(self._map[: _CELLS * 8], 1)
        data = _MAGIC + zlib.crc32(packed).to_bytes(4, "little") + packed
        temporary = file + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with open(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(fd)
        os.rename(temporary, file)


def _place(ring: Ring, at_s: int) -> int:
    return ring.first + at_s // ring.step_s % ring.records * _RECORD


def _load(file: str) -> bytes | None:
    """Return the cells of the rings in a file; None when there is none that is good."""
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("the history cannot be read and begins anew: %s", error)
        return None
    head, packed = len(_MAGIC), data[len(_MAGIC) + 4 :]
    if data[:head] == _MAGIC and data[head : head + 4] == zlib.crc32(packed).to_bytes(4, "little"):
        cells = zlib.decompress(packed)
        if len(cells) == _CELLS * 8:
            return cells
    log.warning("%s is damaged or of another version: the history begins anew", file)
    return None
