"""What a process and all its descendants cost: CPU seconds and memory, read from /proc.

CPU counts children that already ended and were waited for, so a restarted worker is not lost.
A process that disappears while it is read counts as zero; it never raises.
"""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STAT_UTIME = 11
"""Index of utime in /proc/PID/stat after the command name; stime, cutime and cstime follow it."""


def tree(pid: int) -> list[int]:
    """Return pid and every living descendant of it."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting += _children(current)
    return found


def cpu_seconds(pid: int) -> float:
    """Return user plus system time of the whole tree since it started."""
    return sum(_ticks(member) for member in tree(pid)) / TICKS_PER_SECOND


def memory_bytes(pid: int) -> int:
    """Return the proportional set size of the tree: shared pages are counted once."""
    return sum(_pss_kilobytes(member) for member in tree(pid)) * 1024


def exists(pid: int) -> bool:
    """Tell whether the process is there and its counters can be read."""
    return Path(f"/proc/{pid}/stat").exists()


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        pass
    return children


def _ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The command name may hold spaces and brackets; the last bracket ends it.
    fields = text.rpartition(")")[2].split()
    return sum(int(field) for field in fields[STAT_UTIME : STAT_UTIME + 4])


def _pss_kilobytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
