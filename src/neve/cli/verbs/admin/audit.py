"""Say who did what: changes and refusals that the server's audit trail has, newest first.

What is in the trail is a setting of the server; without one it is what changed users, policies and
buckets, and signed requests that were refused. The file of `--audit-log` is searched too. A Neve
server has this; MinIO has not.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.units import format_time, parse_time
from neve.client.xml import moment

EXAMPLES = """\
examples:
  neve admin audit pavics
  neve admin audit pavics --user alice --since 2d
  neve admin audit pavics --event 'PutBucket*' --bucket results
  neve admin audit pavics --refused --json | jq .reason
"""
_PAGE_MAX = 1000


@dataclass(frozen=True)
class Audited(Result):
    """Something that was done, or refused."""

    kind: ClassVar[str] = "audit"

    time: Annotated[datetime, "when it ended"]
    principal: Annotated[str, "who; '' when nobody was recognised"]
    access_key: Annotated[str, "the access key that signed, or that was claimed"]
    client: Annotated[str, "source address"]
    operation: Annotated[str, "as S3 calls it; `Admin…` for administration"]
    bucket: Annotated[str, "bucket, or ''"]
    key: Annotated[str, "key, or ''"]
    arguments: Annotated[dict[str, Any], "what an admin call names"]
    status_code: Annotated[int, "status of HTTP"]
    error: Annotated[str, "code of the error, or ''"]
    allowed: Annotated[bool | None, "the decision; null when there was none"]
    reason: Annotated[str, "why"]
    request_id: Annotated[str, "the id that the client got"]

    def text(self, style: Style) -> str:
        """A line."""
        who = self.principal or (f"{self.access_key}?" if self.access_key else "somebody")
        path = "/".join(filter(None, (self.bucket, self.key)))
        words = [f"{name}={_word(value)}" for name, value in self.arguments.items()]
        what = " ".join([self.operation or "unknown", *filter(None, [path]), *words])
        end = "" if self.status_code < 400 else f" {style.bad(self.error or str(self.status_code))}"
        why = f": {self.reason}" if self.allowed is False and self.reason else ""
        return f"{style.dim(format_time(self.time))} {style.bold(who)} {what}{end}{why}"


RESULTS = (Audited, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and what is sought."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("--user", default="", help="of this user or access key")
    parser.add_argument("--bucket", default="", help="of this bucket")
    parser.add_argument("--key", default="", help="of this key; with * at its end a prefix")
    parser.add_argument(
        "--event",
        action="append",
        default=[],
        help="read, write, admin or an operation such as 'PutBucket*'; may be repeated",
    )
    parser.add_argument("--refused", action="store_true", help="only what was refused")
    parser.add_argument("--allowed", action="store_true", help="only what was allowed")
    parser.add_argument("--since", metavar="TIME", help="such as 2d or 2026-11-28")
    parser.add_argument("--until", metavar="TIME", help="before this time")
    parser.add_argument("--text", default="", help="anywhere in an entry, in whatever case")
    parser.add_argument(
        "-l", "--last", metavar="NUMBER", type=int, default=100, help="so many at most (100)"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Search, page by page."""
    if options.refused and options.allowed:
        raise UsageError("give one of --refused and --allowed.")
    if options.last < 1:
        raise UsageError("--last must be 1 or more.")
    admin = admin_of(session, options.alias)
    decision = "refused" if options.refused else "allowed" if options.allowed else ""
    query = {
        **{name: getattr(options, name) for name in ("user", "bucket", "key", "text")},
        "event": ",".join(options.event),
        "decision": decision,
        "since": _time(options.since),
        "until": _time(options.until),
    }
    left, marker = options.last, ""
    while left:
        page = {**query, "limit": str(min(left, _PAGE_MAX)), "marker": marker}
        found = admin.call(
            "GET", "neve/audit", {name: value for name, value in page.items() if value},
            doing="read the audit trail",
        )  # fmt: skip
        for entry in found["entries"]:
            yield _audited(entry)
        left -= len(found["entries"])
        marker = found["next_marker"]
        if not marker:
            return


def _time(text: str | None) -> str:
    return parse_time(text).astimezone(UTC).isoformat() if text else ""


def _audited(entry: dict[str, Any]) -> Audited:
    return Audited(
        moment(entry["time"]),
        entry["principal"],
        entry["access_key"],
        entry["client"],
        entry["operation"],
        entry["bucket"],
        entry["key"],
        entry["arguments"],
        entry["status"],
        entry["error"],
        entry["allowed"],
        entry["reason"],
        entry["request_id"],
    )


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
