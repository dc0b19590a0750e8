"""A link with which whoever has it may read an object for a while.

It is signed with the visitor's key and so ends with it: when the key expires, or is taken away, or
may not read the object any more. The link is shown in the answer to a form, and kept nowhere.
"""

import json
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from neve.client.errors import ClientError, ServerError
from neve.client.xml import moment
from neve.panel.pages.objects import names
from neve.panel.pages.objects.openness import is_public
from neve.panel.pages.objects.subject import Subject, subject_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

HOUR_S, DAY_S = 3600, 86400
SPANS = (HOUR_S, 4 * HOUR_S, DAY_S, 3 * DAY_S, 7 * DAY_S)


def show(visit: Visit) -> Response:
    """The form."""
    return _page(visit, subject_of(visit), DAY_S)


def make(visit: Visit) -> Response:
    """Make a link and show it."""
    subject = subject_of(visit)
    given = visit.field("span")
    span = next((each for each in SPANS if str(each) == given), 0)
    if not span:
        problem = visit._("Choose how long the link is to be good.")
        return _page(visit, subject, DAY_S, problem=problem, status=400)
    kept = visit.field("file") == "on"
    until = datetime.now(UTC) + timedelta(seconds=span)
    ends = _key_ends(visit)
    query = {"versionId": subject.version} if subject.version else {}
    if kept:
        name = names.last_name(subject.key)
        query["response-content-disposition"] = names.disposition(name)
    link = visit.links.presign("GET", subject.bucket, subject.key, span, query)
    early = ends is not None and ends < until
    return _page(
        visit, subject, span, link=link, until=ends if early else until, early=early, kept=kept
    )


def _page(
    visit: Visit,
    subject: Subject,
    span: int,
    status: int = 200,
    problem: str = "",
    link: str = "",
    until: datetime | None = None,
    early: bool = False,
    kept: bool = True,
) -> Response:
    visit.s3.head(subject.bucket, subject.key, subject.version)  # what cannot be read has no link
    return visit.page(
        "objects/share.html",
        status,
        subject=subject,
        here="share",
        spans=[(str(each), _span(visit, each)) for each in SPANS],
        span=str(span),
        problem=problem,
        link=link,
        until=until,
        early=early,
        kept=kept,
        plain=_plain(visit, subject),
    )


def _span(visit: Visit, seconds: int) -> str:
    if seconds < DAY_S:
        return visit.language.ngettext("%(count)s hour", "%(count)s hours", seconds // HOUR_S)
    return visit.language.ngettext("%(count)s day", "%(count)s days", seconds // DAY_S)


def _plain(visit: Visit, subject: Subject) -> str:
    """The address that everybody may read, '' when it is not public."""
    if subject.version or not is_public(visit, subject.bucket, subject.key):
        return ""
    return visit.links.transport.url(subject.bucket, subject.key)


def _key_ends(visit: Visit) -> datetime | None:
    """When the visitor's key expires, None for never: keys of users do not."""
    try:
        found = visit.admin.call("GET", "info-access-key", doing="read about this key")
        said = found.get("expiration", "") if isinstance(found, dict) else ""
        return moment(said) if said else None
    except ServerError as error:
        if error.absent or error.denied:
            return None
        raise
    except (ClientError, json.JSONDecodeError):
        return None


ROUTES = [
    get("/object/{bucket}/share", show),
    post("/object/{bucket}/share", make),
]
