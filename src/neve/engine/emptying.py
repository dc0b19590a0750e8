"""Removing everything from a bucket, page by page: each page is one transaction, none sees it all.

Locked versions are the engine's to refuse, as always: the first refusal ends it.
"""

from typing import TYPE_CHECKING

from neve.engine.delete import Deletion
from neve.errors import DomainError

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.engine.engine import Engine

PAGE = 1000


async def empty_bucket(engine: "Engine", bucket: "Bucket") -> None:
    """Remove every version and delete marker for ever. Raises: ObjectLocked, StoreFault."""
    while True:
        page = engine.list_versions(bucket, "", "", "", None, PAGE)
        # Oldest first: so none takes the place of a newer one, only to go next.
        found = [entry[0] for entry in reversed(page.entries) if not isinstance(entry, str)]
        if not found:
            return
        deletions = [Deletion(each.key, version=each.version) for each in found]
        for result in await engine.delete_objects(bucket, deletions):
            if isinstance(result, DomainError):
                raise result
