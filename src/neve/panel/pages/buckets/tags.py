"""The tags of a bucket: labels that bills, searches and policies can look at."""

from starlette.responses import Response

from neve.client import buckets
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, reason
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/tags"
EMPTY_ROWS = 3

Rows = list[tuple[str, str]]


def show(visit: Visit) -> Response:
    """A table of fields."""
    return _show(visit, list(buckets.tags(visit.s3, bucket_of(visit)).items()))


def change(visit: Visit) -> Response:
    """Replace all tags."""
    bucket = bucket_of(visit)
    rows = list(zip(visit.fields("key"), visit.fields("value"), strict=False))
    given = [(key, value) for key, value in rows if key]
    try:
        if len({key for key, _ in given}) < len(given):
            raise Wrong(visit._("Each key may be there once."))
        buckets.set_tags(visit.s3, bucket, dict(given))
    except PROBLEMS as error:
        return _show(visit, given, *reason(visit, error))
    visit.tell(visit._("The tags were set."))
    return visit.go(path_of(bucket, "tags"))


def _show(visit: Visit, rows: Rows, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    may_set = bool(visit.may("s3:PutBucketTagging", bucket))
    empty = [("", "")] * EMPTY_ROWS if may_set else []
    return page(visit, "tags", problem=problem, status=status, rows=rows + empty, may_set=may_set)


ROUTES = [get(PATH, show), post(PATH, change)]
