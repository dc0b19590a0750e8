"""The list of buckets."""

from starlette.responses import Response

from neve.panel.routing import get
from neve.panel.visit import Visit


def show(visit: Visit) -> Response:
    """Every bucket that the visitor may see."""
    return visit.page("buckets/index.html", buckets=list(visit.s3.buckets()))


def home(visit: Visit) -> Response:
    """Where one begins."""
    return visit.go("/buckets" if visit.session else "/login")


ROUTES = [get("/", home, public=True), get("/buckets", show)]
