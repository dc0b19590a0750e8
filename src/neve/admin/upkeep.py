"""Upkeep: how everything that is done again and again is, and what was answered so far. Neve's own.

`jobs` have their last and next run; `processes` their memory (bytes, resident and proportional) and
CPU time; `requests`, `errors` and `done` are counts since the server was started; `buckets` are the
twenty with the most bytes. `scrub` and `lifecycle` have where their walk is, if one is under way.
`findings` are the damaged objects that the scrub has found, at most `limit` (100), from `marker`
on, which is the `next_marker` of the answer before. Of `uploads` in progress at most 1,000 are
looked at, the oldest twenty are named; `more` says that there are others.
"""

import asyncio
from heapq import nlargest, nsmallest
from typing import TYPE_CHECKING, Any

from neve.admin.call import AdminCall, json_response, time_text
from neve.answer import Response
from neve.engine import expire, scrub
from neve.engine.jobs import SCRUB_PERIOD_S

if TYPE_CHECKING:
    from neve.catalog.catalog import Reader, UploadRow

FINDINGS_DEFAULT = 100
FINDINGS_MAX = 1000
UPLOADS_MAX = 1000
NAMED_MAX = 20
"""Buckets and uploads that an answer names."""
_BUCKETS_AT_ONCE = 100
"""Between two of these other requests get their turn."""


async def upkeep(call: AdminCall) -> Response:
    """Return jobs, scrub and findings, lifecycle, uploads, processes, counts since the start."""
    limit = call.number("limit", FINDINGS_DEFAULT, FINDINGS_MAX)
    marker = call.number("marker", 0, 10**9)
    state = await asyncio.to_thread(call.node.upkeep)
    rules = state.pop("lifecycle_rules")
    reader = call.engine.catalog.reader()
    trees = {row.tree: row.name for row in reader.buckets()}
    found = scrub.findings(reader)
    damaged, more = found[marker : marker + limit], len(found) > marker + limit
    document = {
        **state,
        "scrub": _scrub(reader, trees) | {"findings": len(found)},
        "findings": [_finding(each, trees) for each in damaged],
        "next_marker": str(marker + limit) if more else "",
        "lifecycle": _lifecycle(call, reader) | {"rules": rules},
        "uploads": _uploads(reader, trees),
        "buckets": await _largest(call),
    }
    return json_response(document)


def _scrub(reader: "Reader", trees: dict[int, str]) -> dict[str, Any]:
    place = scrub.place_of(reader)
    runs = bool(place.started_us)
    next_us = place.finished_us + int(SCRUB_PERIOD_S * 1e6)
    return {
        "running": runs,
        "started": _time(place.started_us),
        "finished": _time(place.finished_us),
        "next": _time(next_us) if place.finished_us and not runs else None,
        "objects": place.objects,
        "bytes": place.bytes,
        "bucket": trees.get(place.tree, "") if runs else "",
        "key": place.key.rstrip("\0") if runs else "",
    }


def _finding(found: scrub.Finding, trees: dict[int, str]) -> dict[str, Any]:
    return {
        "bucket": trees.get(found.tree, ""),
        "key": found.key,
        "version_id": found.version,
        "kind": found.kind,
        "detail": found.detail,
        "time": _time(found.at_us),
    }


def _lifecycle(call: AdminCall, reader: "Reader") -> dict[str, Any]:
    place = expire.place_of(reader)
    next_us = place.finished_us + int(call.node.config.lifecycle_interval_s * 1e6)
    return {
        "running": bool(place.started_us),
        "started": _time(place.started_us),
        "finished": _time(place.finished_us),
        "next": _time(next_us) if place.finished_us and not place.started_us else None,
        "bucket": place.bucket,
    }


def _uploads(reader: "Reader", trees: dict[int, str]) -> dict[str, Any]:
    rows = reader.uploads(None, "", "", "", UPLOADS_MAX + 1)
    seen = rows[:UPLOADS_MAX]
    oldest = nsmallest(NAMED_MAX, seen, key=lambda row: row.created_us)
    return {
        "count": len(seen),
        "more": len(rows) > UPLOADS_MAX,
        "oldest": [_upload(row, reader, trees) for row in oldest],
    }


def _upload(row: "UploadRow", reader: "Reader", trees: dict[int, str]) -> dict[str, Any]:
    return {
        "bucket": trees.get(row.tree, ""),
        "key": row.key,
        "upload_id": row.id,
        "started": _time(row.created_us),
        "bytes": reader.parts_bytes(row.id, 0),
    }


async def _largest(call: AdminCall) -> list[dict[str, Any]]:
    """Return the buckets with the most bytes; other requests go on meanwhile."""
    found = []
    for number, bucket in enumerate(call.engine.buckets(), 1):
        objects, size = call.engine.usage(bucket)
        found.append((size, objects, bucket.name))
        if not number % _BUCKETS_AT_ONCE:
            await asyncio.sleep(0)
    return [
        {"name": name, "objects": objects, "bytes": size}
        for size, objects, name in nlargest(NAMED_MAX, found)
    ]


def _time(at_us: int) -> str | None:
    return time_text(at_us) if at_us else None
