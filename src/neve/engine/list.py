"""Listing a bucket: one page of keys, or of versions, and common prefixes.

Both come straight from the catalog's order: nothing is sorted, and a page costs what it shows.
"""

from typing import NamedTuple

from neve.catalog.catalog import ListedVersion, ListRow, Reader
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


class VersionPage(NamedTuple):
    """A page of a listing of versions, by key and then newest first."""

    entries: list[tuple[ListedVersion, bool] | str]
    """(version, whether it is the newest of its key); a plain text is a common prefix."""
    truncated: bool


_SCAN_ROWS = 64
"""Rows that a delimited listing reads ahead: it seeks past a common prefix of more than these."""


def version_page(
    reader: Reader,
    tree: int,
    prefix: str,
    delimiter: str,
    key_after: str,
    version_after: str | None,
    limit: int,
) -> VersionPage:
    """At most `limit` entries under `prefix` that come after the version (None: every version) of
    `key_after`. A version that is no longer there means: from the first of its key on.

    When `key_after` is itself a common prefix, everything below it is passed over.
    """
    if limit <= 0:
        return VersionPage([], False)
    with reader.snapshot():
        start, below = prefix, 0
        if key_after and key_after >= prefix:
            following: str | None
            if version_after is None:
                following = _following(prefix, delimiter, key_after)
                if following is None:
                    return VersionPage([], False)
                start = following
            else:
                start, below = key_after, _rank_of(reader, tree, key_after, version_after)
        walk = _Versions(reader, tree, prefix, delimiter, limit + 1)
        walk.run(start, below)
    truncated = len(walk.entries) > limit
    return VersionPage(walk.entries[:limit], truncated)


def _rank_of(reader: Reader, tree: int, key: str, version: str) -> int:
    """What the ranks of the versions after this one are below; 0: all of the key."""
    current = reader.object(tree, key)
    if current is not None and current.version == version:
        return current.seq
    found = reader.version(tree, key, version)
    return found.rank if found is not None else 0


class _Versions:
    """One page of versions, read ahead row by row and seeking past common prefixes."""

    def __init__(self, reader: Reader, tree: int, prefix: str, delimiter: str, limit: int) -> None:
        self._reader = reader
        self._tree = tree
        self._prefix = prefix
        self._delimiter = delimiter
        self._limit = limit
        self._stop = prefix_end(prefix)
        self.entries: list[tuple[ListedVersion, bool] | str] = []

    def run(self, start: str, below: int) -> None:
        at: tuple[str, int] | None = (start, below)
        # A key that the last page ended in has shown its newest version there.
        last_key = start if below else None
        while at is not None and len(self.entries) < self._limit:
            at, last_key = self._read(*at, last_key)

    def _read(
        self, start: str, below: int, last_key: str | None
    ) -> tuple[tuple[str, int] | None, str | None]:
        """Take one batch of rows; return where to go on (None: nowhere) and the last key taken."""
        wanted = self._limit - len(self.entries)
        if self._delimiter:
            wanted = min(wanted, _SCAN_ROWS)
        rows = self._reader.scan_versions(self._tree, start, below, self._stop, wanted)
        common = ""
        for row in rows:
            key = row.key
            if common and key.startswith(common):
                continue
            common = self._common(key)
            if common:
                self.entries.append(common)
            else:
                self.entries.append((row, key != last_key))
                last_key = key
        if len(rows) < wanted:
            return None, last_key
        if common:
            following = prefix_end(common)
            return (following, 0) if following is not None else None, last_key
        last = rows[-1]
        if last.rank:
            return (last.key, last.rank), last_key
        return (last.key, self._seq_of(last.key)), last_key

    def _common(self, key: str) -> str:
        """The common prefix of the key; empty when it has none."""
        if not self._delimiter:
            return ""
        cut = key.find(self._delimiter, len(self._prefix))
        return "" if cut < 0 else key[: cut + len(self._delimiter)]

    def _seq_of(self, key: str) -> int:
        current = self._reader.object(self._tree, key)
        assert current is not None, "inside one snapshot it stays"
        return current.seq
