"""Objects: what a bucket holds, page by page, and all that one may read of an object."""

from neve.panel.pages.objects import (
    archive,
    browse,
    change,
    details,
    folder,
    move,
    preview,
    remove,
    share,
    snippets,
    store,
    tasks,
    undo,
    upload,
    versions,
)
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *archive.ROUTES,
    *browse.ROUTES,
    *change.ROUTES,
    *details.ROUTES,
    *folder.ROUTES,
    *move.ROUTES,
    *preview.ROUTES,
    *remove.ROUTES,
    *share.ROUTES,
    *snippets.ROUTES,
    *store.ROUTES,
    *tasks.ROUTES,
    *undo.ROUTES,
    *upload.ROUTES,
    *versions.ROUTES,
)
