"""The status page: how the server is, on one page that loads nothing from elsewhere.

It shows no secret and no name of a bucket or key: whoever can reach it may read it.
"""

import html
import time
from typing import NamedTuple

from neve import __version__
from neve.server.metrics import Totals
from neve.server.prometheus import free_space
from neve.server.shared import SUPERVISOR, Shared

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Neve</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10"><link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .5rem; border-bottom: 1px solid #8884; }}
th {{ font-weight: 500; width: 45%; }} td {{ font-variant-numeric: tabular-nums; }}
.bad {{ color: #c0392b; font-weight: 600; }}
</style></head><body>
<h1>Neve {version}</h1><p>S3 at <code>{endpoint}</code></p>
{tables}
</body></html>
"""


_EXPIRED = ("objects", "versions", "markers", "uploads")


class Usage(NamedTuple):
    """What the store holds."""

    buckets: int
    objects: int
    bytes: int
    findings: int
    """Damaged objects that the scrub has found and nobody has dealt with."""


def render_page(shared: Shared, folder: str, endpoint: str, usage: Usage) -> bytes:
    """Return the page as of now."""
    totals = Totals(shared)
    free, size = free_space(folder)
    served = list(totals.requests())
    failed = sum(count for _, status, count in served if status == 5)
    up_s = time.time() - shared.started_us(SUPERVISOR) / 1e6
    restarts = sum(max(0, shared.starts(slot) - 1) for slot in shared.slots() if slot)
    store = [
        ("Buckets", f"{usage.buckets:,}", False),
        ("Objects", f"{usage.objects:,}", False),
        ("Data", _size(usage.bytes), False),
        ("Free space", f"{_size(free)} of {_size(size)}", free < size // 50),
        ("Damaged objects found", f"{usage.findings:,}", usage.findings > 0),
    ]
    figures = totals.figures()
    if figures.get("lifecycle_rules"):
        gone = sum(figures.get(f"lifecycle_{what}_total", 0) for what in _EXPIRED)
        store.append(("Expired by lifecycle rules", f"{gone:,}", False))
    server = [
        ("Up for", _duration(up_s), False),
        ("Requests answered", f"{sum(count for _, _, count in served):,}", False),
        ("Requests in flight", f"{totals.in_flight:,}", False),
        ("Answers with a server error", f"{failed:,}", failed > 0),
        ("Received / sent", f"{_size(totals.received)} / {_size(totals.sent)}", False),
        ("Open connections", f"{totals.connections:,}", False),
        ("Worker processes", f"{shared.workers}", False),
        ("Processes restarted", f"{restarts:,}", restarts > 0),
    ]
    jobs = [
        (job.name, f"{_age(job.last_run)}, took {job.duration_s:.2f} s", job.failing)
        for job in totals.jobs()
    ]
    tables = _table("Store", store) + _table("Server", server) + _table("Upkeep", jobs)
    return _PAGE.format(version=__version__, endpoint=html.escape(endpoint), tables=tables).encode()


def _table(title: str, rows: list[tuple[str, str, bool]]) -> str:
    lines = [f"<h2>{html.escape(title)}</h2><table>"]
    for name, value, bad in rows:
        mark = ' class="bad"' if bad else ""
        lines.append(f"<tr><th>{html.escape(name)}</th><td{mark}>{html.escape(value)}</td></tr>")
    return "\n".join((*lines, "</table>\n"))


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} PiB"


def _duration(seconds: float) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days:.0f} d {hours % 24:.0f} h"
    return f"{hours:.0f} h {minutes % 60:.0f} min" if hours else f"{minutes:.0f} min"


def _age(last_run: int) -> str:
    if not last_run:
        return "not yet"
    seconds = max(0, time.time() - last_run)
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{_duration(seconds)} ago"
