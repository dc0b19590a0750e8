"""The statements about usage by owner and by prefix, for `sqlite_rows`."""

from collections.abc import Callable
from typing import Any

from neve.catalog.catalog import PrefixRow

# What the principal wrote into buckets of others; and of its own buckets what no other wrote.
_OWNED = """
SELECT coalesce(sum(objects), 0), coalesce(sum(bytes), 0) FROM (
  SELECT objects, bytes FROM owner_usage WHERE owner = ?1
  UNION ALL
  SELECT tree.objects + tree.versions, tree.bytes
    FROM bucket JOIN tree ON tree.id = bucket.tree WHERE bucket.owner = ?1
  UNION ALL
  SELECT -other.objects, -other.bytes
    FROM bucket JOIN owner_usage AS other ON other.tree = bucket.tree WHERE bucket.owner = ?1)"""


class UsageReads:
    """Counters as they are read."""

    __slots__ = ()
    _rows: Callable[..., list[Any]]

    def owned(self, owner: str) -> tuple[int, int]:
        found: tuple[int, int] = self._rows(_OWNED, (owner,))[0]
        return found

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
