"""How the server's processes and its periodic work are, and what it has answered: as data.

Everything is read from shared memory and from /proc; nothing is asked of another process.
"""

import os
import time
from typing import Any

from neve.audit.entry import stamp
from neve.server.metrics import Job, Totals
from neve.server.prometheus import process_name
from neve.server.shared import DRAINING, READY, STARTING, Shared

_STATES = {0: "gone", STARTING: "starting", READY: "ready", DRAINING: "draining"}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SINCE_START = (
    "reclaimed_files",
    "reclaimed_segments",
    "compacted_bytes",
    "lifecycle_walks",
    "lifecycle_objects",
    "lifecycle_versions",
    "lifecycle_markers",
    "lifecycle_uploads",
    "lifecycle_refused",
)
"""Counters that the steward publishes, as `<name>_total`."""


def state_of(shared: Shared) -> dict[str, Any]:
    """Return what there is to tell, as of now."""
    totals = Totals(shared)
    figures = totals.figures()
    return {
        "time": stamp(time.time()),
        "jobs": [_job(job) for job in totals.jobs()],
        "done": {name: figures.get(f"{name}_total", 0) for name in _SINCE_START},
        "lifecycle_rules": figures.get("lifecycle_rules", 0),
        "processes": [_process(shared, slot) for slot in shared.slots()],
        "in_flight": totals.in_flight,
        "connections": totals.connections,
        "requests": _requests(totals),
        "errors": [
            {"code": code, "count": count}
            for code, count in sorted(totals.errors(), key=lambda row: (-row[1], row[0]))
        ],
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "runs": job.runs,
        "failures": job.failures,
        "failing": job.failing,
        "last_run": _time(job.last_run),
        "duration_s": job.duration_s,
        "next_run": _time(job.next_run),
    }


def _requests(totals: Totals) -> list[dict[str, Any]]:
    """Return how often each operation was asked for, the most frequent first."""
    found: dict[str, dict[str, Any]] = {}
    for operation, status, count in totals.requests():
        row = found.setdefault(
            operation,
            {"operation": operation, "count": 0, "client_errors": 0, "server_errors": 0},
        )
        row["count"] += count
        row["client_errors"] += count if status == 4 else 0
        row["server_errors"] += count if status == 5 else 0
    return sorted(found.values(), key=lambda row: (-row["count"], row["operation"]))


def _process(shared: Shared, slot: int) -> dict[str, Any]:
    pid = shared.pid(slot)
    started_us = shared.started_us(slot)
    rss, pss = _memory(pid)
    return {
        "name": process_name(slot),
        "pid": pid,
        "state": _STATES.get(shared.state(slot), "gone") if pid else "gone",
        "started": stamp(started_us / 1e6) if started_us else None,
        "uptime_s": round(max(0.0, time.time() - started_us / 1e6), 1) if pid else 0,
        "restarts": max(0, shared.starts(slot) - 1),
        "rss_bytes": rss,
        "pss_bytes": pss,
        "cpu_s": _cpu_s(pid),
    }


def _memory(pid: int) -> tuple[int, int]:
    """Return (resident, proportional) memory of a process; 0 where none can be told."""
    found = {"Rss": 0, "Pss": 0}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as stream:
            for line in stream:
                name, _, rest = line.partition(":")
                if name in found:
                    found[name] = int(rest.split()[0]) * 1024
    except OSError:
        pass  # it has just ended, or the system does not tell
    return found["Rss"], found["Pss"]


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _time(seconds: int) -> str | None:
    return stamp(seconds) if seconds else None
