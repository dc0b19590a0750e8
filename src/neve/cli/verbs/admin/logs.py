"""Show the last lines that a server logged, then those to come, until Ctrl-C."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.streams import documents
from neve.cli.units import format_time
from neve.client.xml import moment

EXAMPLES = """\
examples:
  neve admin logs pavics
  neve admin logs pavics --last 100 --type error
  neve admin logs pavics worker-0
"""
_KINDS = ("all", "error", "warning", "info", "fatal", "event", "minio", "application")


@dataclass(frozen=True)
class LogLine(Result):
    """A line of the log."""

    kind: ClassVar[str] = "log"

    time: Annotated[datetime, "when"]
    level: Annotated[str, "`INFO`, `WARNING`, `ERROR` …"]
    node: Annotated[str, "which process or server"]
    message: Annotated[str, "what"]
    error: Annotated[str, "the error, '' when there was none"]
    source: Annotated[list[str], "where in the program, line by line"]

    def text(self, style: Style) -> str:
        """A line; with an error more."""
        level = self.level if self.level in ("INFO", "EVENT") else style.bad(self.level)
        lines = [f"{style.dim(format_time(self.time))} {level} {self.node}: {self.message}"]
        lines += [style.dim(f"    {line}") for line in self.source]
        return "\n".join(lines + ([f"    {self.error}"] if self.error else []))


RESULTS = (LogLine, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and the filters."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("node", metavar="NODE", nargs="?", default="", help="only this process")
    parser.add_argument(
        "-l", "--last", metavar="NUMBER", type=int, default=10, help="lines of the past (10)"
    )
    parser.add_argument("-t", "--type", choices=_KINDS, default="all", help="only these lines")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Follow."""
    admin = admin_of(session, options.alias)
    session.output.live = True
    query = {"node": options.node, "limit": str(options.last), "logType": options.type}
    query = {name: value for name, value in query.items() if value}
    with admin.stream("log", query, "read the log") as stream:
        for found in documents(stream):
            if found.get("time"):
                yield _line(found)


def _line(found: dict[str, Any]) -> LogLine:
    error = found.get("error") or {}
    trace = error.get("source") or []
    message = found.get("message") or found.get("ConsoleMsg") or error.get("message") or ""
    return LogLine(
        moment(found["time"]),
        str(found.get("level") or found.get("errKind") or "INFO"),
        str(found.get("node") or found.get("nodeName") or ""),
        str(message).rstrip("\n"),
        str(error.get("message") or ""),
        [str(each) for each in trace],
    )
