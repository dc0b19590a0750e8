"""Changing what an object is told: content type and metadata, tags, retention, legal hold.

Content type and metadata are part of an object that cannot be changed: it is copied onto itself
with new ones, which makes a new version where versions are kept. Tags and locks are set in place.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from neve.client import buckets, objects
from neve.client.copying import SYSTEM, Place, copy, kept
from neve.client.errors import ClientError, ServerError
from neve.client.s3 import Head
from neve.panel.pages.objects.details import gone, lock_of
from neve.panel.pages.objects.names import header_text
from neve.panel.pages.objects.subject import Subject, subject_of
from neve.panel.routing import get, post
from neve.panel.upstream import Ask
from neve.panel.visit import Visit

EMPTY_ROWS = 3
FIELDS = (
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language",
)  # fmt: skip
MODES = ("GOVERNANCE", "COMPLIANCE")
_META = "x-amz-meta-"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")

Rows = list[tuple[str, str]]


class _Wrong(Exception):
    """A sentence about what was typed."""


def show(visit: Visit) -> Response:
    """The forms, as far as one may use them."""
    return _show(visit, subject_of(visit))


def metadata(visit: Visit) -> Response:
    """Copy the object onto itself with other metadata."""
    subject, server = subject_of(visit), visit.s3

    def do() -> str:
        place = Place(subject.bucket, subject.key)
        head = server.head(subject.bucket, subject.key)
        if visit.field("was") != _mark(head):
            raise _Wrong(visit._("The object was changed meanwhile: look at it again."))
        copy(server, place, place, headers=_headers(visit, head))
        return visit._("The metadata were changed.")

    return _do(visit, subject, do)


def tags(visit: Visit) -> Response:
    """Replace the tags."""
    subject = subject_of(visit)

    def do() -> str:
        given = _given(visit, "tag", "tag_value")
        if len({name for name, _ in given}) < len(given):
            raise _Wrong(visit._("Each key may be there once."))
        objects.set_tags(visit.s3, _place(subject), dict(given))
        return visit._("The tags were set.")

    return _do(visit, subject, do)


def retention(visit: Visit) -> Response:
    """Lock the version, or end its lock."""
    subject = subject_of(visit)

    def do() -> str:
        mode = visit.field("mode") if visit.field("mode") in MODES else ""
        until = _moment(visit, visit.field("until")) if mode else None
        bypass = bool(visit.field("bypass"))
        objects.set_retention(visit.s3, _place(subject), mode, until, bypass)
        if mode:
            return visit._("This version is locked now.")
        return visit._("This version is not locked any more.")

    return _do(visit, subject, do)


def hold(visit: Visit) -> Response:
    """Put a legal hold on the version, or take it off."""
    subject = subject_of(visit)

    def do() -> str:
        on = visit.field("hold") == "on"
        objects.set_hold(visit.s3, _place(subject), on)
        if on:
            return visit._("This version is under a legal hold.")
        return visit._("This version is under no legal hold any more.")

    return _do(visit, subject, do)


def _do(visit: Visit, subject: Subject, work: Callable[[], str]) -> Response:
    """Do it and say so; else show the forms as they were filled in, and why not."""
    try:
        visit.tell(work())
    except _Wrong as error:
        return _show(visit, subject, str(error), 400)
    except ClientError as error:
        if visit.panel.refusals.ends_session(error):
            raise
        status = error.status if isinstance(error, ServerError) else 502
        return _show(visit, subject, visit.sentence(error), status)
    return visit.go(subject.link())


def _show(visit: Visit, subject: Subject, problem: str = "", status: int = 200) -> Response:
    try:
        head = visit.s3.head(subject.bucket, subject.key, subject.version)
    except ServerError as error:
        if error.status in (404, 405) and error.code != "NoSuchBucket":
            return gone(visit, subject, error)
        raise
    typed = visit.form
    return visit.page(
        "objects/change.html",
        status,
        subject=subject,
        here="change",
        problem=problem,
        may=_rights(visit, subject),
        was=_mark(head),
        fields=[
            (name, _typed(typed.get(name), header_text(head.headers.get(name)))) for name in FIELDS
        ],
        metadata=_rows(visit, "meta", "meta_value", list(_own(head).items())),
        tags=_rows(visit, "tag", "tag_value", _tags(visit, subject)),
        lock=_lock_fields(visit, head),
        locks=_locks(visit, subject, head),
        versions=bool(head.version),
    )


def _rights(visit: Visit, subject: Subject) -> dict[str, bool]:
    tagging = "s3:PutObjectVersionTagging" if subject.version else "s3:PutObjectTagging"
    actions = {
        "metadata": "s3:PutObject",
        "tags": tagging,
        "retention": "s3:PutObjectRetention",
        "hold": "s3:PutObjectLegalHold",
        "bypass": "s3:BypassGovernanceRetention",
    }
    asks = [Ask(action, subject.bucket, subject.key) for action in actions.values()]
    found = dict(zip(actions, map(bool, visit.may_all(asks)), strict=True))
    return found | {"metadata": found["metadata"] and not subject.version}


def _headers(visit: Visit, head: Head) -> dict[str, str]:
    """Return what was typed, with what the form does not show as it was. Raises: _Wrong."""
    found = {
        name: value
        for name, value in kept(head).items()
        if name in SYSTEM and name not in FIELDS
    }  # fmt: skip
    for name in FIELDS:
        if value := visit.field(name):
            found[name] = value
    for name, value in _given(visit, "meta", "meta_value"):
        if not _NAME.match(name):
            message = visit._("“%(name)s” cannot be the name of metadata.", name=name)
            raise _Wrong(message)
        if _META + name.lower() in found:
            raise _Wrong(visit._("Each key may be there once."))
        found[_META + name.lower()] = value
    for name, value in found.items():
        if not value.isprintable():
            raise _Wrong(visit._("“%(name)s” has characters that cannot be seen.", name=name))
    return found


def _given(visit: Visit, name: str, value: str) -> Rows:
    rows = zip(visit.fields(name), visit.fields(value), strict=False)
    return [(key.strip(), text.strip()) for key, text in rows if key.strip()]


def _rows(visit: Visit, name: str, value: str, known: Rows | None) -> Rows | None:
    """The rows of a table of fields: as typed, else as they are, and some empty ones."""
    if known is None:
        return None
    return (_given(visit, name, value) or known) + [("", "")] * EMPTY_ROWS


def _own(head: Head) -> dict[str, str]:
    return {name: header_text(value) for name, value in head.metadata.items()}


def _typed(value: object, known: str) -> str:
    return value if isinstance(value, str) else known


def _mark(head: Head) -> str:
    """Tells one state of an object from another: to change what somebody else has changed."""
    text = json.dumps([head.version, head.etag, head.modified.isoformat(), kept(head)])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _tags(visit: Visit, subject: Subject) -> Rows | None:
    """None when they may not be known."""
    try:
        return list(objects.tags(visit.s3, _place(subject)).items())
    except ServerError as error:
        if error.denied:
            return None
        raise


def _locks(visit: Visit, subject: Subject, head: Head) -> bool:
    """Whether versions of the bucket can be locked, as far as one may know."""
    if lock_of(head):
        return True
    try:
        return buckets.retention(visit.s3, subject.bucket) is not None
    except ServerError as error:
        if error.denied:
            return False
        raise


def _lock_fields(visit: Visit, head: Head) -> dict[str, Any]:
    lock = lock_of(head)
    until = lock.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") if lock and lock.until else ""
    mode = lock.mode if lock else ""
    return {
        "mode": _typed(visit.form.get("mode"), mode),
        "until": _typed(visit.form.get("until"), until),
        "locked": mode,
        "hold": bool(lock and lock.hold),
    }


def _moment(visit: Visit, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Wrong(visit._("Say until when, as a date and a time.")) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _place(subject: Subject) -> Place:
    return Place(subject.bucket, subject.key, subject.version)


ROUTES = [
    get("/object/{bucket}/change", show),
    post("/object/{bucket}/change/metadata", metadata),
    post("/object/{bucket}/change/tags", tags),
    post("/object/{bucket}/change/retention", retention),
    post("/object/{bucket}/change/hold", hold),
]
