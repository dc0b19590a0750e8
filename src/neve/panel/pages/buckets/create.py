"""Making a bucket, with what it is told at its beginning.

A bucket that was made stays made when something after that is refused: the answer says what was
done and what was not.
"""

from collections.abc import Callable

from starlette.responses import Response

from neve.client import buckets
from neve.client.buckets import Limits, Retention, Versioning
from neve.errors import InvalidBucketName
from neve.names import check_bucket_name
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, number, reason, retention, size
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/_new"
"""No bucket can be called so."""
_FIELDS = ("name", "bytes", "objects", "mode", "number", "unit")


def show(visit: Visit) -> Response:
    """The form."""
    return _form(visit)


def make(visit: Visit) -> Response:
    """Make the bucket, then tell it what was chosen."""
    name = visit.field("name")
    try:
        _check_name(visit, name)
        limits = Limits(size(visit, "bytes"), number(visit, "objects", 0))
        lock = retention(visit) if visit.field("lock") else None
        visit.s3.make_bucket(name, lock=lock is not None)
    except PROBLEMS as error:
        return _form(visit, *reason(visit, error))
    done = [visit._("The bucket %(bucket)s was made.", bucket=name)]
    refused = _tell(visit, name, limits, lock, done)
    visit.tell(" ".join(done + refused), "problem" if refused else "done")
    return visit.go(f"/buckets/{name}" if refused else f"/browse/{name}")


def _tell(
    visit: Visit, name: str, limits: Limits, lock: Retention | None, done: list[str]
) -> list[str]:
    """Tell the bucket what was chosen; note what was done; return what was refused."""
    server = visit.s3
    steps: list[tuple[Callable[[], None], str, str]] = []
    if visit.field("versioning") and lock is None:
        steps.append((
            lambda: buckets.set_versioning(server, name, Versioning("Enabled")),
            visit._("It keeps versions."),
            visit._("It keeps no versions:"),
        ))  # fmt: skip
    if lock is not None and lock.mode:
        steps.append((
            lambda: buckets.set_retention(server, name, lock),
            visit._("New versions are locked."),
            visit._("New versions are not locked by default:"),
        ))  # fmt: skip
    if limits.is_set:
        steps.append((
            lambda: buckets.set_quota(server, name, limits),
            visit._("The quota was set."),
            visit._("The quota was not set:"),
        ))  # fmt: skip
    refused = []
    for step, good, bad in steps:
        try:
            step()
            done.append(good)
        except PROBLEMS as error:
            refused.append(f"{bad} {reason(visit, error)[0]}")
    return refused


def _check_name(visit: Visit, name: str) -> None:
    try:
        check_bucket_name(name)
    except InvalidBucketName as error:
        raise Wrong(
            visit._(
                "“%(text)s” cannot name a bucket: 3 to 63 lower-case letters, digits, hyphens and "
                "dots, with a letter or digit at both ends.",
                text=name,
            )
        ) from error


def _form(visit: Visit, problem: str = "", status: int = 200) -> Response:
    return visit.page(
        "buckets/create.html",
        status,
        problem=problem,
        given={name: visit.field(name) for name in _FIELDS},
        versioning=bool(visit.field("versioning")),
        lock=bool(visit.field("lock")),
        may_limit=visit.may("admin:SetBucketQuota"),
    )


ROUTES = [get(PATH, show), post(PATH, make)]
