"""An object, or one version of it: everything that may be known of it, and its download.

The bytes go straight from S3 to the browser, over a link that is signed when it is asked for.
"""

from datetime import datetime
from typing import NamedTuple

from starlette.responses import RedirectResponse, Response

from neve.client.errors import ServerError
from neve.client.s3 import Head
from neve.client.xml import moment, parse
from neve.panel.pages.objects import kinds, names, preview
from neve.panel.pages.objects.subject import Subject, subject_of
from neve.panel.routing import get
from neve.panel.visit import Visit

LINK_S = 3600
_CHECKSUM = "x-amz-checksum-"
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")


class Lock(NamedTuple):
    """What keeps a version from being deleted."""

    mode: str
    until: datetime | None
    hold: bool


def show(visit: Visit) -> Response:
    """The page of an object."""
    if not visit.query("key"):
        return visit.go(f"/browse/{names.bucket_of(visit)}")
    subject = subject_of(visit)
    try:
        head = head_of(visit, subject)
    except ServerError as error:
        if error.status in (404, 405) and error.code != "NoSuchBucket":
            return gone(visit, subject, error)
        raise
    return visit.page(
        "objects/details.html",
        subject=subject,
        head=head,
        here="",
        preview=preview.of(visit, subject, head),
        kind=kinds.of_file(subject.key),
        checksums=checksums_of(head),
        kept=[(name, _shown(head.headers[name])) for name in _KEPT if name in head.headers],
        metadata=[(name, _shown(value)) for name, value in head.metadata.items()],
        lock=lock_of(head),
        tags=_tags(visit, subject),
        owner=_owner(visit, subject),
        url=visit.links.transport.url(subject.bucket, subject.key),
    )


def head_of(visit: Visit, subject: Subject) -> Head:
    """Return what HEAD says, with checksums. Raises: ServerError."""
    headers = {"x-amz-checksum-mode": "ENABLED"}
    return visit.s3.head(subject.bucket, subject.key, subject.version, headers)


def gone(visit: Visit, subject: Subject, error: ServerError) -> Response:
    """The page of an object that is not there, or of a version that marks a deletion."""
    return visit.page(
        "objects/gone.html",
        404,
        subject=subject,
        marker=error.status == 405,
        deleted=not subject.version and _was_deleted(visit, subject),
    )


def _was_deleted(visit: Visit, subject: Subject) -> bool:
    """Whether versions are there of what is not, as far as the visitor may know."""
    if not visit.may("s3:ListBucketVersions", subject.bucket, subject.key):
        return False
    rows = visit.s3.version_page(subject.bucket, subject.key, limit=1).rows
    return any(row.key == subject.key for row in rows)


def download(visit: Visit) -> Response:
    """Send the browser to the bytes."""
    subject = subject_of(visit)
    visit.s3.head(subject.bucket, subject.key, subject.version)
    return RedirectResponse(link_of(visit, subject), 303)


def link_of(visit: Visit, subject: Subject, expires_s: int = LINK_S) -> str:
    """Return a link to the bytes, to keep as a file; without a login the plain URL."""
    query = {"versionId": subject.version} if subject.version else {}
    if not visit.session:
        return visit.links.transport.url(subject.bucket, subject.key, query)
    name = names.last_name(subject.key)
    query["response-content-disposition"] = names.disposition(name)
    return visit.links.presign("GET", subject.bucket, subject.key, expires_s, query)


def _shown(value: str) -> str:
    return names.visible(names.header_text(value))


def checksums_of(head: Head) -> list[tuple[str, str]]:
    """The checksums that the object was stored with, by algorithm."""
    return [
        (name.removeprefix(_CHECKSUM).upper(), value)
        for name, value in head.headers.items()
        if name.startswith(_CHECKSUM) and name != f"{_CHECKSUM}type"
    ]


def lock_of(head: Head) -> Lock | None:
    """What keeps a version, None for nothing."""
    headers = head.headers
    mode = headers.get("x-amz-object-lock-mode", "")
    hold = headers.get("x-amz-object-lock-legal-hold", "") == "ON"
    if not mode and not hold:
        return None
    until = headers.get("x-amz-object-lock-retain-until-date", "")
    return Lock(mode, moment(until) if until else None, hold)


def _tags(visit: Visit, subject: Subject) -> list[tuple[str, str]] | None:
    """The tags, None when they may not be known."""
    body = _part(visit, subject, "tagging")
    if body is None:
        return None
    tags = parse(body).find("TagSet")
    rows = [node.texts() for node in tags.all("Tag")] if tags else []
    return [(row.get("Key", ""), row.get("Value", "")) for row in rows]


def _owner(visit: Visit, subject: Subject) -> str:
    """Who the object belongs to, '' when that may not be known."""
    body = _part(visit, subject, "acl")
    if body is None:
        return ""
    root = parse(body)
    return root.text("Owner", "DisplayName") or root.text("Owner", "ID")


def _part(visit: Visit, subject: Subject, name: str) -> bytes | None:
    query = {name: ""} | ({"versionId": subject.version} if subject.version else {})
    request = visit.s3.transport.request
    try:
        return request("GET", subject.bucket, subject.key, query, doing="read this object").body
    except ServerError as error:
        if error.denied or error.absent:
            return None
        raise


ROUTES = [
    get("/object/{bucket}", show, public=True),
    get("/object/{bucket}/download", download, public=True),
]
