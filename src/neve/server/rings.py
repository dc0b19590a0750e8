"""The last records of every process, in memory that all of them share: made before the fork.

    per slot   a count of the records ever written (u64, one cache line)
    then       per slot, `records` places of `width` bytes; record N lies at place N mod `records`
        +0 checksum   CRC-32 of what follows, to the end of the data
        +4 length     of the data
        +8 number     N
        +16           the data

A ring is written by its own process only, so nothing is locked. Readers are not known to the
writer: each remembers how far it has read, and finds out by the numbers what it came too late for.
A record that is being overwritten fails its checksum and counts as missed. The memory outlives the
process that wrote it, so the last words of one that was killed can be read.
"""

import mmap
import struct
from zlib import crc32

_HEAD = struct.Struct("<IIQ")
_BODY = struct.Struct("<IQ")
_COUNT_BYTES = 64


class Rings:
    """A ring per process."""

    __slots__ = ("_counts", "_first", "_map", "_records", "_width", "data_bytes_max")

    def __init__(self, slots: int, records: int, width: int) -> None:
        """Make empty rings. The memory is taken when it is first written, not before."""
        self._records = records
        self._width = width
        self._first = slots * _COUNT_BYTES
        self._map = mmap.mmap(-1, self._first + slots * records * width)
        self._counts = memoryview(self._map)[: self._first].cast("Q")
        self.data_bytes_max = width - _HEAD.size
        """The longest record."""

    def count(self, slot: int) -> int:
        """Return how many records the process of a slot has ever written."""
        return self._counts[slot * (_COUNT_BYTES // 8)]

    def append(self, slot: int, data: bytes) -> None:
        """Write a record of at most `data_bytes_max`. Only for the process of the slot."""
        number = self.count(slot)
        at = self._place(slot, number)
        _HEAD.pack_into(self._map, at, _checksum(number, data), len(data), number)
        start = at + _HEAD.size
        self._map[start : start + len(data)] = data
        self._counts[slot * (_COUNT_BYTES // 8)] = number + 1

    def read(self, slot: int, since: int) -> tuple[list[bytes], int, int]:
        """Return (records from number `since` on, the number to go on with, how many are lost)."""
        count = self.count(slot)
        first = max(since, count - self._records)
        numbers = range(first, count)
        found = [data for number in numbers if (data := self._read(slot, number)) is not None]
        return found, count, count - since - len(found)

    def _place(self, slot: int, number: int) -> int:
        return self._first + (slot * self._records + number % self._records) * self._width

    def _read(self, slot: int, number: int) -> bytes | None:
        at = self._place(slot, number)
        checksum, length, there = _HEAD.unpack_from(self._map, at)
        if there != number or length > self.data_bytes_max:
            return None
        start = at + _HEAD.size
        data = self._map[start : start + length]
        return data if _checksum(number, data) == checksum else None


def _checksum(number: int, data: bytes) -> int:
    return crc32(data, crc32(_BODY.pack(len(data), number)))
