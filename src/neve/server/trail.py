"""What of a server's requests goes into the audit trail.

By default that is what changes more than objects (administration, buckets and what they are told),
and refusals of signed requests, so many a second at most. Whether a request may be meant shows in
its operation and its error code alone: one that is neither costs the look at these.
"""

import time

from neve.admin.admin import OPERATION
from neve.admin.routes import ROUTES as CALLS
from neve.answer import Response
from neve.audit.entry import Entry, encode_line
from neve.audit.lost import Lost
from neve.audit.trail import Trail
from neve.config import Config
from neve.s3.routes import BUCKET, ROUTES, SERVICE
from neve.server.audit import claimed, entry_of, is_refused, reads
from neve.server.http_request import Request
from neve.server.metrics import Metrics

REFUSALS_PER_S = 5.0
REFUSALS_AT_ONCE = 100.0
"""Of one process. Whoever tries keys by the thousand must not push all else out of the trail."""

_TOO_MANY = "too many refused requests at once"
_MANY = "DeleteObjects"
_OBJECTS = frozenset(("PostObject", _MANY, "WriteGetObjectResponse"))
"""Operations on objects that name a bucket."""
_QUESTIONS = frozenset(("CanDo",))
"""Calls that change nothing, though they are no GET."""
_SECRETS = frozenset(("ExportIam", "ExportBucketMetadata"))
"""Calls that are a GET, and after which somebody knows everything."""


def operations_of(events: frozenset[str]) -> frozenset[str]:
    """Return the operations that are written down with these events, some of TRAIL_EVENTS."""
    found: set[str] = set()
    if "changes" in events:
        found |= {
            route.operation
            for route in ROUTES
            if route.module
            and route.target in (SERVICE, BUCKET)
            and not reads(route.operation)
            and route.operation not in _OBJECTS
        }
        found |= {
            OPERATION + call.name
            for call in CALLS
            if call.module
            and (call.name in _SECRETS or (call.method != "GET" and call.name not in _QUESTIONS))
        }
    for event, wanted in (("writes", False), ("reads", True)):
        if event in events:
            found |= {route.operation for route in ROUTES if reads(route.operation) is wanted}
    if "reads" in events:
        found |= {OPERATION + call.name for call in CALLS}
    return frozenset(found)


class RequestTrail:
    """Writes requests into the trail: hand `note` those with an error code or of `operations`."""

    def __init__(self, events: frozenset[str], trail: Trail, process: str) -> None:
        self._written = operations_of(events)
        self._refusals = "refusals" in events
        self._trail = trail
        self._process = process
        self._unwritten = Lost("the audit trail")
        self._allowance = REFUSALS_AT_ONCE
        self._refused_at = time.monotonic()
        self.operations = self._written | {_MANY} if self._refusals else self._written
        """The operations that may be meant whatever came of them."""

    def note(
        self,
        request: Request,
        response: Response,
        received: int,
        sent: int,
        seconds: float,
        entry: Entry | None,
    ) -> None:
        """Write the request down if it is meant. `entry` is that of the audit log, if there is."""
        refused = is_refused(request, response.status)
        written = request.operation in self._written
        if refused:
            if not self._refusals or not _is_signed(request):
                return
        elif not written and request.operation != _MANY:
            return
        if entry is None:
            entry = entry_of(request, response, received, sent, seconds, self._process)
        if not refused and not written:
            # Of many objects some may have been refused though the request was answered.
            refused = entry.allowed is False
            if not refused:
                return
        if not refused or self._takes_refusal():
            self._trail.write(encode_line(entry))

    def close(self) -> None:
        """Write no more."""
        self._unwritten.say(_TOO_MANY)
        self._trail.close()

    def _takes_refusal(self) -> bool:
        """Say whether one more refusal may be written; that some are not is said in the log."""
        now = time.monotonic()
        grown = self._allowance + (now - self._refused_at) * REFUSALS_PER_S
        self._allowance = min(REFUSALS_AT_ONCE, grown)
        self._refused_at = now
        if self._allowance < 1:
            self._unwritten.drop(1, _TOO_MANY)
            return False
        self._allowance -= 1
        return True


def make(config: Config, metrics: Metrics, process: str) -> RequestTrail | None:
    """Return what this process writes into the trail; None when there is none."""
    if not config.audit_trail:
        return None
    trail = Trail(config.folder, config.audit_trail_bytes_max, metrics.audit_trail)
    return RequestTrail(config.audit_trail, trail, process)


def _is_signed(request: Request) -> bool:
    if request.caller is not None:
        return bool(request.caller.kind != "anonymous")
    return bool(claimed(request))
