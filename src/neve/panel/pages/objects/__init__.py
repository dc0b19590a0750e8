"""Objects: what a bucket holds, page by page, and all that one may read of an object."""

from neve.panel.pages.objects import (
    archive,
    browse,
    details,
    preview,
    remove,
    store,
    tasks,
    undo,
    upload,
)
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *archive.ROUTES,
    *browse.ROUTES,
    *details.ROUTES,
    *preview.ROUTES,
    *remove.ROUTES,
    *store.ROUTES,
    *tasks.ROUTES,
    *undo.ROUTES,
    *upload.ROUTES,
)
