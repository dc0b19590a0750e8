"""The statements about usage by owner and by prefix, for `sqlite_rows`."""

from collections.abc import Callable
from typing import Any

from neve.catalog.catalog import PrefixRow

# Two statements: as one, of subqueries or a union, they take twice as long, and a group commit of a
# user with a quota asks once.
_WRITTEN = "SELECT sum(objects), sum(bytes) FROM owner_usage WHERE owner = ?"
# What is in the buckets of a principal, and what of it others wrote.
_IN_OWN_BUCKETS = """
SELECT sum(tree.objects + tree.versions), sum(tree.bytes),
  sum((SELECT sum(objects) FROM owner_usage WHERE tree = bucket.tree)),
  sum((SELECT sum(bytes) FROM owner_usage WHERE tree = bucket.tree))
FROM bucket JOIN tree ON tree.id = bucket.tree WHERE bucket.owner = ?"""


class UsageReads:
    """Counters as they are read."""

    __slots__ = ()
    _rows: Callable[..., list[Any]]
    _begin_read: Callable[[], None]
    _end_read: Callable[[], None]

    def owned(self, owner: str) -> tuple[int, int]:
        self._begin_read()
        try:
            written, size = self._rows(_WRITTEN, (owner,))[0]
            there, there_size, others, others_size = self._rows(_IN_OWN_BUCKETS, (owner,))[0]
        finally:
            self._end_read()
        return (
            (written or 0) + (there or 0) - (others or 0),
            (size or 0) + (there_size or 0) - (others_size or 0),
        )

    def owners(self, tree: int) -> list[tuple[str, int, int]]:
        return self._rows(
            "SELECT owner, objects, bytes FROM owner_usage"
            " WHERE tree = ? AND (objects <> 0 OR bytes <> 0) ORDER BY owner",
            (tree,),
        )

    def prefixes(self, tree: int) -> list[PrefixRow]:
        rows = self._rows(
            "SELECT tree, prefix, upto, objects, bytes FROM prefix_usage"
            " WHERE tree = ? ORDER BY prefix",
            (tree,),
        )
        return [PrefixRow._make(row) for row in rows]

    def uncounted_trees(self) -> list[int]:
        rows = self._rows(
            "SELECT DISTINCT tree FROM prefix_usage WHERE upto IS NOT NULL ORDER BY tree"
        )
        return [tree for (tree,) in rows]


class UsageWrites:
    """Counters as they are written."""

    __slots__ = ()
    _run: Callable[..., Any]

    def add_owned(self, tree: int, owner: str, objects: int, size: int) -> None:
        self._run(
            "INSERT INTO owner_usage VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET objects = objects + excluded.objects, bytes = bytes + excluded.bytes",
            (tree, owner, objects, size),
        )

    def put_prefix(self, row: PrefixRow) -> None:
        self._run("REPLACE INTO prefix_usage VALUES (?, ?, ?, ?, ?)", row)

    def delete_prefix(self, tree: int, prefix: str) -> None:
        self._run("DELETE FROM prefix_usage WHERE tree = ? AND prefix = ?", (tree, prefix))

    def delete_usage(self, tree: int) -> None:
        """Forget the counters by owner and by prefix of a tree."""
        self._run("DELETE FROM owner_usage WHERE tree = ?", (tree,))
        self._run("DELETE FROM prefix_usage WHERE tree = ?", (tree,))
