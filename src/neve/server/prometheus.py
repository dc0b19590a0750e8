"""The Prometheus text: what `metrics` counted, the disk, the steward's jobs, usage and quotas."""

import os
from collections.abc import Callable, Iterable

from neve import __version__
from neve.server.metrics import BATCH_BOUNDS, CLASSES, LATENCY_BOUNDS_S, Job, Totals
from neve.server.shared import STEWARD, SUPERVISOR, Shared
from neve.server.usage_metrics import Holders, render_usage


def render(shared: Shared, folder: str, holders: Holders) -> bytes:
    """Return the Prometheus text."""
    lines: list[str] = []
    totals = Totals(shared)
    _render_requests(lines, totals)
    _render_commits(lines, totals)
    _render_audit(lines, totals)
    _render_space(lines, folder)
    _render_steward(lines, totals)
    _render_processes(lines, shared)
    render_usage(lines, holders)
    lines.append("")
    return "\n".join(lines).encode()


def free_space(folder: str) -> tuple[int, int]:
    """Return (bytes that may still be written, bytes of the file system)."""
    figures = os.statvfs(folder)
    return figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize


def wal_bytes(folder: str) -> int:
    """Return the length of the catalog's log."""
    try:
        return os.stat(os.path.join(folder, "catalog.db-wal")).st_size
    except OSError:
        return 0


def _head(lines: list[str], name: str, kind: str, help: str) -> None:
    lines += (f"# HELP {name} {help}", f"# TYPE {name} {kind}")


def _scalar(lines: list[str], name: str, kind: str, help: str, value: float) -> None:
    _head(lines, name, kind, help)
    lines.append(f"{name} {value}")


def _histogram(
    lines: list[str],
    name: str,
    labels: str,
    bounds: Iterable[float],
    counts: list[int],
    total: float,
) -> None:
    running = 0
    for bound, count in zip(bounds, counts):
        running += count
        lines.append(f'{name}_bucket{{{labels}le="{bound}"}} {running}')
    running += counts[-1]
    plain = "{" + labels.rstrip(",") + "}" if labels else ""
    lines += (
        f'{name}_bucket{{{labels}le="+Inf"}} {running}',
        f"{name}_sum{plain} {total}",
        f"{name}_count{plain} {running}",
    )


def _render_requests(lines: list[str], totals: Totals) -> None:
    name = "neve_requests_total"
    _head(lines, name, "counter", "Requests ended, by operation and class of status.")
    for operation, status, count in totals.requests():
        text = f"{status}xx" if status else "cut"
        lines.append(f'{name}{{operation="{operation}",status="{text}"}} {count}')
    name = "neve_request_seconds"
    _head(lines, name, "histogram", "Time from a request's first byte to its answer's last.")
    for index, label in enumerate(CLASSES):
        counts, total = totals.latency(index)
        if sum(counts):
            _histogram(lines, name, f'class="{label}",', LATENCY_BOUNDS_S, counts, total)
    name = "neve_errors_total"
    _head(lines, name, "counter", "Answers with an S3 error code.")
    for code, count in totals.errors():
        lines.append(f'{name}{{code="{code}"}} {count}')
    for name, kind, help, value in (
        ("neve_received_bytes_total", "counter", "Bytes of request bodies.", totals.received),
        ("neve_sent_bytes_total", "counter", "Bytes of answers.", totals.sent),
        ("neve_requests_in_flight", "gauge", "Requests being answered.", totals.in_flight),
        ("neve_connections", "gauge", "Open client connections.", totals.connections),
    ):
        _scalar(lines, name, kind, help, value)


def _render_commits(lines: list[str], totals: Totals) -> None:
    name = "neve_commit_writes"
    _head(lines, name, "histogram", "Writes in one group commit.")
    counts, writes = totals.batches()
    _histogram(lines, name, "", BATCH_BOUNDS, counts, writes)
    name = "neve_commit_seconds"
    _head(lines, name, "histogram", "Time of one group commit, sync included.")
    _histogram(lines, name, "", LATENCY_BOUNDS_S, *totals.commits())


def _render_audit(lines: list[str], totals: Totals) -> None:
    for name, help, column in (
        ("neve_audit_entries_total", "Entries of the audit log that arrived.", 1),
        ("neve_audit_lost_total", "Entries of the audit log that were lost.", 2),
    ):
        _head(lines, name, "counter", help)
        lines += [f'{name}{{to="{row[0]}"}} {row[column]}' for row in totals.audit()]


def _render_space(lines: list[str], folder: str) -> None:
    free, size = free_space(folder)
    for name, help, value in (
        ("neve_disk_free_bytes", "Space that may still be written.", free),
        ("neve_disk_size_bytes", "Size of the file system that holds the store.", size),
        ("neve_wal_bytes", "Length of the catalog's log.", wal_bytes(folder)),
    ):
        _scalar(lines, name, "gauge", help, value)


def _render_steward(lines: list[str], totals: Totals) -> None:
    for name, value in totals.figures().items():
        kind = "counter" if name.endswith("_total") else "gauge"
        _scalar(lines, f"neve_{name}", kind, "Told by the steward.", value)
    jobs = totals.jobs()
    columns: tuple[tuple[str, str, str, Callable[[Job], float]], ...] = (
        ("neve_job_runs_total", "counter", "Runs of a periodic job.", lambda job: job.runs),
        ("neve_job_failures_total", "counter", "Runs that failed.", lambda job: job.failures),
        ("neve_job_last_run_seconds", "gauge", "End of the last run.", lambda job: job.last_run),
        ("neve_job_duration_seconds", "gauge", "Time of the last run.", lambda job: job.duration_s),
        ("neve_job_failing", "gauge", "1 when the last run failed.", lambda job: int(job.failing)),
    )
    for name, kind, help, value_of in columns:
        _head(lines, name, kind, help)
        lines += [f'{name}{{job="{job.name}"}} {value_of(job)}' for job in jobs]


def _render_processes(lines: list[str], shared: Shared) -> None:
    name = "neve_process_restarts_total"
    _head(lines, name, "counter", "How often a process was started again.")
    for slot in shared.slots():
        if slot != SUPERVISOR:
            restarts = max(0, shared.starts(slot) - 1)
            lines.append(f'{name}{{process="{process_name(slot)}"}} {restarts}')
    name = "neve_start_time_seconds"
    started = shared.started_us(SUPERVISOR) / 1e6
    _scalar(lines, name, "gauge", "When the server was started.", started)
    _head(lines, "neve_info", "gauge", "Version of the server.")
    lines.append(f'neve_info{{version="{__version__}"}} 1')


def process_name(slot: int) -> str:
    """Return how logs and metrics call the process of a slot."""
    if slot == SUPERVISOR:
        return "supervisor"
    return "steward" if slot == STEWARD else f"worker-{slot - 2}"
