"""Measure how fast a server answers, without keys: one request after the other until Ctrl-C."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session
from neve.cli.units import parse_duration
from neve.client.s3 import S3
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve ping pavics --count 5
  neve ping pavics --count 2 --interval 100ms
  neve ping pavics --exit                       # until the first answer
"""


@dataclass(frozen=True)
class Pong(Result):
    """An answer."""

    kind: ClassVar[str] = "ping"

    alias: Annotated[str, "the server"]
    count: Annotated[int, "number of the request, from 1"]
    latency_ms: Annotated[float, "milliseconds from request to answer"]
    connect_ms: Annotated[float | None, "of these for a new connection, null when it was kept"]

    def text(self, style: Style) -> str:
        """Number and time."""
        new = f", {self.connect_ms:.1f} ms of it to connect" if self.connect_ms is not None else ""
        return f"{self.count}: {style.folder(self.alias)} answers in {self.latency_ms:.1f} ms{new}"


@dataclass(frozen=True)
class PingSummary(Result):
    """All answers together."""

    kind: ClassVar[str] = "pingSummary"

    alias: Annotated[str, "the server"]
    sent: Annotated[int, "requests"]
    answered: Annotated[int, "answers"]
    min_ms: Annotated[float, "the fastest"]
    average_ms: Annotated[float, "the mean"]
    max_ms: Annotated[float, "the slowest"]

    def text(self, style: Style) -> str:
        """One line of figures."""
        figures = f"min {self.min_ms:.1f}, average {self.average_ms:.1f}, max {self.max_ms:.1f} ms"
        return f"{self.answered} of {self.sent} answered: {figures}"


RESULTS = (Pong, PingSummary, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and how often."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("-c", "--count", type=int, default=0, help="end after so many requests")
    parser.add_argument("-i", "--interval", default="1s", help="time between requests")
    parser.add_argument(
        "-x", "--exit", action="store_true", help="end with the first answer, however long it takes"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask and measure."""
    interval = parse_duration(options.interval)
    alias = session.aliases.get(options.alias.rstrip("/"))
    times: list[float] = []
    sent = 0
    with session.connect(alias, attempts=1) as server:
        try:
            while not options.count or sent < options.count:
                if sent:
                    time.sleep(interval)
                sent += 1
                try:
                    pong = _ping(server, alias.name, sent)
                except NeveError as error:
                    if not options.exit:
                        yield failure_of(error, alias.name)
                    continue
                times.append(pong.latency_ms)
                yield pong
                if options.exit:
                    return
        except KeyboardInterrupt:
            session.output.note("")
    if times:
        mean = sum(times) / len(times)
        figures = (min(times), round(mean, 3), max(times))
        yield PingSummary(alias.name, sent, len(times), *figures)


def _ping(server: S3, alias: str, count: int) -> Pong:
    transport = server.transport
    start = time.perf_counter()
    connected = transport.prepare()
    connect = time.perf_counter() - start if connected else None
    # Any answer will do: what is measured is the way there and back.
    transport.request("HEAD", key="minio/health/live", accept=range(300, 500))
    whole = time.perf_counter() - start
    return Pong(
        alias, count, round(whole * 1000, 3), None if connect is None else round(connect * 1000, 3)
    )
