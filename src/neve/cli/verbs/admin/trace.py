"""Show requests as they are answered, until Ctrl-C: by whom, what, how long, how it ended.

Without --call, requests of S3 are shown; `internal` are those of the server itself and of its
admin API.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.streams import documents
from neve.cli.units import format_size, parse_duration
from neve.client.xml import moment

EXAMPLES = """\
examples:
  neve admin trace pavics
  neve admin trace pavics --errors --path 'results/**'
  neve admin trace pavics --response-threshold 100ms --json | jq .api
  neve admin trace pavics --call internal --all
"""
_CALLS = ("s3", "internal", "storage", "os", "scanner", "ilm", "replication", "healing", "batch")


@dataclass(frozen=True)
class Request(Result):
    """A request that was answered."""

    kind: ClassVar[str] = "trace"

    time: Annotated[datetime, "when it began"]
    api: Annotated[str, "the operation: `s3.GetObject` …"]
    node: Annotated[str, "which server answered"]
    method: Annotated[str, "method of HTTP"]
    path: Annotated[str, "path, with the bucket"]
    query: Annotated[str, "query, without signatures"]
    status_code: Annotated[int, "status of HTTP"]
    error: Annotated[str, "code of the error, '' when there was none or it is not told"]
    client: Annotated[str, "address of the client"]
    principal: Annotated[str, "who asked, '' when that is not told"]
    duration_ms: Annotated[float, "milliseconds from the first byte to the last"]
    received: Annotated[int, "bytes of the request"]
    sent: Annotated[int, "bytes of the answer"]
    headers: Annotated[dict[str, str], "headers of the request, with --verbose"]

    def text(self, style: Style) -> str:
        """A line; with headers a paragraph."""
        status = str(self.status_code) if self.status_code else "---"
        status = style.good(status) if self.status_code < 400 else style.bad(status)
        when = style.dim(self.time.astimezone().strftime("%H:%M:%S.%f")[:-3])
        path = self.path + (f"?{self.query}" if self.query else "")
        sizes = f"↑{format_size(self.received)} ↓{format_size(self.sent)}"
        who = " ".join(filter(None, (self.client, self.principal, self.error)))
        line = f"{when} {status} {self.api:<22} {self.duration_ms:9.3f} ms  {path}"
        lines = [f"{line}  {style.dim(f'{sizes}  {who}')}"]
        lines += [style.dim(f"    {name}: {value}") for name, value in self.headers.items()]
        return "\n".join(lines)


RESULTS = (Request, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and the filters."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("-a", "--all", action="store_true", help="all that it does, not S3 alone")
    parser.add_argument("--call", metavar="KIND,…", default="s3", help="s3, internal, …")
    parser.add_argument("-e", "--errors", action="store_true", help="only what failed")
    parser.add_argument(
        "--response-threshold", metavar="TIME", default="", help="only what took longer: 100ms"
    )
    parser.add_argument("--funcname", metavar="API", default="", help="only s3.GetObject, s3.*, …")
    parser.add_argument("--path", default="", help="only these paths, as bucket/prefix*")
    parser.add_argument("--method", default="", help="only this method of HTTP")
    parser.add_argument("--status-code", type=int, default=0, help="only this status of HTTP")
    parser.add_argument("--user", default="", help="only requests of this user (Neve)")
    parser.add_argument("-v", "--verbose", action="store_true", help="headers as well")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Follow."""
    admin = admin_of(session, options.alias)
    session.output.live = True
    with admin.stream("trace", _query(options), "trace requests") as stream:
        for found in documents(stream):
            request = _request(found, options.verbose)
            if _wanted(request, options):
                yield request


def _query(options: argparse.Namespace) -> dict[str, str]:
    kinds = _CALLS if options.all else options.call.split(",")
    unknown = [kind for kind in kinds if kind not in _CALLS]
    if unknown:
        raise UsageError(f"there are no calls {unknown[0]!r}: choose of {', '.join(_CALLS)}.")
    query = dict.fromkeys(kinds, "true")
    if options.errors:
        query["err"] = "true"
    if options.response_threshold:
        query["threshold"] = f"{parse_duration(options.response_threshold):.6f}s"
    return query


def _wanted(request: Request, options: argparse.Namespace) -> bool:
    pattern = options.path.lstrip("/").replace("**", "*")
    return (
        (not options.funcname or fnmatchcase(request.api, options.funcname))
        and (not pattern or fnmatchcase(request.path.lstrip("/"), pattern))
        and (not options.method or request.method == options.method.upper())
        and (not options.status_code or request.status_code == options.status_code)
        and (not options.user or request.principal == options.user)
    )


def _request(found: dict[str, Any], verbose: bool) -> Request:
    http = found.get("http") or {}
    asked, answered = http.get("request") or {}, http.get("response") or {}
    stats, custom = http.get("stats") or {}, found.get("custom") or {}
    headers = {
        name: ", ".join(values) if isinstance(values, list) else str(values)
        for name, values in (asked.get("headers") or {}).items()
    }
    return Request(
        moment(found["time"]),
        str(found.get("funcname") or ""),
        str(found.get("nodename") or ""),
        str(asked.get("method") or ""),
        str(found.get("path") or asked.get("path") or ""),
        str(asked.get("rawquery") or ""),
        int(answered.get("statuscode") or 0),
        str(custom.get("error") or found.get("error") or ""),
        str(asked.get("client") or ""),
        str(custom.get("principal") or ""),
        round((found.get("dur") or 0) / 1e6, 3),
        int(stats.get("inputbytes") or 0),
        int(stats.get("outputbytes") or 0),
        headers if verbose else {},
    )
