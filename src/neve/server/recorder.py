"""Fills the history from the metrics, for the steward, and tells it, for a worker."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from neve.audit.entry import stamp
from neve.server.history import (
    COARSE,
    COUNTS,
    FILE,
    FINE,
    LATENCY_COUNTS,
    LEVELS,
    MINUTES,
    SAVE_S,
    History,
    Record,
    Ring,
)
from neve.server.metrics import CLASSES, LATENCY_BOUNDS_S, OTHER, Totals
from neve.server.prometheus import free_space
from neve.server.shared import SUPERVISOR, Shared

SPANS: dict[str, tuple[Ring, int]] = {
    "1h": (FINE, 3600),
    "24h": (MINUTES, 86_400),
    "7d": (COARSE, 7 * 86_400),
    "30d": (COARSE, 30 * 86_400),
}
_TIMED = tuple(place for place, name in enumerate(CLASSES) if name != "other")
"""Classes whose latency counts; the others are settings and streams that last as long as asked."""
assert len(LATENCY_BOUNDS_S) + 1 == LATENCY_COUNTS, "history counts other latencies"
_LATENCY_US = COUNTS.index("latency_us")

log = logging.getLogger("neve.history")


class Recorder:
    """Adds to the history every 10 s and keeps it in the folder. For the steward's jobs."""

    def __init__(self, shared: Shared, folder: str, stored: Callable[[], tuple[int, int]]) -> None:
        """`stored` returns (objects, bytes) of the store."""
        self._shared = shared
        self._history = shared.history
        self._folder = folder
        self._file = os.path.join(folder, FILE)
        self._stored = stored
        self._saved_at = time.monotonic()
        self._history.begin(self._file, shared.started_us(SUPERVISOR) // 1000)

    def run(self) -> None:
        """Add what there is once a step of time has passed. Raises: OSError."""
        now_ms = time.time_ns() // 1_000_000
        step_ms = FINE.step_s * 1000
        if now_ms // step_ms == self._history.last_ms // step_ms:
            return
        levels = (*self._stored(), *free_space(self._folder))
        self._history.add(now_ms, counters_of(Totals(self._shared)), levels)
        if time.monotonic() - self._saved_at >= SAVE_S:
            self._saved_at = time.monotonic()
            self._history.save(self._file)

    def close(self) -> None:
        """Save, as the server ends."""
        try:
            self._history.save(self._file)
        except OSError as error:
            log.warning("the history of the last minutes cannot be kept: %s", error)


def counters_of(totals: Totals) -> list[int]:
    """Return the metrics as the history counts them, in the order of COUNTS."""
    requests = other = refused = failed = 0
    for operation, status, count in totals.requests():
        if operation == OTHER:
            other += count
            continue
        requests += count
        refused += count if status == 4 else 0
        failed += count if status == 5 else 0
    latencies = [totals.latency(place) for place in _TIMED]
    spent_us = int(sum(seconds for _, seconds in latencies) * 1e6)
    histogram = [sum(column) for column in zip(*(counts for counts, _ in latencies))]
    sums = (requests, other, refused, failed, totals.received, totals.sent)
    return [*sums, spent_us, *histogram]


def tell(history: History, span: str, points_max: int, now_s: int) -> dict[str, Any]:
    """Return a span of the history as at most `points_max` points, and their sum."""
    ring, length_s = SPANS[span]
    merged = -(-length_s // ring.step_s // points_max)
    step_s = ring.step_s * max(1, merged)
    since_s = -((length_s - now_s) // step_s) * step_s
    groups: dict[int, list[Record]] = {}
    for record in history.read(ring, since_s, now_s):
        groups.setdefault(record.at_s // step_s * step_s, []).append(record)
    everything = [record for group in groups.values() for record in group]
    return {
        "span": span,
        "since": _time(since_s),
        "until": _time(now_s),
        "step_s": step_s,
        "points": [{"time": _time(at)} | _figures(group) for at, group in groups.items()],
        "total": _figures(everything),
    }


def _figures(records: list[Record]) -> dict[str, Any]:
    """Return what records that follow each other come to; no figures of none."""
    if not records:
        return {}
    sums = [sum(column) for column in zip(*(record.counts for record in records))]
    histogram = sums[_LATENCY_US + 1 :]
    timed = sum(histogram)
    return {
        "seconds": sum(record.covered_ms for record in records) / 1000,
        **dict(zip(COUNTS[:_LATENCY_US], sums)),
        "latency_mean_s": round(sums[_LATENCY_US] / timed / 1e6, 6) if timed else None,
        "latency_p50_s": quantile(histogram, 0.5),
        "latency_p99_s": quantile(histogram, 0.99),
        **dict(zip(LEVELS, records[-1].levels)),
    }


def quantile(histogram: Iterable[int], share: float) -> float | None:
    """Return the latency that a share of requests kept below, by the metrics' bounds.

    Within the bounds it is estimated; above the last it is the last. None without requests.
    """
    counts = list(histogram)
    wanted = sum(counts) * share
    if not wanted:
        return None
    below, lower = 0, 0.0
    for count, bound in zip(counts, LATENCY_BOUNDS_S):
        if count and below + count >= wanted:
            return round(lower + (bound - lower) * (wanted - below) / count, 6)
        below, lower = below + count, bound
    return lower


def _time(seconds: int) -> str:
    return stamp(seconds).replace(".000000", "")
