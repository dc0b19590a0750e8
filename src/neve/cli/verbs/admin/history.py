"""Show what a server did over the last hour, day, week or month: requests, errors, bytes, latency.

The server keeps this over restarts. A line is about the time from then on; there is none about a
time when the server did not run. A Neve server has this; MinIO has not.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.units import format_size, format_time
from neve.client.xml import moment

EXAMPLES = """\
examples:
  neve admin history pavics
  neve admin history pavics 7d --points 7
  neve admin history pavics 30d --points 1000 --json | jq .latencyP99
"""
_SPANS = ("1h", "24h", "7d", "30d")


@dataclass(frozen=True)
class Point(Result):
    """What a server did in some time."""

    kind: ClassVar[str] = "history"

    time: Annotated[datetime, "when it began"]
    seconds: Annotated[float, "how much time is counted"]
    requests: Annotated[int, "requests of S3"]
    client_errors: Annotated[int, "of them, those answered with 4xx"]
    server_errors: Annotated[int, "of them, those answered with 5xx"]
    received: Annotated[int, "bytes of request bodies"]
    sent: Annotated[int, "bytes of answers"]
    latency_mean: Annotated[float | None, "seconds a request took; null without requests"]
    latency_p50: Annotated[float | None, "seconds that half of them kept below"]
    latency_p99: Annotated[float | None, "seconds that 99 of 100 kept below"]
    objects: Annotated[int, "current objects at the end"]
    size: Annotated[int, "bytes stored at the end"]
    free: Annotated[int, "bytes free on the disk at the end"]

    def text(self, style: Style) -> str:
        """A line."""
        errors = f"{self.client_errors} refused or not found"
        if self.server_errors:
            errors += f", {style.bad(f'{self.server_errors} failed')}"
        slow = f"p99 {self.latency_p99 * 1000:.1f} ms" if self.latency_p99 is not None else "idle"
        moved = f"↑{format_size(self.received)} ↓{format_size(self.sent)}"
        stored = f"{self.objects} objects, {format_size(self.size)}, {format_size(self.free)} free"
        when = style.dim(format_time(self.time))
        return f"{when} {self.requests:>9} requests, {errors}, {slow}, {moved}; {stored}"


RESULTS = (Point, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and the time."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument(
        "span", metavar="SPAN", nargs="?", default="1h", choices=_SPANS, help="1h, 24h, 7d or 30d"
    )
    parser.add_argument("--points", metavar="NUMBER", type=int, default=24, help="lines (24)")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    if not 1 <= options.points <= 5000:
        raise UsageError("--points must be 1 to 5000.")
    admin = admin_of(session, options.alias)
    query = {"span": options.span, "points": str(options.points)}
    found = admin.call("GET", "neve/history", query, doing="see what the server did")
    yield from map(_point, found["points"])


def _point(found: dict[str, Any]) -> Point:
    return Point(
        moment(found["time"]),
        found["seconds"],
        found["requests"],
        found["client_errors"],
        found["server_errors"],
        found["received_bytes"],
        found["sent_bytes"],
        found["latency_mean_s"],
        found["latency_p50_s"],
        found["latency_p99_s"],
        found["objects"],
        found["bytes"],
        found["free_bytes"],
    )
