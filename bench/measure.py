"""Measure one endpoint: for each operation prepare, warm up, run, read the server's counters."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from bench import process
from bench.buckets import Session
from bench.errors import MeasurementFailed
from bench.load import Fleet, Outcome
from bench.signing import Payload, Signer
from bench.workload import Objects, Operation, Share, Workload, workload

PREPARING_CLIENTS = 32
PREPARE_SECONDS_MAX = 600.0
"""Below the 15 minutes for which a signature's date is good."""
READ_BACK = 8
"""Objects read back and compared after a run of writes."""
NO_LIMIT = 2**62
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint and how to speak to it."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    pid: int | None = None
    """Root of the server's process tree; without it CPU and memory stay unknown."""
    counted: tuple[int, ...] = ()
    """Whose CPU counts; empty: that of all processes of the tree."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the endpoint."""
        parts = urlsplit(self.endpoint)
        if parts.scheme != "http" or not parts.hostname:
            raise MeasurementFailed(f"endpoint must be http://HOST[:PORT], not {self.endpoint!r}")
        return parts.hostname, parts.port or 80


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how hard."""

    seconds: float = 5.0
    warm_seconds: float = 0.5
    processes: int = 2
    payload: Payload = "signed"
    keep: bool = False
    """Leave the buckets in place."""


class Counters:
    """CPU and memory of the server's process tree, if its pid is known."""

    def __init__(self, pid: int | None, counted: tuple[int, ...] = ()) -> None:
        self._pid = pid
        self._counted = counted
        self.known = pid is not None
        self.memory_peak = 0

    def cpu_seconds(self) -> float:
        """Return CPU time so far, 0 when unknown."""
        if self._counted:
            return sum(map(process.cpu_seconds, self._counted))
        return process.cpu_seconds(self._pid) if self._pid else 0.0

    def sample(self) -> None:
        """Remember the memory used now if it is more than ever before."""
        memory = process.memory_bytes(self._pid) if self._pid else 0
        self.memory_peak = max(self.memory_peak, memory)


def measure(
    target: Target,
    operations: list[Operation],
    options: Options,
    report: Callable[[str, Row], None],
) -> dict[str, Any]:
    """Run the operations one after the other; report is called with every finished row."""
    counters = Counters(target.pid, target.counted)
    counters.sample()
    result: dict[str, Any] = {
        "endpoint": target.endpoint,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "payload": options.payload,
        "memory_idle": counters.memory_peak or None,
        "operations": {},
    }
    for _, group in groupby(operations, key=_bucket_shared_by):
        for name, row in _measure_group(target, list(group), options, counters):
            result["operations"][name] = row
            report(name, row)
    return result


def _measure_group(
    target: Target, operations: list[Operation], options: Options, counters: Counters
) -> Iterator[tuple[str, Row]]:
    """Measure operations on one bucket, filled once."""
    first = operations[0]
    bucket = f"bench-{first.name}-{secrets.token_hex(4)}"
    objects = Objects(bucket, first.size, nested=first.verb == "LIST")
    with _bucket(target, bucket, options.keep) as session:
        if first.prepared:
            _prepare(target, first, objects, options)
        for operation in operations:
            with _fleet(target, operation, objects, options, operation.clients) as fleet:
                row, outcome = _run(operation, fleet, options, counters)
            if operation.verb == "PUT":
                _read_back(session, objects, outcome)
            yield operation.name, row | _checks(outcome) | {"bucket": bucket}


def _run(
    operation: Operation, fleet: Fleet, options: Options, counters: Counters
) -> tuple[Row, Outcome]:
    """Warm up, then count between two readings of the server's counters."""
    warm_count = operation.prepared // 16 if operation.verb == "DELETE" else NO_LIMIT
    warm = fleet.run(options.warm_seconds, warm_count)
    counters.memory_peak = 0
    before = counters.cpu_seconds()
    outcome = fleet.run(options.seconds, NO_LIMIT, counters.sample)
    cpu = counters.cpu_seconds() - before
    counters.sample()
    row = _figures(operation, outcome) | {"warm_operations": warm.operations}
    outcome.errors += warm.errors
    if counters.known:
        row["server_cpu_us"] = round(cpu / max(1, outcome.operations) * 1e6, 1)
        row["server_cores"] = round(cpu / outcome.seconds, 2)
        row["memory"] = counters.memory_peak
    return row, outcome


def _bucket_shared_by(operation: Operation) -> str:
    return f"LIST {operation.prepared}" if operation.verb == "LIST" else operation.name


def machine() -> dict[str, Any]:
    """Say what the figures were taken on."""
    model = "unknown"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(s.split(":", 1)[1].strip() for s in lines if s.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


@contextmanager
def _bucket(target: Target, bucket: str, keep: bool) -> Iterator[Session]:
    session = Session(target.address, (target.access_key, target.secret_key), target.region)
    try:
        session.create(bucket)
        yield session
        if not keep:
            session.delete(bucket)
    finally:
        session.close()


@contextmanager
def _fleet(
    target: Target, operation: Operation, objects: Objects, options: Options, clients: int
) -> Iterator[Fleet]:
    host, port = target.address
    signer = Signer(f"{host}:{port}", target.access_key, target.secret_key, target.region)
    stop = operation.prepared or NO_LIMIT

    def source(index: int, count: int) -> Workload:
        share = Share(index, count, stop)
        return workload(operation, objects, share, signer, options.payload)

    fleet = Fleet((host, port), clients, source, options.processes)
    try:
        yield fleet
    finally:
        fleet.close()


def _prepare(target: Target, operation: Operation, objects: Objects, options: Options) -> None:
    writing = replace(operation, verb="PUT")
    clients = PREPARING_CLIENTS if operation.size <= 1 << 20 else operation.clients
    with _fleet(target, writing, objects, options, clients) as fleet:
        outcome = fleet.run(PREPARE_SECONDS_MAX, NO_LIMIT)
    if outcome.operations != operation.prepared:
        wrote = f"{outcome.operations} of {operation.prepared} objects written"
        raise MeasurementFailed(f"{operation.name}: {wrote}, errors: {dict(outcome.errors)}")


def _read_back(session: Session, objects: Objects, outcome: Outcome) -> None:
    """Compare some of the objects that a run of writes left, whoever wrote them."""
    for key in session.keys(objects.bucket)[:READ_BACK]:
        number = int(key.rpartition("-")[2])
        outcome.checked += 1
        if session.read(objects.path(number)) != objects.content(number):
            outcome.errors["wrong content"] += 1


def _figures(operation: Operation, outcome: Outcome) -> Row:
    latencies = sorted(outcome.latencies_us)
    per_second = outcome.operations / outcome.seconds
    return {
        "operations": outcome.operations,
        "clients": operation.clients,
        "seconds": round(outcome.seconds, 3),
        "per_second": round(per_second, 1),
        "mb_per_second": round(_bytes(operation) * per_second / 1e6, 1),
        "p50_us": _quantile(latencies, 0.50),
        "p99_us": _quantile(latencies, 0.99),
        "generator_cpu_us": round(outcome.cpu_seconds / max(1, outcome.operations) * 1e6, 1),
    }


def _checks(outcome: Outcome) -> Row:
    return {
        "errors": dict(outcome.errors),
        "checked": outcome.checked,
        "reconnects": outcome.reconnects,
    }


def _bytes(operation: Operation) -> int:
    return operation.size if operation.verb in ("PUT", "GET") else 0


def _quantile(ordered: list[int], fraction: float) -> int | None:
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]
