"""Current objects that were read before, as long as nothing was committed since.

A hit is exactly as fresh as a SELECT: the catalog's state is compared at every look, and it changes
with every commit of every process. Where writes come in between, a look costs what a SELECT costs;
what was derived from a row is kept even then, when the row is found unchanged.
"""

from typing import Any

from neve.catalog.catalog import ObjectRow, Reader

ROWS_MAX = 4096
DATA_BYTES_MAX = 16 << 10
"""Objects up to this size keep their bytes with their row …"""
DATA_TOTAL_BYTES_MAX = 8 << 20
"""… as long as all of them together are no more than this. Blobs never change."""


class Found:
    """A row, and what was made of it for answers."""

    __slots__ = ("data", "row", "shown", "state")

    def __init__(self, row: ObjectRow, state: bytes | None) -> None:
        self.row = row
        self.state = state
        self.data: bytes | None = None
        """The whole object, when it is small and was read."""
        self.shown: Any = None
        """Whatever the protocol layer derives from the row alone and wants to keep."""


class Rows:
    """The rows of one process's reader; for the event loop's thread."""

    __slots__ = ("_data_bytes", "_found", "_reader")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found: dict[tuple[int, str], Found] = {}
        self._data_bytes = 0

    def find(self, tree: int, key: str) -> Found | None:
        """Return the object at the key as of now."""
        reader = self._reader
        state = reader.state()
        place = (tree, key)
        found = self._found.get(place)
        if found is not None and found.state == state and state is not None:
            return found
        row = reader.object(tree, key)
        if row is None:
            if found is not None:
                self._forget(place, found)
            return None
        if found is not None:
            if found.row == row:
                found.state = state
                return found
            self._forget(place, found)
        found = Found(row, state)
        if state is not None:
            self._keep(place, found)
        return found

    def keep_data(self, found: Found, data: bytes) -> None:
        """Keep the bytes of a small object with its row."""
        size = len(data)
        if size <= DATA_BYTES_MAX and self._data_bytes + size <= DATA_TOTAL_BYTES_MAX:
            row = found.row
            if self._found.get((row.tree, row.key)) is found:
                found.data = data
                self._data_bytes += size

    def _keep(self, place: tuple[int, str], found: Found) -> None:
        if len(self._found) >= ROWS_MAX:
            self._found.clear()
            self._data_bytes = 0
        self._found[place] = found

    def _forget(self, place: tuple[int, str], found: Found) -> None:
        del self._found[place]
        if found.data is not None:
            self._data_bytes -= len(found.data)
