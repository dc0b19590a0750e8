"""Buckets: the list, making one, and everything that one is told."""

from neve.panel.pages.buckets import (
    cors,
    create,
    index,
    lock,
    overview,
    quota,
    remove,
    tags,
    versioning,
)
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *index.ROUTES,
    *create.ROUTES,
    *overview.ROUTES,
    *quota.ROUTES,
    *versioning.ROUTES,
    *lock.ROUTES,
    *cors.ROUTES,
    *tags.ROUTES,
    *remove.ROUTES,
)
