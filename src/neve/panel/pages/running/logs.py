"""The last lines that the server's processes logged."""

from starlette.responses import Response

from neve.client.xml import moment
from neve.panel.routing import get
from neve.panel.visit import Visit

LEVELS = ("", "info", "warning", "error", "fatal")
LIMIT = 1000


def show(visit: Visit) -> Response:
    """The page, newest first."""
    asked = {name: visit.query(name).strip() for name in ("level", "process", "text")}
    if asked["level"] not in LEVELS:
        asked["level"] = ""
    query = {name: value for name, value in asked.items() if value} | {"limit": str(LIMIT)}
    found = visit.admin.call("GET", "neve/logs", query, doing="read the logs")
    return visit.page(
        "running/logs.html", asked=asked, lines=list(reversed(found["lines"])), levels=LEVELS,
        moment=moment,
    )  # fmt: skip


ROUTES = [get("/logs", show)]
