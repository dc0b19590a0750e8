"""Audit: who did what, from the audit trail in the folder and the audit log's file. Neve's own.

All of these may be left out: `user` (a name or an access key), `bucket`, `key` (with `*` at its end
a prefix), `event` (`read`, `write`, `admin` or an operation such as `PutBucketPolicy`, with `*` for
any letters, several with commas between), `decision` (`allowed` or `refused`), `since` and `until`
(RFC 3339), `text` (anywhere in an entry, in whatever case), `limit` (100, at most 1,000). The
entries are those of the audit log, newest first. With `next_marker` as `marker` the search goes on;
that may be there though there are few `entries` or none, as one call reads 8 MiB at most. `kept`
says what goes into the trail, `log` whether there is an audit log; of its file what was rotated
away is not searched. The right is one of its own, as entries
tell what everybody does and from where: of the ready policies only `consoleAdmin` has it.
"""

import asyncio
import os
from datetime import UTC, datetime

from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.audit.entry import stamp
from neve.audit.search import Query, search
from neve.audit.trail import DIRECTORY

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
_LENGTH_MAX = 1024
_EVENTS_MAX = 20


async def search_audit(call: AdminCall) -> Response:
    """Search the audit trail and the audit log's file, newest first, page by page."""
    config = call.node.config
    query = _query(call)
    limit = max(1, call.number("limit", LIMIT_DEFAULT, LIMIT_MAX))
    folder = os.path.join(config.folder, DIRECTORY)
    marker = call.query.get("marker", "")
    try:
        found = await asyncio.to_thread(
            search, folder, config.audit_log, query, limit=limit, marker=marker
        )
    except ValueError as error:
        raise AdminError("XMinioAdminInvalidArgument", str(error)) from error
    document = {
        "entries": found.entries,
        "next_marker": found.marker,
        "kept": sorted(config.audit_trail),
        "log": bool(config.audit_log),
    }
    return json_response(document)


def _query(call: AdminCall) -> Query:
    words = {name: call.query.get(name, "") for name in ("user", "bucket", "key", "event", "text")}
    for name, word in words.items():
        if len(word) > _LENGTH_MAX:
            raise AdminError("XMinioAdminInvalidArgument", f"{name} is too long")
    events = tuple(filter(None, words["event"].split(",")))
    if len(events) > _EVENTS_MAX:
        raise AdminError("XMinioAdminInvalidArgument", f"at most {_EVENTS_MAX} events")
    decision = call.query.get("decision", "")
    if decision:
        call.choice("decision", "allowed", "refused")
    return Query(
        words["user"],
        words["bucket"],
        words["key"],
        events,
        decision,
        _time(call, "since"),
        _time(call, "until"),
        words["text"],
    )


def _time(call: AdminCall, name: str) -> str:
    """Return a time of the query as entries have it; empty when it is not there."""
    text = call.query.get(name, "")
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return stamp(moment.timestamp())
    except (ValueError, OverflowError) as error:
        what = f"{name} must be a time such as 2026-11-28T12:00:00Z"
        raise AdminError("XMinioAdminInvalidArgument", what) from error
