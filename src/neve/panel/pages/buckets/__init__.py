"""Buckets: the list, making one, and everything that one is told."""

from neve.panel.pages.buckets import index
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (*index.ROUTES,)
