"""Requests as they come: a page that a script fills from a stream of JSON lines."""

import json
import threading
from collections.abc import Generator
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from neve.client.errors import ClientError
from neve.client.transport import Stream
from neve.panel.routing import get
from neve.panel.visit import Refused, Visit

WATCHERS_MAX = 8
READ_BYTES = 64 << 10

_watchers = threading.BoundedSemaphore(WATCHERS_MAX)


def show(visit: Visit) -> Response:
    """The page."""
    visit.need("admin:ServerTrace")
    return visit.page("running/trace.html")


def stream(visit: Visit) -> Response:
    """The requests that are answered from now on: one JSON object a line, blank lines between."""
    query = {"s3": "true"}
    if visit.query("errors") == "yes":
        query["err"] = "true"
    if visit.query("all") == "yes":
        query["internal"] = "true"
    source = visit.admin.stream("trace", query, "trace requests")
    if not _watchers.acquire(blocking=False):
        source.close()
        raise Refused(503, visit._("Too many are watching. Close another page of this kind."))
    kind = {"content-type": "application/x-ndjson", "x-accel-buffering": "no"}
    return _Watched(source, kind)


class _Watched(StreamingResponse):
    """An answer that makes room for another watcher at its end, even when it never began."""

    def __init__(self, source: Stream, headers: dict[str, str]) -> None:
        pieces = _lines(source)
        super().__init__(pieces, headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()
            _watchers.release()


def _lines(source: Stream) -> Generator[bytes, None, None]:
    rest = b""
    try:
        with source:
            while piece := source.read_some(READ_BYTES):
                *whole, rest = (rest + piece).split(b"\n")
                shown = [row for line in whole if line.strip() for row in _row(line)]
                # A blank line tells whether the browser is still there.
                yield b"".join(shown) or b"\n"
    except ClientError:
        return


def _row(line: bytes) -> list[bytes]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return []
    http, custom = found.get("http") or {}, found.get("custom") or {}
    asked, answered = http.get("request") or {}, http.get("response") or {}
    stats = http.get("stats") or {}
    row = {
        "time": found.get("time"),
        "api": str(found.get("funcname") or "").removeprefix("s3."),
        "status": answered.get("statuscode") or 0,
        "path": found.get("path") or asked.get("path") or "",
        "query": asked.get("rawquery") or "",
        "error": custom.get("error") or found.get("error") or "",
        "client": asked.get("client") or "",
        "principal": custom.get("principal") or "",
        "ms": round((found.get("dur") or 0) / 1e6, 2),
        "received": stats.get("inputbytes") or 0,
        "sent": stats.get("outputbytes") or 0,
    }
    return [json.dumps(row).encode() + b"\n"]


ROUTES = [get("/trace", show), get("/trace/stream", stream)]
