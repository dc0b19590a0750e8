"""Whether a bucket keeps versions, and what of it keeps none."""

from starlette.responses import Response

from neve.client import buckets
from neve.client.buckets import Versioning
from neve.panel.pages.buckets._forms import PROBLEMS, lines, reason
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/versioning"


def show(visit: Visit) -> Response:
    """What is so, what each choice means."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Keep versions, or no new ones."""
    bucket = bucket_of(visit)
    if visit.field("status") == "Suspended":
        wanted = Versioning("Suspended")
        told = visit._("No new versions are made. Those that are there stay.")
    else:
        folders = bool(visit.field("folders"))
        wanted = Versioning("Enabled", tuple(lines(visit, "excluded")), folders)
        told = visit._("Versions are kept.")
    try:
        buckets.set_versioning(visit.s3, bucket, wanted)
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(told)
    return visit.go(path_of(bucket, "versioning"))


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    now = buckets.versioning(visit.s3, bucket)
    row = buckets.row(visit.s3, bucket)
    excluded = lines(visit, "excluded") if problem else now.excluded
    return page(
        visit, "versioning", problem=problem, status=status, now=now,
        excluded="\n".join(excluded),
        folders=bool(visit.field("folders")) if problem else now.folders,
        locks=bool(row and row.lock),
        may_set=visit.may("s3:PutBucketVersioning", bucket),
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, change)]
