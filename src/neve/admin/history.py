"""History: what the server did over the last hour, day, week or month. Neve's own call.

`span` is `1h` (the default), `24h`, `7d` or `30d`; `points` how many points at most (default 360).
A point has the time of its begin, the `seconds` that its counts are of, and: `requests` of S3,
`other_requests` (administration, probes, metrics, what was not understood), `client_errors` (4xx)
and `server_errors` (5xx) among the former, `received_bytes` and `sent_bytes`; mean, median and
99th percentile of the time that requests for objects and listings took (the percentiles estimated
from the metrics' histogram, null without requests); and as of its end `objects`, `bytes`,
`free_bytes` and `size_bytes` of the disk. There is no point of a time when the server did not run.
Days are kept over a restart; a server that is killed forgets its last minutes.
"""

import asyncio
from typing import Any

from neve.admin.call import AdminCall, json_response
from neve.answer import Response

POINTS_DEFAULT = 360
POINTS_MAX = 5000


async def history(call: AdminCall) -> Response:
    """Return requests, errors, bytes, latency and what is stored, over time."""
    span = call.choice("span", *call.node.spans()) if call.query.get("span") else "1h"
    points = max(1, call.number("points", POINTS_DEFAULT, POINTS_MAX))
    document: Any = await asyncio.to_thread(call.node.history, span, points)
    return json_response(document)
