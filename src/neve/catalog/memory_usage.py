"""Usage by owner and by prefix, for `memory`."""

from collections.abc import Callable
from typing import Any

from neve.catalog.catalog import PrefixRow


class UsageReads:
    """Counters as they are read."""

    _sorted: Callable[[str], list[Any]]

    def owned(self, owner: str) -> tuple[int, int]:
        trees = dict(self._sorted("tree"))
        own = {row.tree for _, row in self._sorted("bucket") if row.owner == owner}
        objects = size = 0
        for tree in own:
            counted = trees[tree]
            objects += counted[0] + counted[2]
            size += counted[1]
        for (tree, other), counted in self._sorted("owner_usage"):
            for holds, sign in ((other == owner, 1), (tree in own, -1)):
                objects += sign * holds * counted[0]
                size += sign * holds * counted[1]
        return objects, size

    def owners(self, tree: int) -> list[tuple[str, int, int]]:
        rows = self._sorted("owner_usage")
        return [(key[1], *counted) for key, counted in rows if key[0] == tree and any(counted)]

    def prefixes(self, tree: int) -> list[PrefixRow]:
        return [row for key, row in self._sorted("prefix_usage") if key[0] == tree]

    def uncounted_trees(self) -> list[int]:
        rows = self._sorted("prefix_usage")
        return sorted({tree for (tree, _), row in rows if row.upto is not None})


class UsageWrites:
    """Counters as they are written."""

    _get: Callable[[str, Any], Any]
    _set: Callable[..., None]
    _sorted: Callable[[str], list[Any]]

    def add_owned(self, tree: int, owner: str, objects: int, size: int) -> None:
        before = self._get("owner_usage", (tree, owner)) or (0, 0)
        self._set("owner_usage", (tree, owner), (before[0] + objects, before[1] + size))

    def put_prefix(self, row: PrefixRow) -> None:
        self._set("prefix_usage", (row.tree, row.prefix), row)

    def delete_prefix(self, tree: int, prefix: str) -> None:
        self._set("prefix_usage", (tree, prefix))

    def delete_usage(self, tree: int) -> None:
        """Forget the counters by owner and by prefix of a tree."""
        for table in ("owner_usage", "prefix_usage"):
            for key, _ in self._sorted(table):
                if key[0] == tree:
                    self._set(table, key)
