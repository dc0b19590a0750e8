"""The versions of an object: which there are, what differs, going back, deleting one for good."""

import difflib
from typing import NamedTuple
from urllib.parse import quote

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.client.s3 import Head, Object
from neve.panel.formtext import from_form
from neve.panel.pages.objects import names, preview
from neve.panel.pages.objects.details import Lock, head_of, lock_of
from neve.panel.pages.objects.subject import Subject, subject_of
from neve.panel.routing import get, post
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit

ROWS = 200
TEXT_BYTES_MAX = 256 << 10
LINES_MAX = 3000
DIFF_LINES_MAX = 1000
_NULL = "null"


class Difference(NamedTuple):
    """A property that two versions have, or one of them."""

    name: str
    before: str
    after: str


def show(visit: Visit) -> Response:
    """The list."""
    subject = subject_of(visit)
    bucket, key = subject.bucket, subject.key
    after = key if visit.query("after") else ""
    page = visit.s3.version_page(bucket, key, "", after, visit.query("after"), ROWS)
    rows = [row for row in page.rows if isinstance(row, Object) and row.key == key]
    if not rows:
        raise Refused(404, visit._("This object does not exist."))
    more = page.version if page.after == key else ""
    plain = Subject(bucket, key, "")
    may_put, may_delete = visit.may_all(
        [Ask("s3:PutObject", bucket, key), Ask("s3:DeleteObjectVersion", bucket, key)]
    )
    return visit.page(
        "objects/versions.html",
        subject=plain,
        here="versions",
        rows=[(row, Subject(bucket, key, row.version)) for row in rows],
        next=plain.link("versions", after=more) if more else "",
        may_put=bool(may_put),
        may_delete=bool(may_delete),
        kept=any(row.version != _NULL for row in rows),
    )


def restore(visit: Visit) -> Response:
    """Make an earlier version the current one, as a new version: nothing is lost."""
    subject = subject_of(visit)
    if not subject.version:
        raise Refused(400, visit._("This version does not exist."))
    source = quote(f"/{subject.bucket}/{subject.key}", safe="/~")
    visit.s3.transport.request(
        "PUT",
        subject.bucket,
        subject.key,
        headers={"x-amz-copy-source": f"{source}?versionId={quote(subject.version)}"},
        doing="restore this version",
        idempotent=False,
    )
    visit.tell(visit._("%(name)s is again what it was in that version.", name=subject.name))
    return visit.go(subject._replace(version="").link("versions"))


def ask_delete(visit: Visit) -> Response:
    """What would be lost."""
    subject = subject_of(visit)
    visit.need("s3:DeleteObjectVersion", subject.bucket, subject.key)
    return _ask_delete(visit, subject)


def delete(visit: Visit) -> Response:
    """Delete a version for good; without a marker of deletion the object is there again."""
    subject = subject_of(visit)
    if not subject.version:
        raise Refused(400, visit._("This version does not exist."))
    try:
        visit.s3.delete(
            subject.bucket, subject.key, subject.version, bypass=visit.field("bypass") == "on"
        )
    except ServerError as error:
        if error.code != "AccessDenied":
            raise
        return _ask_delete(visit, subject, visit.sentence(error), error.status)
    plain = subject._replace(version="")
    visit.tell(visit._("A version of %(name)s was deleted.", name=subject.name))
    page = visit.s3.version_page(subject.bucket, subject.key, limit=1)
    left = any(row.key == subject.key for row in page.rows)
    return visit.go(
        plain.link("versions")
        if left
        else names.browse_link(subject.bucket, names.folder_of(subject.key))
    )


def _ask_delete(visit: Visit, subject: Subject, problem: str = "", status: int = 200) -> Response:
    head: Head | None = None
    lock: Lock | None = None
    try:
        head = head_of(visit, subject)
        lock = lock_of(head)
    except ServerError as error:
        if error.status != 405:  # a marker of deletion has nothing to tell
            raise
    may = visit.may("s3:BypassGovernanceRetention", subject.bucket, subject.key)
    return visit.page(
        "objects/delete_version.html",
        status,
        subject=subject,
        here="versions",
        head=head,
        lock=lock,
        bypass=bool(may) and lock is not None and lock.mode == "GOVERNANCE",
        problem=problem,
    )


def compare(visit: Visit) -> Response:
    """What differs between two versions."""
    bucket = names.bucket_of(visit)
    key = visit.query("key") or from_form(visit.query("in"))
    before = Subject(bucket, key, visit.query("before"))
    after = Subject(bucket, key, visit.query("after"))
    if not before.version or not after.version or before == after:
        raise Refused(400, visit._("Choose two versions that have content."))
    heads = head_of(visit, before), head_of(visit, after)
    same = heads[0].etag == heads[1].etag and heads[0].size == heads[1].size
    lines, why = ([], "") if same else _diff(visit, before, after, heads)
    return visit.page(
        "objects/compare.html",
        subject=Subject(bucket, key, ""),
        here="versions",
        before=before,
        after=after,
        heads=heads,
        same=same,
        differences=_differences(visit, *heads),
        lines=lines[:DIFF_LINES_MAX],
        cut=len(lines) > DIFF_LINES_MAX,
        why=why,
    )


def _differences(visit: Visit, before: Head, after: Head) -> list[Difference]:
    language = visit.language
    rows = [
        Difference(visit._("Size"), language.size(before.size), language.size(after.size)),
        Difference("ETag", before.etag, after.etag),
        Difference(visit._("Type"), before.content_type, after.content_type),
    ]
    for name in sorted({*before.metadata, *after.metadata}):
        values = (head.metadata.get(name, "–") for head in (before, after))
        rows.append(Difference(name, *map(names.header_text, values)))
    return [row for row in rows if row.before != row.after]


def _diff(
    visit: Visit, before: Subject, after: Subject, heads: tuple[Head, Head]
) -> tuple[list[str], str]:
    """Return the lines that differ; or none, and why."""
    if max(head.size for head in heads) > TEXT_BYTES_MAX:
        return [], visit._("They are too large to compare their content here.")
    texts = [
        preview.read_text(visit, subject, head.size)
        for subject, head in zip((before, after), heads, strict=True)
    ]
    first, second = (text.split("\n") if text is not None else None for text in texts)
    if first is None or second is None:
        return [], visit._("Their content is no text.")
    if max(len(first), len(second)) > LINES_MAX:
        return [], visit._("They are too large to compare their content here.")
    found = list(difflib.unified_diff(first, second, lineterm="", n=3))[2:]
    return [names.visible_lines(line) for line in found], ""


ROUTES = [
    get("/object/{bucket}/versions", show, public=True),
    get("/object/{bucket}/compare", compare, public=True),
    post("/object/{bucket}/restore", restore),
    get("/object/{bucket}/delete-version", ask_delete),
    post("/object/{bucket}/delete-version", delete),
]
