"""Uploads that were begun and not completed: what was left of transfers that broke off."""

from itertools import islice

from starlette.responses import Response

from neve.panel.formtext import from_form
from neve.panel.pages.buckets._forms import PROBLEMS, raw, reason
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/uploads"
SHOWN_MAX = 500


def show(visit: Visit) -> Response:
    """The first of them, by key."""
    return _show(visit)


def end(visit: Visit) -> Response:
    """End one; what was sent of it is lost."""
    bucket = bucket_of(visit)
    try:
        visit.s3.abort(bucket, from_form(raw(visit, "key")), visit.field("upload"))
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The upload was ended, and what it held is freed."))
    return visit.go(path_of(bucket, "uploads"))


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    found = list(islice(visit.s3.uploads(bucket), SHOWN_MAX + 1))
    return page(
        visit, "uploads", problem=problem, status=status, uploads=found[:SHOWN_MAX],
        more=len(found) > SHOWN_MAX, may_end=visit.may("s3:AbortMultipartUpload", bucket, "any"),
        may_rule=visit.may("s3:PutLifecycleConfiguration", bucket),
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, end)]
