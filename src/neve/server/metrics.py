"""Counters of the server in shared memory, and their sums.

Every process adds to cells of its own region only (`shared`), whoever is asked sums the regions: no
lock, no message, and a scrape sees all workers. Where a number lives is fixed by this file: all
processes run the same code, so the layout needs no negotiation.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator

from neve.s3.errors import CODES
from neve.s3.routes import PREFLIGHT, ROUTES
from neve.server.shared import METRIC_CELLS, STEWARD, Shared

LATENCY_BOUNDS_S = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0
)  # fmt: skip
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
FIGURES_MAX = 64
JOBS_MAX = 16
_NAME_CELLS = 6
_NAME_BYTES_MAX = _NAME_CELLS * 8
_FIGURE_CELLS = _NAME_CELLS + 1
_JOB_CELLS = _NAME_CELLS + 6

OTHER = "Other"
"""The operation of a request that names none, and the code of an error that is in no table."""
OPERATIONS = (*dict.fromkeys(route.operation for route in ROUTES), PREFLIGHT.operation, OTHER)
CLASSES = ("read", "head", "write", "delete", "list", "other")
_STATUS_CLASSES = 6
_ERRORS = (*CODES, OTHER)


def operation_class(operation: str) -> str:
    """Return the class whose latency histogram an operation is counted in."""
    if operation in ("GetObject", "GetObjectAttributes"):
        return "read"
    if operation.startswith("Head"):
        return "head"
    if operation.startswith("List"):
        return "list"
    if operation.startswith(("Delete", "Abort")):
        return "delete"
    if "Object" in operation or operation.startswith(("UploadPart", "Complete", "CreateMultipart")):
        return "write" if not operation.startswith("Get") else "other"
    return "other"


class _Layout:
    """Hands out cells one after the other."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, count: int) -> int:
        first = self.used
        self.used += count
        assert self.used <= METRIC_CELLS, "raise METRIC_CELLS"
        return first


_layout = _Layout()
_REQUESTS = _layout.take(len(OPERATIONS) * _STATUS_CLASSES)
_HISTOGRAM_CELLS = len(LATENCY_BOUNDS_S) + 2
_LATENCY = _layout.take(len(CLASSES) * _HISTOGRAM_CELLS)
_ERROR = _layout.take(len(_ERRORS))
_RECEIVED, _SENT = _layout.take(1), _layout.take(1)
_IN_FLIGHT, _CONNECTIONS = _layout.take(1), _layout.take(1)
_BATCH = _layout.take(len(BATCH_BOUNDS) + 2)
_COMMIT = _layout.take(_HISTOGRAM_CELLS)
_AUDIT = _layout.take(7)
_FIGURES = _layout.take(FIGURES_MAX * _FIGURE_CELLS)
_JOBS = _layout.take(JOBS_MAX * _JOB_CELLS)
_RUNS, _FAILURES, _LAST, _DURATION, _FAILING, _NEXT = range(_NAME_CELLS, _JOB_CELLS)


class Metrics:
    """What one process counts. Each counter belongs to one thread of it."""

    __slots__ = ("_base", "_cells", "_errors", "_figures", "_jobs", "_operations", "_other")

    def __init__(self, shared: Shared) -> None:
        self._cells = shared.cells
        base = self._base = shared.metric_base
        self._operations = {
            name: (base + _REQUESTS + index * _STATUS_CLASSES, self._latency_of(name))
            for index, name in enumerate(OPERATIONS)
        }
        self._other = self._operations[OTHER]
        self._errors = {name: base + _ERROR + index for index, name in enumerate(_ERRORS)}
        self._figures: dict[str, int] = {}
        self._jobs: dict[str, int] = {}
        self.now(0, 0)  # what a process before this one had open ended with it

    def _latency_of(self, operation: str) -> int:
        index = CLASSES.index(operation_class(operation))
        return self._base + _LATENCY + index * _HISTOGRAM_CELLS

    def now(self, in_flight: int, connections: int) -> None:
        """Say what is open in this process."""
        self._cells[self._base + _IN_FLIGHT] = in_flight
        self._cells[self._base + _CONNECTIONS] = connections

    def end(
        self, operation: str, status: int, seconds: float, received: int, sent: int, error: str
    ) -> None:
        """A request has ended: answered, or cut."""
        cells = self._cells
        base = self._base
        requests, latency = self._operations.get(operation, self._other)
        requests += status // 100 if 100 <= status < 600 else 0
        cells[requests] += 1
        bucket = latency + bisect_left(LATENCY_BOUNDS_S, seconds)
        cells[bucket] += 1
        latency += _HISTOGRAM_CELLS - 1
        cells[latency] += int(seconds * 1e6)
        if sent:
            cells[base + _SENT] += sent
        if received:
            cells[base + _RECEIVED] += received
        if error:
            cell = self._errors.get(error) or self._errors[OTHER]
            cells[cell] += 1

    def committed(self, count: int, seconds: float) -> None:
        """A group of `count` writes was committed. Called by the commit thread only."""
        cells, batch, commit = self._cells, self._base + _BATCH, self._base + _COMMIT
        cells[batch + bisect_left(BATCH_BOUNDS, count)] += 1
        cells[batch + len(BATCH_BOUNDS) + 1] += count
        cells[commit + bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        cells[commit + _HISTOGRAM_CELLS - 1] += int(seconds * 1e6)

    def audit_file(self, written: int, dropped: int) -> None:
        """Entries went into the audit log's file, or were lost. One thread at a time."""
        self._cells[self._base + _AUDIT] += written
        self._cells[self._base + _AUDIT + 1] += dropped

    def audit_webhook(self, put: int, delivered: int, dropped: int) -> None:
        """Entries were put into the webhook's queue, were delivered or lost; as above."""
        base = self._base + _AUDIT
        self._cells[base + 2] += delivered
        self._cells[base + 3] += dropped
        self._cells[base + 4] += put

    def audit_trail(self, written: int, dropped: int) -> None:
        """Entries went into the audit trail, or were lost; as above."""
        self._cells[self._base + _AUDIT + 5] += written
        self._cells[self._base + _AUDIT + 6] += dropped

    def audit_left(self) -> int:
        """Return how many entries are in the queue: as a process begins, those lost with the last.

        Only one that was killed leaves any.
        """
        delivered, dropped, put = self._cells[self._base + _AUDIT + 2 : self._base + _AUDIT + 5]
        return int(put - delivered - dropped)

    def figure(self, name: str, value: int) -> None:
        """Publish a named number; names beyond FIGURES_MAX are dropped."""
        cell = self._named(self._figures, name, _FIGURES, _FIGURE_CELLS, FIGURES_MAX)
        if cell:
            self._cells[cell + _NAME_CELLS] = max(0, int(value))

    def planned(self, name: str, next_s: float) -> None:
        """A periodic job will run for the first time in `next_s`."""
        cell = self._named(self._jobs, name, _JOBS, _JOB_CELLS, JOBS_MAX)
        if cell:
            self._cells[cell + _NEXT] = int(time.time() + next_s)

    def job(self, name: str, seconds: float, *, failed: bool, next_s: float = 0) -> None:
        """A periodic job ran, and will again in `next_s`."""
        cell = self._named(self._jobs, name, _JOBS, _JOB_CELLS, JOBS_MAX)
        if cell:
            cells = self._cells
            cells[cell + _RUNS] += 1
            cells[cell + _FAILURES] += failed
            cells[cell + _LAST] = int(time.time())
            cells[cell + _DURATION] = int(seconds * 1e6)
            cells[cell + _FAILING] = int(failed)
            cells[cell + _NEXT] = int(time.time() + next_s)

    def _named(
        self, known: dict[str, int], name: str, first: int, width: int, count_max: int
    ) -> int:
        """Return the record that carries `name`, taking a free one if need be; 0 when full."""
        if name in known:
            return known[name]
        cells = self._cells
        raw = name.encode()[:_NAME_BYTES_MAX]
        for index in range(count_max):
            cell = self._base + first + index * width
            there = _read_name(cells, cell)
            if not there or there == raw:
                for at in range(_NAME_CELLS):
                    word = raw[at * 8 : at * 8 + 8]
                    cells[cell + at] = int.from_bytes(word, "little")
                known[name] = cell
                return cell
        return 0


class Job:
    """How a periodic job is doing."""

    __slots__ = ("duration_s", "failing", "failures", "last_run", "name", "next_run", "runs")

    def __init__(self, name: str, cells: memoryview, base: int) -> None:
        self.name = name
        self.runs: int = cells[base + _RUNS]
        self.failures: int = cells[base + _FAILURES]
        self.last_run: int = cells[base + _LAST]
        self.next_run: int = cells[base + _NEXT]
        self.duration_s: float = cells[base + _DURATION] / 1e6
        self.failing = bool(cells[base + _FAILING])


class Totals:
    """The sums over all processes, as of now."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._cells = shared.cells
        self._bases = [shared.metrics_of(slot) for slot in shared.slots()]

    def requests(self) -> Iterator[tuple[str, int, int]]:
        """(operation, status class, count) of those that occurred."""
        for index, operation in enumerate(OPERATIONS):
            for status in range(_STATUS_CLASSES):
                count = self._sum(_REQUESTS + index * _STATUS_CLASSES + status)
                if count:
                    yield operation, status, count

    def errors(self) -> Iterator[tuple[str, int]]:
        """(code, count) of those that occurred."""
        for index, code in enumerate(_ERRORS):
            count = self._sum(_ERROR + index)
            if count:
                yield code, count

    def figures(self) -> dict[str, int]:
        """Named numbers that the steward published."""
        first = self._shared.metrics_of(STEWARD) + _FIGURES
        return {
            name: self._cells[cell + _NAME_CELLS]
            for name, cell in self._records(first, _FIGURE_CELLS, FIGURES_MAX)
        }

    def jobs(self) -> list[Job]:
        """The steward's periodic jobs."""
        first = self._shared.metrics_of(STEWARD) + _JOBS
        return [
            Job(name, self._cells, cell)
            for name, cell in self._records(first, _JOB_CELLS, JOBS_MAX)
        ]

    @property
    def in_flight(self) -> int:
        return self._sum(_IN_FLIGHT)

    @property
    def connections(self) -> int:
        return self._sum(_CONNECTIONS)

    @property
    def received(self) -> int:
        return self._sum(_RECEIVED)

    @property
    def sent(self) -> int:
        return self._sum(_SENT)

    def audit(self) -> tuple[tuple[str, int, int], ...]:
        """(receiver, entries it has, entries it lost) of the audit log and the audit trail."""
        places = (("file", 0, 1), ("webhook", 2, 3), ("trail", 5, 6))
        return tuple(
            (name, self._sum(_AUDIT + has), self._sum(_AUDIT + lost)) for name, has, lost in places
        )

    def latency(self, index: int) -> tuple[list[int], float]:
        """(counts per bound and above, sum of seconds) of operation class `index`."""
        return self._histogram(_LATENCY + index * _HISTOGRAM_CELLS)

    def commits(self) -> tuple[list[int], float]:
        """The same of group commits."""
        return self._histogram(_COMMIT)

    def batches(self) -> tuple[list[int], int]:
        """(counts per bound and above, sum of writes) of group commits."""
        counts = [self._sum(_BATCH + at) for at in range(len(BATCH_BOUNDS) + 1)]
        return counts, self._sum(_BATCH + len(BATCH_BOUNDS) + 1)

    def _histogram(self, first: int) -> tuple[list[int], float]:
        counts = [self._sum(first + at) for at in range(_HISTOGRAM_CELLS - 1)]
        return counts, self._sum(first + _HISTOGRAM_CELLS - 1) / 1e6

    def _sum(self, cell: int) -> int:
        cells = self._cells
        total = 0
        for base in self._bases:
            total += cells[base + cell]
        return total

    def _records(self, first: int, width: int, count_max: int) -> Iterator[tuple[str, int]]:
        for index in range(count_max):
            cell = first + index * width
            name = _read_name(self._cells, cell)
            if not name:
                return
            yield name.decode("utf-8", "replace"), cell


def _read_name(cells: memoryview, cell: int) -> bytes:
    words = (cells[cell + at] for at in range(_NAME_CELLS))
    return b"".join(word.to_bytes(8, "little") for word in words).rstrip(b"\0")
