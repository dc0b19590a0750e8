"""Object lock: whether versions can be protected, and the protection that new ones get."""

from starlette.responses import Response

from neve.client import buckets
from neve.client.buckets import Retention
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, reason, retention
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/lock"


def show(visit: Visit) -> Response:
    """The default, or the way to have one."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Set the default; where there is no object lock yet, this turns it on for good."""
    bucket = bucket_of(visit)
    try:
        if buckets.retention(visit.s3, bucket) is None:
            if not visit.field("sure"):
                raise Wrong(visit._("Tick that you know that this is for good."))
            if buckets.versioning(visit.s3, bucket).status != "Enabled":
                raise Wrong(visit._("Object lock needs versions: keep them first."))
            buckets.set_retention(visit.s3, bucket, Retention())
            visit.tell(visit._("Object lock is on."))
        else:
            buckets.set_retention(visit.s3, bucket, retention(visit))
            visit.tell(visit._("The lock of new versions was set."))
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    return visit.go(path_of(bucket, "lock"))


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    now = buckets.retention(visit.s3, bucket)
    shown = {"mode": now.mode, "number": now.number or "", "unit": now.unit} if now else {}
    given = {name: visit.field(name) for name in ("mode", "number", "unit")} if problem else shown
    return page(
        visit, "lock", problem=problem, status=status, now=now, given=given,
        may_set=visit.may("s3:PutBucketObjectLockConfiguration", bucket),
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, change)]
