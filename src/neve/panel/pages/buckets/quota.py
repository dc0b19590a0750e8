"""How much a bucket may hold: in all, and under prefixes."""

from starlette.responses import Response

from neve.client import buckets
from neve.panel.pages.buckets._forms import (
    PROBLEMS,
    Wrong,
    limits_in,
    prefix_in,
    reason,
    shown_size,
)
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/quota"


def show(visit: Visit) -> Response:
    """Limits, what is used of them, and the forms for who may set them."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Set the bucket's limits, or those of a prefix, or take a prefix out."""
    bucket = bucket_of(visit)
    what = visit.field("what")
    try:
        limits, prefixes = buckets.quota(visit.s3, bucket)
        if what == "forget":
            prefixes.pop(_prefix(visit), None)
        elif what == "prefix":
            prefixes[_prefix(visit)] = limits_in(visit)
        else:
            limits = limits_in(visit)
        buckets.set_quota(visit.s3, bucket, limits, prefixes)
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The quota was set."))
    return visit.go(path_of(bucket, "quota"))


def _prefix(visit: Visit) -> str:
    """Raises: Wrong."""
    prefix = prefix_in(visit)
    if not prefix:
        raise Wrong(visit._("Say which prefix."))
    return prefix


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    usage, _ = buckets.usage(visit.s3, bucket)
    may_set = visit.may("admin:SetBucketQuota")
    names = ("bytes", "objects", "soft", "prefix")
    given = {name: visit.field(name) for name in names} if problem else {}
    return page(
        visit, "quota", problem=problem, status=status,
        usage=usage,
        given=given, size_text=shown_size, of_prefix=visit.field("what") == "prefix",
        may_set=may_set, has_store=may_set and buckets.store_quotas(visit.s3) is not None,
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, change)]
