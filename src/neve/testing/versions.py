"""The conformance suite of catalogs, versions part: order, ids, walks, usage.

Mixed into `neve.testing.catalog.CatalogTests`. The oracle sorts everything; no catalog may.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from neve.catalog.catalog import Catalog, ListedVersion, ObjectRow, Transaction, VersionRow
from neve.names import prefix_end
from neve.testing.listing import SEEKS, TEXTS, object_row

KEYS = TEXTS.filter(bool)


def version_row(
    tree: int, key: str, rank: int, version: str, *, marker: bool = False
) -> VersionRow:
    """A version whose fields all differ from each other; a marker has neither ETag nor bytes."""
    row = object_row(tree, key, 0 if marker else rank, rank + 1000)._replace(
        version=version, owner=f"owner of {version}"
    )
    return VersionRow(rank, row._replace(etag="", blob=b"") if marker else row)


def listed(found: VersionRow) -> ListedVersion:
    """What a listing shows of it."""
    rank, row = found
    return ListedVersion(
        row.key, rank, row.version, row.size, row.etag, row.mtime_us, row.checksum, row.owner,
        row.meta,
    )  # fmt: skip


def put_all(catalog: Catalog, command: Callable[[Transaction], Any]) -> Any:
    result = catalog.transact([command])[0]
    if isinstance(result, Exception):
        raise result
    return result


def putting(row: VersionRow) -> Callable[[Transaction], None]:
    return lambda txn: txn.put_version(row)


def naive(
    current: list[ObjectRow], old: list[VersionRow], start: str, below: int, stop: str | None
) -> list[ListedVersion]:
    """The listing of everything, computed the slow way."""
    every = [(row.key.encode(), -(1 << 60), VersionRow(0, row)) for row in current]
    every += [(each.row.key.encode(), -each.rank, each) for each in old]
    chosen = [
        (key, place, found)
        for key, place, found in every
        if key >= start.encode()
        and (stop is None or key < stop.encode())
        and not (below and key == start.encode() and (not found.rank or found.rank >= below))
    ]
    return [listed(found) for _, _, found in sorted(chosen, key=lambda each: each[:2])]


class VersionTests:
    """Sentences of the protocol about versions."""

    def test_versions_are_put_replaced_and_removed_by_rank(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        rows = [version_row(7, "k", rank, f"v{rank}", marker=rank == 2) for rank in (1, 2, 3)]
        catalog.transact([putting(row) for row in rows])
        put_all(catalog, lambda txn: txn.put_version(version_row(8, "k", 9, "v2")))
        put_all(catalog, lambda txn: txn.put_version(version_row(7, "k\0", 9, "v2")))
        assert reader.versions(7, "k", 9) == rows[::-1]
        assert reader.versions(7, "k", 1) == rows[2:]
        assert reader.version(7, "k", "v2") == rows[1]
        assert reader.version(7, "k", "v9") is None
        assert reader.version(7, "k", "") is None
        assert reader.object(7, "k") is None
        assert reader.scan(7, "", None, 9) == []
        null = VersionRow(2, rows[1].row._replace(version=""))
        put_all(catalog, lambda txn: txn.put_version(null))
        assert reader.version(7, "k", "") == null
        assert reader.version(7, "k", "v2") is None
        put_all(catalog, lambda txn: txn.delete_version(7, "k", 2))
        put_all(catalog, lambda txn: txn.delete_version(7, "k", 99))
        assert reader.versions(7, "k", 9) == [rows[2], rows[0]]
        assert reader.object_trees() == [7, 8]

    def test_a_blob_is_replaced_wherever_its_version_stands(self, catalog: Catalog) -> None:
        def fill(txn: Transaction) -> None:
            txn.put_object(object_row(1, "k")._replace(blob=b"current"))
            for rank, blob in ((1, b"one"), (2, b"two")):
                row = version_row(1, "k", rank, f"v{rank}")
                txn.put_version(VersionRow(rank, row.row._replace(blob=blob)))

        put_all(catalog, fill)

        def replace(old: bytes, new: bytes) -> bool:
            done: bool = put_all(catalog, lambda txn: txn.replace_blob(1, "k", old, new))
            return done

        assert replace(b"two", b"moved")
        assert replace(b"current", b"moved too")
        assert not replace(b"two", b"x")
        reader = catalog.reader()
        assert [found.row.blob for found in reader.versions(1, "k", 9)] == [b"moved", b"one"]
        current = reader.object(1, "k")
        assert current is not None
        assert current.blob == b"moved too"

    def test_usage_counts_versions_and_markers_apart(self, catalog: Catalog) -> None:
        tree = put_all(catalog, lambda txn: txn.create_tree())
        put_all(catalog, lambda txn: txn.add_usage(tree, 1, 10))
        put_all(catalog, lambda txn: txn.add_usage(tree, 0, 5, 3, 2))
        put_all(catalog, lambda txn: txn.add_usage(tree, 0, 0, -1, -2))
        reader = catalog.reader()
        assert reader.usage(tree) == (1, 15)
        assert reader.version_usage(tree) == (2, 0)
        assert reader.version_usage(tree + 1) == (0, 0)

    def test_version_and_owner_of_an_object_are_kept(self, catalog: Catalog) -> None:
        row = object_row(1, "k")._replace(version="v", owner="o")
        put_all(catalog, lambda txn: txn.put_object(row))
        assert catalog.reader().object(1, "k") == row
        assert catalog.reader().objects(1, "", 9) == [row]

    def test_below_a_stop_before_the_start_there_is_no_version(self, catalog: Catalog) -> None:
        put_all(catalog, putting(version_row(1, "b", 2, "v")))
        assert len(catalog.reader().scan_versions(1, "b", 3, "c", 9)) == 1
        assert catalog.reader().scan_versions(1, "b", 3, "b", 9) == []
        assert catalog.reader().scan_versions(1, "b", 3, "a", 9) == []

    @SEEKS
    @given(
        keys=st.lists(st.tuples(KEYS, st.sets(st.integers(1, 9), max_size=3), st.booleans())),
        start=TEXTS,
        below=st.sampled_from((0, 0, 3, 5)),
        prefix=TEXTS,
        limit=st.integers(1, 5),
    )
    def test_versions_come_by_key_and_then_newest_first(
        self,
        catalog: Catalog,
        keys: list[tuple[str, set[int], bool]],
        start: str,
        below: int,
        prefix: str,
        limit: int,
    ) -> None:
        def command(txn: Transaction) -> tuple[int, list[ObjectRow], list[VersionRow]]:
            tree = txn.create_tree()
            by_key = {key: (ranks, visible) for key, ranks, visible in keys}
            old = [
                version_row(tree, key, rank, f"v{rank}", marker=rank % 2 == 0)
                for key, (ranks, _) in by_key.items()
                for rank in ranks
            ]
            current = [object_row(tree, k, 5, 100) for k, (_, there) in by_key.items() if there]
            for row in current:
                txn.put_object(row)
            for each in old:
                txn.put_version(each)
            return tree, current, old

        tree, current, old = put_all(catalog, command)
        reader = catalog.reader()
        stop = prefix_end(prefix)
        wanted = naive(current, old, start, below, stop)
        assert reader.scan_versions(tree, start, below, stop, 999) == wanted
        assert reader.scan_versions(tree, start, below, stop, limit) == wanted[:limit]
        only_old = naive([], old, start, below, None)
        assert [listed(f) for f in reader.all_versions(tree, start, below, 999)] == only_old
        assert [listed(f) for f in reader.all_versions(tree, start, below, limit)] == (
            only_old[:limit]
        )
