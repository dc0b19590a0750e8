"""Removing everything from a bucket, page by page: each page is one transaction, none sees it all.

Locked versions are the engine's to refuse, as always: the first refusal ends it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from neve.engine.delete import Deletion
from neve.errors import DomainError

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.engine.engine import Engine

PAGE = 1000


async def empty_bucket(
    engine: "Engine", bucket: "Bucket", check: Callable[[str, str | None], None]
) -> None:
    """Remove every version and delete marker for ever.

    `check` is asked of key and version before a page of them goes, and raises to end it.
    Raises: ObjectLocked, StoreFault.
    """
    while True:
        page = engine.list_versions(bucket, "", "", "", None, PAGE)
        # Oldest first: so none takes the place of a newer one, only to go next.
        found = [entry[0] for entry in reversed(page.entries) if not isinstance(entry, str)]
        if not found:
            return
        for each in found:
            check(each.key, each.version)
        deletions = [Deletion(each.key, version=each.version) for each in found]
        for result in await engine.delete_objects(bucket, deletions):
            if isinstance(result, DomainError):
                raise result
