"""The requests of all workers as they end, for who watches: what `mc admin trace` reads.

While somebody watches, each worker writes what it answered into its ring (`rings`), as the JSON
that MinIO's clients read; the watcher's worker polls the rings, filters and sends. Watching is a
lease in shared memory that the watcher renews: when it or its worker dies, the lease runs out and
nothing is written any more. While nobody watches, a request costs the test of one cell.

Invariants: no signature, token or body is written; a watcher that is too slow loses entries and is
told how many in the next one; nobody waits for a watcher.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import msgspec

from neve.answer import Response
from neve.audit.entry import stamp
from neve.server.http_request import Request
from neve.server.redact import blank_header, blank_query
from neve.server.shared import DRAINING, STEWARD, SUPERVISOR, Shared

S3, INTERNAL = 4, 8
"""Types of entries, MinIO's numbers."""

POLL_S = 0.05
LEASE_S = 2.0
KEEP_ALIVE_S = 1.0
_ADMIN = "Admin"
_INTERNAL_PATHS = (b"/minio/", b"/neve/")
_PATH_LENGTH_MAX = 400
_QUERY_LENGTH_MAX = 200
_encode = msgspec.json.Encoder().encode
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0
}  # fmt: skip


class Filter(NamedTuple):
    """Which requests a watcher wants."""

    types: int = S3 | INTERNAL
    errors_only: bool = False
    threshold_s: float = 0.0
    operation: str = ""
    """`PutObject`, as S3 calls it; empty: all."""
    path: str = ""
    """What the path begins with, as `/bucket/prefix`."""

    def lets(self, entry: "_Seen") -> bool:
        """Say whether the entry is wanted."""
        return bool(
            entry.type & self.types
            and entry.dur >= self.threshold_s * 1e9
            and (not self.errors_only or entry.http.response.statuscode >= 400)
            and (not self.operation or entry.funcname.rpartition(".")[2] == self.operation)
            and entry.path.startswith(self.path)
        )


def parse_filter(query: Mapping[str, str]) -> Filter:
    """Return the filter in a query as `mc` makes it. Raises: ValueError (threshold)."""
    types = S3 if query.get("s3") == "true" else 0
    if query.get("internal") == "true":
        types |= INTERNAL
    return Filter(
        types,
        query.get("err") == "true",
        parse_duration(query.get("threshold") or "0s"),
        query.get("operation", ""),
        query.get("path", ""),
    )


def parse_duration(text: str) -> float:
    """Return the seconds in a duration as Go writes it: `1m30s`, `1.5ms`. Raises: ValueError."""
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        if text == "0":
            return 0.0
        raise ValueError(f"{text!r} is not a duration")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


class _SeenResponse(msgspec.Struct):
    statuscode: int = 0


class _SeenHttp(msgspec.Struct):
    response: _SeenResponse


class _Seen(msgspec.Struct):
    """What a filter looks at."""

    type: int
    funcname: str
    path: str
    dur: int
    time: str
    http: _SeenHttp


_decode = msgspec.json.Decoder(_Seen).decode


class Tracer:
    """Writes down what one worker answers. Call `note` only while the cell TRACED is not 0."""

    def __init__(self, shared: Shared, process: str) -> None:
        self._shared = shared
        self._process = process

    def note(
        self, request: Request, response: Response, received: int, sent: int, seconds: float
    ) -> None:
        """Write down an answered request, if there is still somebody to read it."""
        if not self._shared.still_traced():
            return
        rings = self._shared.traces
        entry = _entry(request, response, received, sent, seconds, self._process)
        line = _encode(entry)
        if len(line) > rings.data_bytes_max:
            line = _encode(_shortened(entry))
        if len(line) <= rings.data_bytes_max:
            rings.append(self._shared.slot, line)


async def follow(shared: Shared, wanted: Filter) -> AsyncIterator[bytes]:
    """Give the entries from now on, each as a line, and blanks when there is none for a while.

    Ends when this worker is told to stop.
    """
    rings = shared.traces
    slots = [slot for slot in shared.slots() if slot not in (SUPERVISOR, STEWARD)]
    places = {slot: rings.count(slot) for slot in slots}
    lost = 0
    said = time.monotonic()
    while shared.state(shared.slot) != DRAINING:
        shared.trace_for(LEASE_S)
        found: list[tuple[str, bytes]] = []
        for slot in slots:
            records, places[slot], missed = rings.read(slot, places[slot])
            lost += missed
            for record in records:
                seen = _decode(record)
                if wanted.lets(seen):
                    found.append((seen.time, record))
        if found:
            found.sort()
            lines = [line for _, line in found]
            if lost:
                lines[0], lost = _with_lost(lines[0], lost), 0
            said = time.monotonic()
            yield b"\n".join([*lines, b""])
        elif time.monotonic() - said >= KEEP_ALIVE_S:
            said = time.monotonic()
            yield b" "
        await asyncio.sleep(POLL_S)


def _entry(
    request: Request, response: Response, received: int, sent: int, seconds: float, process: str
) -> dict[str, Any]:
    ended = time.time()
    started = stamp(ended - seconds)
    path = request.raw_path.decode("utf-8", "replace")
    internal = request.raw_path.startswith(_INTERNAL_PATHS)
    name = request.operation or "Unknown"
    if not internal:
        name = "s3." + name
    elif name.startswith(_ADMIN):
        name = "admin." + name.removeprefix(_ADMIN)
    else:
        name = "internal." + name
    duration = int(seconds * 1e9)
    custom = {"requestId": request.id, "process": process}
    if request.principal:
        custom["principal"] = request.principal
    if request.error_code:
        custom["error"] = request.error_code
    return {
        "type": INTERNAL if internal else S3,
        "nodename": request.headers.get(b"host", b"").decode("latin-1"),
        "funcname": name,
        "time": started,
        "path": path,
        "dur": duration,
        "custom": custom,
        "http": {
            "request": {
                "time": started,
                "proto": f"HTTP/{request.version}",
                "method": request.method,
                "path": path,
                "rawquery": blank_query(request.raw_query).decode("utf-8", "replace"),
                "headers": _headers(request.headers.items()),
                "client": request.client,
            },
            "response": {
                "time": stamp(ended),
                "headers": _headers(response.headers),
                "statuscode": response.status,
            },
            "stats": {
                "inputbytes": received,
                "outputbytes": sent,
                # A body in memory leaves with its head; of others the first byte is not timed.
                "timetofirstbyte": duration if isinstance(response.body, bytes) else 0,
            },
        },
    }


def _headers(items: Any) -> dict[str, list[str]]:
    """Return headers as Go has them, without secrets."""
    found: dict[str, list[str]] = {}
    for name, value in items:
        text = blank_header(name.lower(), value).decode("latin-1")
        found.setdefault(name.decode("latin-1").title(), []).append(text)
    return found


def _shortened(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a request with long headers, path or query, without the most of them."""
    path = entry["path"][:_PATH_LENGTH_MAX]
    request = entry["http"]["request"]
    query = request["rawquery"][:_QUERY_LENGTH_MAX]
    entry["custom"]["shortened"] = "true"
    request |= {"path": path, "rawquery": query, "headers": {}}
    entry["http"]["response"]["headers"] = {}
    return entry | {"path": path}


def _with_lost(line: bytes, lost: int) -> bytes:
    entry = msgspec.json.decode(line)
    entry["custom"]["lost"] = str(lost)
    return _encode(entry)
