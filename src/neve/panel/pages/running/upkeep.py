"""Upkeep: jobs, processes, scrub and what it found, lifecycle, uploads in progress."""

from starlette.responses import Response

from neve.client.xml import moment
from neve.panel.routing import get
from neve.panel.visit import Visit


def show(visit: Visit) -> Response:
    """The page."""
    query = {"marker": visit.query("marker")} if visit.query("marker").isdigit() else {}
    found = visit.admin.call("GET", "neve/upkeep", query, doing="read the upkeep")
    return visit.page("running/upkeep.html", found=found, moment=moment, words=_words(visit))


def _words(visit: Visit) -> dict[str, str]:
    """What jobs do, by their names."""
    return {
        "checkpoint": visit._("brings the log into the catalog"),
        "collect": visit._("frees what was deleted"),
        "compact": visit._("packs what is left of segments"),
        "sweep-files": visit._("removes files that nothing refers to"),
        "abort-uploads": visit._("ends uploads that were left"),
        "count-prefixes": visit._("counts prefixes that have a quota"),
        "scrub": visit._("reads everything stored and compares its digests"),
        "lifecycle": visit._("does what lifecycle rules say"),
        "report": visit._("publishes figures"),
        "history": visit._("keeps the figures of the dashboard"),
    }


ROUTES = [get("/upkeep", show)]
