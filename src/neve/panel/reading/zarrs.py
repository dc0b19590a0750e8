"""What a Zarr store of version 2 or 3 holds: its groups and arrays, from its metadata alone.

Consolidated metadata is one object. Without it the groups are walked, as far as `WALKED_MAX`.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

BYTES_MAX = 2 << 20
"""Of one document."""
NODES_MAX = 1000
WALKED_MAX = 60
"""Groups and arrays that are asked for one by one."""
_DTYPE = re.compile(r"[<>|=]?([a-zA-Z]+?)(\d+)(\D.*)?")
_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex", "b": "bool"}

Fetch = Callable[[str], bytes | None]
"""Returns a document of the store by its key in it; None when there is none."""
Children = Callable[[str], list[str]]
"""Returns the names of the folders in a folder of the store."""


class Node(NamedTuple):
    """A group, or an array."""

    path: str
    """'' is the root."""
    shape: tuple[int, ...] | None
    """None: a group."""
    type: str = ""
    chunks: tuple[int, ...] = ()
    shards: tuple[int, ...] = ()
    dimensions: tuple[str, ...] = ()
    attributes: int = 0
    """How many."""

    @property
    def depth(self) -> int:
        """How far below the root."""
        return self.path.count("/") + 1 if self.path else 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def bytes(self) -> int | None:
        """Size of the values before compression, None when the type does not tell."""
        found = re.search(r"\d+$", self.type)
        if self.shape is None or not (found or self.type == "bool"):
            return None
        return math.prod(self.shape) * (int(found[0]) // 8 if found else 1)


class Store(NamedTuple):
    """What was found."""

    version: int
    consolidated: bool
    nodes: list[Node]
    cut: bool
    """Whether there may be more."""


def read(fetch: Fetch, children: Children) -> Store | None:
    """Return what a store holds, None when it is none."""
    for names, reader in ((("zarr.json",), _third), ((".zmetadata",), _second)):
        document = _object(fetch(names[0]))
        if document is not None:
            found = reader(document)
            if found is not None:
                return found
    for version in (3, 2):
        root = _node(fetch, "", version)
        if root is not None:
            return _walk(fetch, children, root, version)
    return None


def _third(document: dict[str, Any]) -> Store | None:
    inner = _dict(_dict(document.get("consolidated_metadata")).get("metadata"))
    if not inner:
        return None
    rows = [("", document), *sorted(inner.items())]
    nodes = [_of_third(path, _dict(each)) for path, each in rows[:NODES_MAX]]
    return Store(3, True, nodes, len(rows) > NODES_MAX)


def _second(document: dict[str, Any]) -> Store | None:
    found = _dict(document.get("metadata"))
    if not found:
        return None
    nodes = []
    for key in sorted(found):
        folder, _, name = key.rpartition("/")
        if name in (".zgroup", ".zarray"):
            attributes = _dict(found.get(f"{folder}/.zattrs" if folder else ".zattrs"))
            nodes.append(_of_second(folder, _dict(found[key]), attributes))
    nodes.sort(key=lambda node: node.path.split("/"))
    return Store(2, True, nodes[:NODES_MAX], len(nodes) > NODES_MAX)


def _walk(fetch: Fetch, children: Children, root: Node, version: int) -> Store:
    nodes: list[Node] = []
    waiting, cut = [root], False
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if node.shape is not None:
            continue
        found: list[Node] = []
        for name in children(f"{node.path}/" if node.path else ""):
            if len(nodes) + len(waiting) + len(found) >= WALKED_MAX:
                cut = True
                break
            below = _node(fetch, f"{node.path}/{name}".lstrip("/"), version)
            if below is not None:
                found.append(below)
        waiting += reversed(found)
    return Store(version, False, nodes, cut)


def _node(fetch: Fetch, path: str, version: int) -> Node | None:
    start = f"{path}/" if path else ""
    if version == 3:
        document = _object(fetch(f"{start}zarr.json"))
        return _of_third(path, document) if document is not None else None
    for name in (".zarray", ".zgroup"):
        document = _object(fetch(f"{start}{name}"))
        if document is not None:
            return _of_second(path, document, _object(fetch(f"{start}.zattrs")) or {})
    return None


def _of_third(path: str, document: dict[str, Any]) -> Node:
    attributes = len(_dict(document.get("attributes")))
    if document.get("node_type") != "array":
        return Node(path, None, attributes=attributes)
    grid = _dict(_dict(document.get("chunk_grid")).get("configuration"))
    chunks = _sizes(grid.get("chunk_shape"))
    shards: tuple[int, ...] = ()
    codecs = document.get("codecs")
    for codec in codecs if isinstance(codecs, list) else []:
        if _dict(codec).get("name") == "sharding_indexed":
            inner = _sizes(_dict(_dict(codec).get("configuration")).get("chunk_shape"))
            chunks, shards = inner, chunks
    type = document.get("data_type")
    return Node(
        path,
        _sizes(document.get("shape")),
        str(type if isinstance(type, str) else _dict(type).get("name", ""))[:100],
        chunks,
        shards,
        _texts(document.get("dimension_names")),
        attributes,
    )


def _of_second(path: str, document: dict[str, Any], attributes: dict[str, Any]) -> Node:
    if "shape" not in document:
        return Node(path, None, attributes=len(attributes))
    return Node(
        path,
        _sizes(document["shape"]),
        _type(document.get("dtype")),
        _sizes(document.get("chunks")),
        (),
        _texts(attributes.get("_ARRAY_DIMENSIONS")),
        len(set(attributes) - {"_ARRAY_DIMENSIONS"}),
    )


def _type(dtype: Any) -> str:
    """The name of a type of NumPy, as version 3 has it: `<f4` is `float32`."""
    found = _DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if found and found[1] in _KINDS and not found[3]:
        kind = _KINDS[found[1]]
        return kind if kind == "bool" else f"{kind}{int(found[2][:4]) * 8}"
    return str(dtype)[:100]


def _object(data: bytes | None) -> dict[str, Any] | None:
    if data is None:
        return None
    try:
        found = msgspec.json.decode(_without_nan(data))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _without_nan(data: bytes) -> bytes:
    """Version 2 writes `NaN` as a fill value, which is no JSON."""
    return re.sub(rb":\s*-?(?:NaN|Infinity)\b", b":null", data)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> Iterator[Any]:
    yield from value[:100] if isinstance(value, list) else []


def _sizes(value: Any) -> tuple[int, ...]:
    return tuple(each for each in _items(value) if isinstance(each, int))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each)[:100] for each in _items(value) if each is not None)
