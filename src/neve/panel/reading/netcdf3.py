"""The header of a NetCDF-3 file: classic, with 64-bit offsets, or with 64-bit data (CDF-1, 2, 5).

It stands at the beginning of the file. The format is that of the NetCDF User's Guide, appendix B.
"""

import struct

from neve.panel.reading.headers import (
    NAME_MAX,
    NODES_MAX,
    VALUES_MAX,
    Attribute,
    Dimension,
    Group,
    Unreadable,
    Variable,
    written,
)

MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
BYTES = 1 << 20
"""Of the file that are looked at."""
RANK_MAX = 1024
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_CHAR = 2
_TYPES = {
    1: ("byte", "b", "b"), 2: ("char", "", ""), 3: ("short", "h", "s"), 4: ("int", "i", ""),
    5: ("float", "f", "f"), 6: ("double", "d", ""), 7: ("ubyte", "B", "UB"),
    8: ("ushort", "H", "US"), 9: ("uint", "I", "U"), 10: ("int64", "q", "LL"),
    11: ("uint64", "Q", "ULL"),
}  # fmt: skip


def read(data: bytes, name: str) -> Group:
    """Return the header of a file that begins with `data`. Raises: Unreadable."""
    if data[:4] not in MAGIC:
        raise Unreadable("not a NetCDF-3 file")
    return _Reader(data).file(name)


class _Reader:
    """Goes through the bytes in their order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4
        self._wide = data[3] == 5
        self._offset = 4 if data[3] == 1 else 8

    def file(self, name: str) -> Group:
        records = self._count()
        dimensions = []
        for _ in range(self._list(_DIMENSIONS)):
            called, size = self._name(), self._count()
            dimensions.append(Dimension(called, size or records, unlimited=not size))
        attributes = self._attributes()
        variables = [self._variable(dimensions) for _ in range(self._list(_VARIABLES))]
        return Group(name, tuple(dimensions), tuple(variables), attributes)

    def _variable(self, dimensions: list[Dimension]) -> Variable:
        name, rank = self._name(), self._count()
        if rank > RANK_MAX:
            raise Unreadable("too many dimensions")
        numbers = [self._count() for _ in range(rank)]
        if any(number >= len(dimensions) for number in numbers):
            raise Unreadable("a dimension that is not there")
        attributes = self._attributes()
        type, _, _ = self._type()
        self._count()
        self._take(self._offset)
        return Variable(name, type, tuple(dimensions[n].name for n in numbers), attributes)

    def _attributes(self) -> tuple[Attribute, ...]:
        return tuple(
            Attribute(self._name(), self._values()) for _ in range(self._list(_ATTRIBUTES))
        )

    def _values(self) -> str:
        type, code, suffix = self._type()
        count = self._count()
        if type == "char":
            return written(self._padded(count).decode("utf-8", "replace").rstrip("\0"))
        raw = self._padded(count * struct.calcsize(code))
        shown = min(count, VALUES_MAX)
        values = struct.unpack_from(f">{shown}{code}", raw)
        texts = [number(value, code) + suffix for value in values]
        return ", ".join(texts + (["…"] if count > shown else []))

    def _type(self) -> tuple[str, str, str]:
        found = _TYPES.get(self._int())
        if found is None:
            raise Unreadable("a type that is not known")
        return found

    def _list(self, tag: int) -> int:
        """How many elements a list has. None: its tag is 0."""
        found, count = self._int(), self._count()
        if found not in (0, tag) or (not found and count) or count > NODES_MAX:
            raise Unreadable("a list that is not known")
        return count

    def _name(self) -> str:
        return self._padded(self._count()).decode("utf-8", "replace")[:NAME_MAX]

    def _padded(self, count: int) -> bytes:
        return self._take(count + -count % 4)[:count]

    def _count(self) -> int:
        return int.from_bytes(self._take(8 if self._wide else 4))

    def _int(self) -> int:
        return int.from_bytes(self._take(4))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Unreadable("the header is longer than what is looked at")
        self._at += count
        return taken


def number(value: float, code: str = "d") -> str:
    """Return a number as it is written; one with a fraction has a point."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{7 if code == 'f' else 15}g}"
    return text if set(text) & set(".en") else f"{text}."
