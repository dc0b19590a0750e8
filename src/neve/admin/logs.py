"""Logs: the last lines that the server's processes logged, at once. Neve's own call.

Of each process the last 1,000 are kept, those of one that died too, until the server ends. All of
these may be left out: `limit` (1,000; of those that fit the last ones are returned, the newest
last), `process` (`supervisor`, `steward`, `worker-0` …), `level` (the least severe: `info`,
`warning`, `error` or `fatal`), `text` (anywhere in a line, in whatever case), `since` (the `time`
of a line that is known: only what came later). For what comes there is `GET log`.
"""

import asyncio
from typing import Any

from neve.admin.call import AdminCall, json_response
from neve.answer import Response

LIMIT_DEFAULT = 1000
LIMIT_MAX = 10_000
_LEVELS = ("", "info", "warning", "error", "fatal")


async def logs(call: AdminCall) -> Response:
    """Return the last log lines of the processes, by level, process and text."""
    call.choice("level", *_LEVELS)
    limit = max(1, call.number("limit", LIMIT_DEFAULT, LIMIT_MAX))
    wanted = {name: call.query.get(name, "") for name in ("level", "process", "text", "since")}
    lines: Any = await asyncio.to_thread(call.node.last_logs, limit, wanted)
    return json_response({"lines": lines})
