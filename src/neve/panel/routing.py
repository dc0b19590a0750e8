"""How pages are declared: `ROUTES = [get("/buckets", show), post("/buckets/new", make)]`.

A handler is a plain function of a `Visit` that may block. Before it runs, what it needs is checked:
a login (unless `public`), and for everything but GET that the request comes from a page of ours.
"""

from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

from neve.panel.visit import Visit

Handler = Callable[[Visit], Response]
FORM_BYTES_MAX = 1 << 20


class Page(NamedTuple):
    """One path and method."""

    method: str
    path: str
    handler: Handler
    public: bool
    """Whether nobody needs to be logged in."""
    bytes_max: int
    """Of the body."""


def get(path: str, handler: Handler, public: bool = False) -> Page:
    """A page that is read; it changes nothing."""
    return Page("GET", path, handler, public, 0)


def post(
    path: str, handler: Handler, public: bool = False, bytes_max: int = FORM_BYTES_MAX
) -> Page:
    """A form that does something. Its body is a form, or JSON that scripts send (`visit.form`)."""
    return Page("POST", path, handler, public, bytes_max)
