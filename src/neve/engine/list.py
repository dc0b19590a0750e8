"""Listing a bucket: one page of keys and common prefixes, straight from the catalog's order."""

from typing import NamedTuple

from neve.catalog.catalog import ListRow, Reader
from neve.names import prefix_end


class Page(NamedTuple):
    """A page of a listing, in key order."""

    entries: list[ListRow | str]
    """Rows of keys; a plain text is a common prefix."""
    truncated: bool
    last: str
    """The key or common prefix to continue after; empty when there is no entry."""


def list_page(
    reader: Reader, tree: int, prefix: str, delimiter: str, after: str, limit: int
) -> Page:
    """At most `limit` entries under `prefix` that come after `after` (exclusive).

    When `after` is itself a common prefix, everything below it is passed over. When it lies below
    one, that common prefix is still listed if a later key is in it, as S3 does.
    """
    if limit <= 0:
        return Page([], False, "")
    start = prefix
    if after and after >= prefix:
        following = _following(prefix, delimiter, after)
        if following is None:
            return Page([], False, "")
        start = following
    found: list[ListRow | str]
    if delimiter:
        found = reader.scan_delimited(tree, prefix, delimiter, start, limit + 1)
    else:
        found = list(reader.scan(tree, start, prefix_end(prefix), limit + 1))
    truncated = len(found) > limit
    if truncated:
        found.pop()
    last = ""
    if found:
        tail = found[-1]
        last = tail if isinstance(tail, str) else tail[0]
    return Page(found, truncated, last)


def _following(prefix: str, delimiter: str, after: str) -> str | None:
    """The first key that a listing after `after` may show."""
    if delimiter and after.startswith(prefix):
        cut = after.find(delimiter, len(prefix))
        if cut >= 0 and cut + len(delimiter) == len(after):
            return prefix_end(after)
    return after + "\0"
