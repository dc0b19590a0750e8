"""Objects: what a bucket holds, page by page, and all that one may read of an object."""

from neve.panel.pages.objects import browse, details
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *browse.ROUTES,
    *details.ROUTES,
)
