"""The pages, a module for each; a module declares its paths in `ROUTES`."""

from neve.panel.pages import buckets, login, objects, people, preferences, running
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *login.ROUTES,
    *preferences.ROUTES,
    *buckets.PAGES,
    *objects.PAGES,
    *people.PAGES,
    *running.PAGES,
)
