"""The list of buckets: sorted by any column, filtered by name."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from neve.client import buckets
from neve.client.buckets import Row
from neve.client.errors import ServerError
from neve.panel.routing import get
from neve.panel.visit import Visit

_ORDERS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name,
    "objects": lambda row: row.usage.objects if row.usage else -1,
    "bytes": lambda row: row.usage.bytes if row.usage else -1,
    "quota": lambda row: (row.usage.percent if row.usage else None) or -1,
    "owner": lambda row: row.owner,
    "versioning": lambda row: row.versioning,
    "lock": lambda row: row.lock,
    "public": lambda row: row.open,
    "created": lambda row: row.created,
}


def show(visit: Visit) -> Response:
    """Every bucket that the visitor may see."""
    every = _rows(visit)
    wanted = visit.query("q").strip().lower()
    sort = visit.query("sort") if visit.query("sort") in _ORDERS else "name"
    down = visit.query("order") == "down"
    found = sorted((row for row in every if wanted in row.name), key=_ORDERS[sort], reverse=down)
    return visit.page(
        "buckets/index.html",
        buckets=found,
        all=len(every),
        wanted=visit.query("q"),
        sort=sort,
        down=down,
        may_make=visit.may("s3:CreateBucket", "any"),
    )


def _rows(visit: Visit) -> list[Row]:
    try:
        return list(buckets.rows(visit.s3))
    except ServerError as error:
        # Who may see none gets the page that says so.
        if error.denied:
            return []
        raise


def home(visit: Visit) -> Response:
    """Where one begins."""
    return visit.go("/buckets" if visit.session else "/login")


ROUTES = [get("/", home, public=True), get("/buckets", show)]
