"""Searching the audit trail: who did what, and what was refused."""

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.client.xml import moment
from neve.panel.routing import get
from neve.panel.visit import Visit

FIELDS = ("user", "bucket", "key", "event", "decision", "since", "until", "text")
LIMIT = 100


def show(visit: Visit) -> Response:
    """The search, newest first, page by page."""
    asked = {name: visit.query(name).strip() for name in FIELDS}
    query = {name: value for name, value in asked.items() if value}
    for name in ("since", "until"):
        if len(query.get(name, "")) == len("2026-11-28T14:00"):  # as browsers' fields give it
            query[name] += ":00Z"
    if visit.query("marker"):
        query["marker"] = visit.query("marker")
    problem, found = "", {"entries": [], "next_marker": "", "kept": [], "log": False}
    try:
        found = visit.admin.call(
            "GET", "neve/audit", query | {"limit": str(LIMIT)}, doing="search the audit trail"
        )
    except ServerError as error:
        if error.denied:
            raise
        problem = visit.sentence(error)
    onward = {name: value for name, value in asked.items() if value}
    return visit.page(
        "running/audit.html",
        asked=asked,
        onward=onward,
        found=found,
        moment=moment,
        problem=problem,
    )


ROUTES = [get("/audit", show)]
