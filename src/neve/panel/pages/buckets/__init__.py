"""Buckets: the list, making one, and everything that one is told."""

from neve.panel.pages.buckets import create, index, overview
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *index.ROUTES,
    *create.ROUTES,
    *overview.ROUTES,
)
