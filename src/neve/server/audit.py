"""The audit log of a server's requests: what of a request becomes an entry, and where entries go.

What is no action on the store (probes, metrics) makes an entry only when it was refused.
"""

import logging
import re
import time
from typing import Any
from urllib.parse import unquote_to_bytes

from neve.answer import Response
from neve.audit.auditor import Auditor
from neve.audit.entry import ADMIN, READ, WRITE, Category, Entry, stamp
from neve.audit.file import AuditFile
from neve.audit.webhook import Webhook
from neve.config import Config
from neve.iam.statements import Decision
from neve.s3.routes import PREFLIGHT
from neve.server.http_request import Request
from neve.server.metrics import Metrics

log = logging.getLogger("neve.audit")

_ADMIN_PATH = b"/minio/admin/"
_READS = ("Get", "Head", "List", "Select", "Preflight")
_READING = ("GET", "HEAD", "OPTIONS")
_REFUSED = frozenset((401, 403))
_CLAIMED = re.compile(r"(?:Credential=|X-Amz-Credential=|AWSAccessKeyId=|AWS )([^/:&,\s%]{1,128})")
_VERSION = re.compile(rb"(?:^|&)versionId=([^&]*)")


def make(config: Config, metrics: Metrics) -> Auditor | None:
    """Return the auditor of this process, or None when nothing is audited. Raises: StoreRefused."""
    if not config.audit_log and not config.audit_webhook:
        return None
    file = AuditFile(config.audit_log, metrics.audit_file) if config.audit_log else None
    webhook = None
    if config.audit_webhook:
        left = metrics.audit_left()
        if left:
            metrics.audit_webhook(0, 0, left)
            log.error("%d audit entries did not get into the webhook: a process was killed", left)
        webhook = Webhook(
            config.audit_webhook,
            config.audit_webhook_token,
            metrics.audit_webhook,
            queue_bytes_max=config.audit_queue_bytes_max,
        )
    return Auditor(config.audit_events, file, webhook)


def record(
    auditor: Auditor,
    request: Request,
    response: Response,
    received: int,
    sent: int,
    seconds: float,
    process: str,
) -> Entry | None:
    """Write an answered request down, if such are to be; return what was written."""
    refused = is_refused(request, response.status)
    if not request.operation and not request.error_code and not refused:
        return None
    # Of many objects some may have been refused: that shows in the entry.
    if not auditor.wants(_category(request), refused=refused or request.details is not None):
        return None
    entry = entry_of(request, response, received, sent, seconds, process)
    auditor.record(entry)
    return entry


def entry_of(
    request: Request, response: Response, received: int, sent: int, seconds: float, process: str
) -> Entry:
    """Return the entry of an answered request."""
    status = response.status
    refused = is_refused(request, status)
    caller, decision = request.caller, _settling(request, refused)
    allowed, reason = _verdict(request, decision, status, refused)
    details = request.details() if request.details is not None else {}
    objects = details.get("objects", [])
    if any(item["error"] == "AccessDenied" for item in objects):
        allowed, reason = False, "some of the objects were refused"
    statement = decision.statement if decision is not None else None
    headers = request.headers
    return Entry(
        time=stamp(time.time()),
        request_id=request.id,
        process=process,
        category=_category(request),
        operation=request.operation,
        principal_kind=caller.kind if caller is not None else "unknown",
        principal=caller.name if caller is not None else "",
        access_key=(request.auth.access_key or "") if caller is not None else claimed(request),
        client=request.client,
        secure=request.secure,
        method=request.method,
        bucket=request.bucket or "",
        key=_key(request),
        version_id=_version_id(request, response),
        objects=objects,
        arguments=details.get("arguments", {}),
        copy_source=headers.get(b"x-amz-copy-source", b"").decode("utf-8", "replace"),
        status=status,
        error=request.error_code,
        allowed=allowed,
        reason=reason,
        policy=decision.policy if decision is not None else "",
        statement=statement.label if statement is not None else "",
        bytes_in=received,
        bytes_out=sent,
        ms=round(seconds * 1e3, 3),
        user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
    )


def reads(operation: str) -> bool:
    """Say whether an operation of S3 changes nothing."""
    return operation.startswith(_READS)


def _category(request: Request) -> Category:
    if request.raw_path.startswith(_ADMIN_PATH):
        return ADMIN
    operation = request.operation
    reading = reads(operation) if operation else request.method in _READING
    return READ if reading else WRITE


def is_refused(request: Request, status: int) -> bool:
    """Say whether somebody was turned away, be it that nobody could tell who it is."""
    if status in _REFUSED:
        return True
    return request.caller is None and bool(request.operation and request.error_code)


def _settling(request: Request, refused: bool) -> Decision | None:
    """Return the decision that the answer follows from; None when it was none of those."""
    decision: Decision | None = request.decision
    return decision if decision is not None and decision.allowed is not refused else None


def _verdict(
    request: Request, decision: Decision | None, status: int, refused: bool
) -> tuple[bool | None, str]:
    """Return whether the request was allowed and why."""
    if decision is not None:
        return decision.allowed, decision.reason
    if request.caller is None:
        if request.operation == PREFLIGHT.operation:
            return not refused, "CORS rules of the bucket"
        return (False, "not authenticated") if refused else (None, "")
    if refused:
        may = request.decision is not None or request.caller.is_unlimited
        return False, "not by policies: a lock or another rule" if may else "nothing allows it"
    if request.caller.kind == "root":
        return True, "root"
    return (True, "") if status < 400 else (None, "")


def claimed(request: Request) -> str:
    """Return the access key that an unknown principal says to have."""
    text: Any = request.headers.get(b"authorization", b"") or request.raw_query
    match = _CLAIMED.search(text.decode("latin-1"))
    return match[1] if match else ""


def _key(request: Request) -> str:
    """Return the key; of a request that was refused before it was read, as the path has it."""
    if request.key is not None or not request.bucket:
        return request.key or ""
    start = b"/%b/" % request.bucket.encode()
    path = unquote_to_bytes(request.raw_path)
    return path[len(start) :].decode("utf-8", "replace") if path.startswith(start) else ""


def _version_id(request: Request, response: Response) -> str:
    for name, value in response.headers:
        if name == b"x-amz-version-id":
            return value.decode("latin-1")
    match = _VERSION.search(request.raw_query)
    return match[1].decode("latin-1") if match else ""
