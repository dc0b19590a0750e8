"""Show what changes in a bucket or under a prefix, as it happens, until Ctrl-C.

The server must send notifications to who listens (MinIO does).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote_plus

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.streams import documents
from neve.cli.units import format_size, format_time
from neve.cli.verbs.event._events import event_names, told
from neve.client.xml import moment

EXAMPLES = """\
examples:
  neve watch pavics/results
  neve watch --events put --suffix .nc pavics/results/
"""


@dataclass(frozen=True)
class Change(Result):
    """Something happened to an object."""

    kind: ClassVar[str] = "change"

    event: Annotated[str, "the event, as S3 calls it"]
    time: Annotated[datetime, "when"]
    bucket: Annotated[str, "the bucket"]
    key: Annotated[str, "the key"]
    size: Annotated[int, "bytes of the object, 0 when it is gone"]
    host: Annotated[str, "who did it, by address; '' when it is not told"]

    def text(self, style: Style) -> str:
        """A line."""
        what = self.event.removeprefix("s3:")
        size = format_size(self.size) if self.size else ""
        when = style.dim(f"[{format_time(self.time)}]")
        return f"{when} {style.size(f'{size:>10}')} {what}  {self.bucket}/{self.key}"


RESULTS = (Change, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to watch."""
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="where")
    parser.add_argument(
        "--events", metavar="put,delete,get", default="put,delete,get", help="which changes"
    )
    parser.add_argument("--suffix", default="", help="only keys that end so")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Listen."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    query: dict[str, str | list[str]] = {
        "prefix": target.key,
        "suffix": options.suffix,
        "ping": "10",
        "events": event_names(options.events),
    }
    stream = told(
        server,
        lambda: server.transport.stream("GET", target.bucket, query=query, doing="watch"),
    )
    session.output.live = True
    with stream:
        for found in documents(stream):
            for record in found.get("Records") or ():
                yield _change(record)


def _change(record: dict[str, Any]) -> Change:
    s3 = record.get("s3") or {}
    item = s3.get("object") or {}
    return Change(
        str(record.get("eventName", "")),
        moment(record["eventTime"]),
        str((s3.get("bucket") or {}).get("name", "")),
        unquote_plus(str(item.get("key", ""))),
        int(item.get("size") or 0),
        str((record.get("source") or {}).get("host", "")),
    )
