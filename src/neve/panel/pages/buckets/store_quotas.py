"""Quotas that are of no one bucket: those of users, and what new buckets begin with."""

from starlette.responses import Response

from neve.client import buckets
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, limits_in, reason, shown_size
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit

PATH = "/buckets/_quotas"
"""No bucket can be called so."""


def show(visit: Visit) -> Response:
    """The limits, with what is used of them."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Set the limits of a user or of new buckets, or take them away."""
    what, name = visit.field("what"), visit.field("name")
    try:
        if what == "default":
            buckets.set_default_quota(visit.s3, limits_in(visit))
        elif not name:
            raise Wrong(visit._("Say who."))
        else:
            wanted = buckets.Limits() if what == "forget" else limits_in(visit)
            buckets.set_user_quota(visit.s3, name, wanted)
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The quota was set."))
    return visit.go(PATH)


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    found = buckets.store_quotas(visit.s3)
    if found is None:
        raise Refused(403, visit._("These quotas are seen and set by root alone."))
    names = ("bytes", "objects", "soft", "name")
    return visit.page(
        "buckets/store_quotas.html", status, problem=problem, users=found.users,
        default=found.default, size_text=shown_size, of_user=visit.field("what") == "user",
        given={name: visit.field(name) for name in names} if problem else {},
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, change)]
