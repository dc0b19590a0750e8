"""The last log lines of all processes, and those to come: what `mc admin logs` reads.

Every process keeps its last lines in its ring (`rings`), a reader merges the rings and polls them.
What a process said before it died is there until its successor has overwritten it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import msgspec

from neve.audit.entry import stamp
from neve.server.rings import Rings
from neve.server.shared import DRAINING, Shared

POLL_S = 0.25
KEEP_ALIVE_S = 0.5
LINES_DEFAULT = 10
_KINDS = {
    logging.CRITICAL: "FATAL",
    logging.ERROR: "ERROR",
    logging.WARNING: "WARNING",
}
_SEVERITY = ("FATAL", "ERROR", "WARNING", "INFO")
_ALL = frozenset(_SEVERITY)
_KINDS_OF = {"APPLICATION": frozenset(("FATAL", "ERROR"))} | {kind: {kind} for kind in _ALL}
_TEXT_LENGTH_MAX = 1200
_encode = msgspec.json.Encoder().encode


class RingHandler(logging.Handler):
    """Keeps log records of this process in its ring."""

    def __init__(self, rings: Rings, slot: int, process: str) -> None:
        super().__init__()
        self._rings = rings
        self._slot = slot
        self._process = process
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, cut to what the ring takes."""
        try:
            line = self._line(record, _TEXT_LENGTH_MAX)
            limit = self._rings.data_bytes_max
            if len(line) > limit:
                line = self._line(record, _TEXT_LENGTH_MAX // 8)
            if len(line) <= limit:
                self._rings.append(self._slot, line)
        except Exception:  # noqa: BLE001  # logging's own rule: it never fails its caller
            self.handleError(record)

    def _line(self, record: logging.LogRecord, limit: int) -> bytes:
        entry: dict[str, Any] = {
            "level": record.levelname,
            "errKind": _KINDS.get(record.levelno, "INFO"),
            "time": stamp(record.created),
            "node": self._process,
            "message": record.getMessage()[:limit],
        }
        if record.exc_info:
            # The end of a traceback says the most.
            text = self._formatter.formatException(record.exc_info)[-limit:]
            lines = text.splitlines()
            entry["message"] = entry["message"][: limit // 4]
            entry["error"] = {"message": lines[-1] if lines else "", "source": lines[:-1]}
        return _encode(entry)


class Wanted(NamedTuple):
    """Which lines a reader wants."""

    limit: int = LINES_DEFAULT
    """How many of the past."""
    process: str = ""
    """Of which process; empty: of all."""
    kinds: frozenset[str] = _ALL

    def lets(self, entry: dict[str, Any]) -> bool:
        """Say whether the line is wanted."""
        return entry["errKind"] in self.kinds and self.process in ("", entry["node"])


def parse_wanted(query: Mapping[str, str]) -> Wanted:
    """Return what a query as `mc` makes it asks for; a limit of 0 is all there is."""
    text = query.get("limit", "")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else LINES_DEFAULT
    kind = query.get("logType", "").upper()
    return Wanted(limit or 1 << 30, query.get("node", ""), frozenset(_KINDS_OF.get(kind, _ALL)))


def keep(shared: Shared, process: str) -> None:
    """Let this process keep its log lines from now on."""
    handler = RingHandler(shared.logs, shared.slot, process)
    logging.getLogger().addHandler(handler)


def last_lines(shared: Shared, limit: int, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the last lines, the newest last.

    `wanted` may have a `level`, the least severe, a `process`, a `text` and a time `since`.
    """
    kinds = _SEVERITY[: _SEVERITY.index(wanted.get("level", "").upper() or "INFO") + 1]
    text, since = wanted.get("text", "").lower(), wanted.get("since", "")
    asked = Wanted(limit, wanted.get("process", ""), frozenset(kinds))
    lines = [
        _plain(entry)
        for entry in _new_lines(shared, asked, dict.fromkeys(shared.slots(), 0))
        if entry["time"] > since
    ]
    if text:
        lines = [line for line in lines if any(text in part.lower() for part in _texts(line))]
    return lines[-limit:]


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    error = entry.get("error", {})
    return {
        "time": entry["time"],
        "level": entry["level"],
        "process": entry["node"],
        "message": entry["message"],
        "error": error.get("message", ""),
        "source": error.get("source", []),
    }


def _texts(line: dict[str, Any]) -> list[str]:
    return [line["message"], line["error"], *line["source"]]


async def follow_logs(shared: Shared, wanted: Wanted, store_id: str) -> AsyncIterator[bytes]:
    """Give the last lines, then those to come, as MinIO's clients read them, and blanks.

    Ends when this process is told to stop.
    """
    places = dict.fromkeys(shared.slots(), 0)
    first = True
    said = time.monotonic()
    while shared.state(shared.slot) != DRAINING:
        found = _new_lines(shared, wanted, places)
        if first:
            found = found[-wanted.limit :]
            first = False
        if found:
            said = time.monotonic()
            yield b"".join(_encode({"deploymentid": store_id} | entry) + b"\n" for entry in found)
        elif time.monotonic() - said >= KEEP_ALIVE_S:
            said = time.monotonic()
            yield b" "
        await asyncio.sleep(POLL_S)


def _new_lines(shared: Shared, wanted: Wanted, places: dict[int, int]) -> list[dict[str, Any]]:
    """Return what all processes have said since last time, in order of time."""
    found = []
    for slot in places:
        records, places[slot], _ = shared.logs.read(slot, places[slot])
        entries = (msgspec.json.decode(record) for record in records)
        found += [entry for entry in entries if wanted.lets(entry)]
    return sorted(found, key=lambda entry: entry["time"])
