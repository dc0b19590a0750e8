"""The header of an HDF5 file, and so of a NetCDF-4 file, read by h5py in a process of its own.

HDF5 is a large library in C and the file may be anybody's: the process has no keys and no way to
the server, little memory and little time. It asks for ranges of the file over its output and gets
them over its input; links that lead out of the file are not followed, data is not read.
"""

import importlib
import json
import os
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import IO, Any

import msgspec

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
from neve.panel.reading.netcdf3 import number

MAGIC = b"\x89HDF\r\n\x1a\n"
SECONDS = 20
WAIT_S = 2
"""For the readers of others: what waits holds up the other pages."""
MEMORY_MAX = 2 << 30
"""Of addresses: what h5py and numpy map alone is several hundred MiB."""
READ_MAX = 64 << 20
"""Bytes of the file that are given out."""
ANSWER_MAX = 2 << 20
DEPTH_MAX = 20
_BLOCK = 1 << 17
_AT_ONCE = threading.BoundedSemaphore(2)
_NOT_VARIABLES = (b"This is a netCDF dimension but not a netCDF variable",)
_SUFFIXES = {"float32": "f", "int8": "b", "uint8": "UB", "int16": "s", "uint16": "US",
             "uint32": "U", "int64": "LL", "uint64": "ULL"}  # fmt: skip
_HIDDEN = frozenset((
    "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_NCProperties", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_nc3_strict", "_NCCOPY",
))  # fmt: skip


def is_there() -> bool:
    """Whether h5py is installed; it is not needed for anything else."""
    return find_spec("h5py") is not None


def read(name: str, size: int, ranged: Callable[[int, int], bytes]) -> Group:
    """Return the header of a file of `size` bytes whose ranges `[start, stop)` are given out.

    Raises: Unreadable.
    """
    if not _AT_ONCE.acquire(timeout=WAIT_S):
        raise Unreadable("too many files are looked at")
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd="/",
        )
        clock = threading.Timer(SECONDS, process.kill)
        clock.start()
        try:
            return _converse(process, name, size, ranged)
        except (OSError, struct.error, msgspec.DecodeError) as error:
            raise Unreadable("it could not be read") from error
        finally:
            clock.cancel()
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
    finally:
        _AT_ONCE.release()


def _environment() -> dict[str, str]:
    """What the process is told: nothing of the server's settings."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HDF5_PLUGIN_PATH": "/nowhere",
        "HDF5_USE_FILE_LOCKING": "FALSE",
    }


def _converse(
    process: "subprocess.Popen[bytes]",
    name: str,
    size: int,
    ranged: Callable[[int, int], bytes],
) -> Group:
    asked, given = process.stdout, process.stdin
    assert asked is not None and given is not None
    given.write(json.dumps({"name": name, "size": size}).encode() + b"\n")
    given.flush()
    left = READ_MAX
    while True:
        start, length = struct.unpack("<qq", asked.read(16))
        if start < 0:
            if length > ANSWER_MAX:
                raise Unreadable("its header is too long")
            answer = msgspec.json.decode(asked.read(length), type=Group | str)
            if isinstance(answer, str):
                raise Unreadable(answer)
            return answer
        left -= length
        if length < 0 or start + length > size or left < 0:
            raise Unreadable("its header is spread over too much of it")
        given.write(ranged(start, start + length))
        given.flush()


# What follows runs in the other process.


def main() -> None:
    """Answer one question."""
    os.nice(10)  # who reads and writes objects goes first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    given, asked = sys.stdin.buffer, sys.stdout.buffer
    about = json.loads(given.readline())
    answer: Group | str
    try:
        answer = _header(about["name"], _Remote(about["size"], given, asked))
    except Exception as error:  # noqa: BLE001  # a library's on a file that may be anything
        answer = f"{type(error).__name__}: {error}"[:500]
    body = msgspec.json.encode(answer)
    asked.write(struct.pack("<qq", -1, len(body)) + body)
    asked.flush()


class _Remote:
    """A file for h5py whose blocks come over the pipe."""

    def __init__(self, size: int, given: IO[bytes], asked: IO[bytes]) -> None:
        self._size, self._given, self._asked = size, given, asked
        self._blocks: dict[int, bytes] = {}
        self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes; h5py looks for it and then uses `readinto`."""
        left = max(0, self._size - self._at)
        buffer = bytearray(left if count < 0 else min(count, left))
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview) -> int:
        stop = min(self._at + len(buffer), self._size)
        done = 0
        while self._at < stop:
            block = self._block(self._at // _BLOCK)
            first = self._at % _BLOCK
            piece = block[first : first + stop - self._at]
            buffer[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
        return done

    def _block(self, number: int) -> bytes:
        found = self._blocks.get(number)
        if found is None:
            start = number * _BLOCK
            length = min(_BLOCK, self._size - start)
            self._asked.write(struct.pack("<qq", start, length))
            self._asked.flush()
            found = self._given.read(length)
            if len(found) < length:
                raise EOFError("no more comes")
            self._blocks[number] = found
        return found


def _header(name: str, file: _Remote) -> Group:
    h5py = importlib.import_module("h5py")
    with h5py.File(file, "r") as opened:
        return _Walk(h5py).group(opened, name, 0)


class _Walk:
    """Goes through groups and data sets, each once, as far as `NODES_MAX`."""

    def __init__(self, h5py: Any) -> None:
        self._h5py = h5py
        self._left = NODES_MAX
        self._seen: set[Any] = set()

    def group(self, group: Any, name: str, depth: int) -> Group:
        dimensions, variables, groups = [], [], []
        cut = False
        for key in group:
            if self._left <= 0 or depth > DEPTH_MAX:
                cut = True
                break
            if not isinstance(group.get(key, getlink=True), self._h5py.HardLink):
                continue
            self._left -= 1
            found = group[key]
            mark = self._h5py.h5o.get_info(found.id).addr
            if isinstance(found, self._h5py.Group):
                if mark not in self._seen:
                    self._seen.add(mark)
                    groups.append(self.group(found, key[:NAME_MAX], depth + 1))
            elif isinstance(found, self._h5py.Dataset):
                if found.attrs.get("CLASS") == b"DIMENSION_SCALE" and len(found.shape or ()) == 1:
                    unlimited = found.maxshape[0] is None
                    dimensions.append(Dimension(key[:NAME_MAX], found.shape[0], unlimited))
                    if _text(found.attrs.get("NAME")).encode().startswith(_NOT_VARIABLES):
                        continue
                variables.append(self._variable(found, key))
        return Group(
            name, tuple(dimensions), tuple(variables), _attributes(group), tuple(groups), cut
        )

    def _variable(self, found: Any, key: str) -> Variable:
        sizes = found.shape or ()
        scale = found.attrs.get("CLASS") == b"DIMENSION_SCALE"
        names = []
        for at, size in enumerate(sizes):
            scales = [] if scale and len(sizes) == 1 else list(found.dims[at].values())
            if scale and len(sizes) == 1:
                names.append(key)
            else:
                names.append(scales[0].name.rpartition("/")[2] if scales else str(size))
        return Variable(key[:NAME_MAX], _type(found.dtype), tuple(names), _attributes(found))


def _type(dtype: Any) -> str:
    if dtype.kind in "SUO":
        return "string"
    known = {"float32": "float", "float64": "double", "int8": "byte", "int16": "short",
             "int32": "int", "uint8": "ubyte", "uint16": "ushort", "uint32": "uint"}  # fmt: skip
    return known.get(dtype.name, str(dtype)[:NAME_MAX])


def _attributes(found: Any) -> tuple[Attribute, ...]:
    attributes = []
    for name in list(found.attrs)[:NODES_MAX]:
        if name in _HIDDEN:
            continue
        try:
            text = _value(found.attrs[name])
        except (OSError, TypeError, ValueError, RuntimeError) as error:
            text = f"({type(error).__name__})"
        attributes.append(Attribute(name[:NAME_MAX], text))
    return tuple(attributes)


def _value(value: Any) -> str:
    if isinstance(value, bytes | str):
        return written(_text(value))
    values = value.ravel().tolist() if hasattr(value, "ravel") else [value]
    type = str(getattr(value, "dtype", ""))
    code, suffix = "f" if type == "float32" else "d", _SUFFIXES.get(type, "")
    shown = [
        number(each, code) + suffix if isinstance(each, int | float) else written(_text(each))
        for each in values[:VALUES_MAX]
    ]
    return ", ".join(shown + (["…"] if len(values) > VALUES_MAX else []))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
