"""Searching the audit trail and the audit log's file: newest first, page by page.

Files are read backwards from where the page before ended, so that what was written meanwhile moves
nothing. The work of one call is bounded: it ends when it has found enough, or has read BYTES_MAX,
and says with its marker where to go on. A line that is in both is found once.
Lines that are no entries (a torn one after a crash) are passed over.
"""

import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate
from typing import Any, NamedTuple

import msgspec

from neve.audit.file import STDOUT
from neve.audit.trail import segments

BYTES_MAX = 8 << 20
_CHUNK = 128 << 10
_LINE_MAX = 2 << 20
_TIME = re.compile(rb'"time":"([^"]{1,40})"')
_encode = msgspec.json.Encoder().encode

_RECENT = 16
"""Lines among which one of the other source is known again: times cross by microseconds."""

Place = tuple[int, int]
"""A file (segment number or inode) and the offset below which its lines are still to be read."""
_END: Place = (0, 0)
"""Nothing is left to be read."""


class _Object(msgspec.Struct):
    key: str = ""


class _Seen(msgspec.Struct):
    """What is asked about."""

    category: str = ""
    operation: str = ""
    principal: str = ""
    access_key: str = ""
    bucket: str = ""
    key: str = ""
    objects: list[_Object] = []
    allowed: bool | None = None


_decode_seen = msgspec.json.Decoder(_Seen).decode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Query(NamedTuple):
    """Which entries are wanted; what is empty does not matter."""

    user: str = ""
    """Name of a principal, or an access key."""
    bucket: str = ""
    key: str = ""
    """With `*` at its end: what the key begins with."""
    events: tuple[str, ...] = ()
    """Categories or operations, with `*` for any letters."""
    decision: str = ""
    """`allowed` or `refused`."""
    since: str = ""
    """A time as entries have it."""
    until: str = ""
    text: str = ""
    """Anywhere in the entry, in whatever case."""


class Found(NamedTuple):
    """A page."""

    entries: list[dict[str, Any]]
    marker: str
    """Where to go on; empty: there is no more."""


def search(
    folder: str, log: str, query: Query, *, limit: int, marker: str = "", bytes_max: int = BYTES_MAX
) -> Found:
    """Search the trail in `folder` (DATA/audit) and the audit log's file, if `log` names one.

    Raises: ValueError (the marker is none of ours).
    """
    places = _parse_marker(marker)
    budget = _Budget(bytes_max)
    sources = [
        _Source(_trail_files(folder), places[0] if places else None, budget),
        _Source(_log_files(log, places), places[1] if places else None, budget),
    ]
    wanted = _Wanted(query)
    entries: list[dict[str, Any]] = []
    recent: deque[bytes] = deque(maxlen=_RECENT)
    while len(entries) < limit and not any(source.cut for source in sources):
        source = max(sources, key=lambda each: each.time)
        if not source.time or source.time < query.since:
            return Found(entries, "")
        time, line = source.take()
        for other in sources:
            other.skip(line)
        if line not in recent and wanted.lets(time, line):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                entries.append(_decode(line))
        recent.append(line)
    return Found(entries, ".".join(str(n) for each in sources for n in each.place))


class _Budget:
    """How much may still be read."""

    def __init__(self, left: int) -> None:
        self.left = left


class _Source:
    """Lines of files, the last one first, with one looked at beforehand."""

    def __init__(self, files: list[tuple[int, str]], place: Place | None, budget: _Budget) -> None:
        """`files` with their ids, the newest first."""
        self.place: Place = place or _begin(files)
        """Where to go on after what was taken."""
        self.time = ""
        """Of the line looked at; empty when there is none."""
        self.cut = False
        """There may be more, but nothing may be read any more."""
        self._budget = budget
        self._lines = _backwards(files, self.place, budget)
        self._ahead: tuple[Place, bytes] = (_END, b"")
        self._look()

    def take(self) -> tuple[str, bytes]:
        """Return (time, line) of the line looked at, and look at the one before it."""
        time = self.time
        self.place, line = self._ahead
        self._look()
        return time, line

    def skip(self, line: bytes) -> None:
        """Pass over the line looked at when it is this one, which another source has too."""
        if self.time and self._ahead[1] == line:
            self.take()

    def _look(self) -> None:
        for place, line in self._lines:
            match = _TIME.search(line)
            if match is not None:
                self.time = match[1].decode("ascii", "replace")
                self._ahead = (place, line)
                return
            self.place = place
        self.time = ""
        self.cut = self._budget.left <= 0
        if not self.cut:
            self.place = _END


def _begin(files: list[tuple[int, str]]) -> Place:
    for id, path in files:
        with suppress(OSError):
            return id, os.stat(path).st_size
    return _END


def _backwards(
    files: list[tuple[int, str]], place: Place, budget: _Budget
) -> Iterator[tuple[Place, bytes]]:
    """Yield (where to go on, line)."""
    newest, stop = place
    for id, path in files:
        if id > newest:
            continue
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # removed since, to make room
        try:
            end = os.fstat(fd).st_size
            for start, line in _lines(fd, min(stop, end) if id == newest else end, budget):
                yield (id, start), line
        finally:
            os.close(fd)
        if budget.left <= 0:
            return


def _lines(fd: int, end: int, budget: _Budget) -> Iterator[tuple[int, bytes]]:
    """Yield (start, line) of the whole lines before `end`, the last one first."""
    at, tail, whole = end, b"", False
    while at > 0 and budget.left > 0:
        size = min(_CHUNK, at)
        at -= size
        budget.left -= size
        data = os.pread(fd, size, at) + tail
        first, *rest = data.split(b"\n")
        start = at + len(data)
        for line in reversed(rest):
            start -= len(line)
            # What stands after the last line's end is a line that is still being written.
            if whole and line:
                yield start, line
            whole = True
            start -= 1
        tail = first
        if len(tail) > _LINE_MAX:
            tail, whole = b"", False
            yield at, b""
    if at == 0 and tail and whole:
        yield 0, tail


class _Wanted:
    """A query, prepared."""

    def __init__(self, query: Query) -> None:
        self._query = query
        prefix = query.key.endswith("*")
        self._key = query.key[:-1] if prefix else query.key
        self._is_prefix = prefix
        exact = (query.user, query.bucket, self._key)
        self._needles = [_encode(text)[1:-1] for text in exact if text]
        """What must stand in the line: most lines are dropped for that without being read."""
        self._text = _encode(query.text)[1:-1].lower()
        self._events = [re.compile(translate(event.lower())) for event in query.events]

    def lets(self, time: str, line: bytes) -> bool:
        """Say whether the entry on a line is wanted."""
        query = self._query
        if query.until and time >= query.until:
            return False
        if not all(needle in line for needle in self._needles):
            return False
        if self._text and self._text not in line.lower():
            return False
        try:
            seen = _decode_seen(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        return self._fits(seen)

    def _fits(self, seen: _Seen) -> bool:
        query = self._query
        if query.user and query.user not in (seen.principal, seen.access_key):
            return False
        if query.bucket and query.bucket != seen.bucket:
            return False
        if query.decision and seen.allowed is not (query.decision == "allowed"):
            return False
        if self._events and not self._happened(seen):
            return False
        return not query.key or any(map(self._is_key, (seen.key, *(o.key for o in seen.objects))))

    def _happened(self, seen: _Seen) -> bool:
        names = (seen.category.lower(), seen.operation.lower())
        return any(event.match(name) for event in self._events for name in names)

    def _is_key(self, key: str) -> bool:
        return key.startswith(self._key) if self._is_prefix else key == self._key


def _trail_files(folder: str) -> list[tuple[int, str]]:
    return segments(folder)[::-1]


def _log_files(log: str, places: tuple[Place, Place] | None) -> list[tuple[int, str]]:
    """Return the audit log's file, unless it cannot be read or is none; its inode is its id.

    After a rotation there is nothing to go on with.
    """
    if log in ("", STDOUT) or not os.path.isfile(log) or not os.access(log, os.R_OK):
        return []
    with suppress(OSError):
        inode = os.stat(log).st_ino
        return [(inode, log)] if places is None or places[1][0] == inode else []
    return []


def _parse_marker(marker: str) -> tuple[Place, Place] | None:
    if not marker:
        return None
    parts = marker.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("the marker is not one that was given")
    numbers = [int(part[:20]) for part in parts]
    return (numbers[0], numbers[1]), (numbers[2], numbers[3])
