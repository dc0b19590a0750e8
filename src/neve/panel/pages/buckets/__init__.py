"""Buckets: the list, making one, and everything that one is told."""

from neve.panel.pages.buckets import (
    access,
    cors,
    create,
    index,
    lifecycle,
    lock,
    more,
    overview,
    quota,
    remove,
    store_quotas,
    tags,
    uploads,
    versioning,
)
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *index.ROUTES,
    *create.ROUTES,
    *store_quotas.ROUTES,
    *overview.ROUTES,
    *access.ROUTES,
    *quota.ROUTES,
    *versioning.ROUTES,
    *lifecycle.ROUTES,
    *lock.ROUTES,
    *cors.ROUTES,
    *tags.ROUTES,
    *more.ROUTES,
    *uploads.ROUTES,
    *remove.ROUTES,
)
