"""The conformance suite of catalogs, listing part: order, ranges, common prefixes.

Mixed into `neve.testing.catalog.CatalogTests`. The oracle works on bytes only, so that it shares no
idea with the implementations.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from neve.catalog.catalog import Catalog, ListRow, ObjectRow, Reader, Transaction

EDGES = "\0\x01\x7fé\ud7ff\ue000\uffff\U00010000\U0010ffff"
"""Where orders differ: NUL, ASCII's end, around the surrogates, the planes, the last character."""

TEXTS = st.text(st.sampled_from("ab/" + EDGES), max_size=5) | st.text("ab/", max_size=7)
SEEKS = settings(
    max_examples=120,
    deadline=None,
    # Every example has a tree of its own, and every implementation runs the same test.
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
    ],
)


def object_row(tree: int, key: str, size: int = 1, seq: int = 1) -> ObjectRow:
    """A row whose fields all differ from each other."""
    return ObjectRow(tree, key, seq, size, f"{size:032x}", 7, b"m", "crc32;x", b"blob")


def list_row(key: str, size: int = 1) -> ListRow:
    """What a listing shows of `object_row(…)`."""
    return key, size, f"{size:032x}", 7, "crc32;x"


def fill(catalog: Catalog, keys: Iterable[str]) -> int:
    """Return a new tree that holds `keys`, put in no particular order."""

    def command(txn: Transaction) -> int:
        tree = txn.create_tree()
        for key in set(keys):
            txn.put_object(object_row(tree, key))
        return tree

    tree = catalog.transact([command])[0]
    assert isinstance(tree, int)
    return tree


def naive(keys: Iterable[str], prefix: str, delimiter: str, start: str) -> list[ListRow | str]:
    """The entries of a listing, computed the slow way."""
    entries: list[ListRow | str] = []
    for raw in sorted({key.encode() for key in keys}):
        if raw < start.encode() or not raw.startswith(prefix.encode()):
            continue
        cut = raw.find(delimiter.encode(), len(prefix.encode()))
        if cut < 0:
            entries.append(list_row(raw.decode()))
        elif (common := raw[: cut + len(delimiter.encode())].decode()) not in entries:
            entries.append(common)
    return entries


class ListingTests:
    """Needs a fixture `catalog`."""

    def _everywhere(self, catalog: Catalog, read: Callable[[Reader], Any]) -> list[Any]:
        """Results of a read outside and inside a transaction."""
        return [read(catalog.reader()), catalog.transact([read])[0]]

    def test_keys_order_by_their_utf8_bytes(self, catalog: Catalog) -> None:
        keys = ["", *EDGES, "a", "aa", "a\0", "a\U0010ffff", "Z", "ａ"][1:]
        tree = fill(catalog, keys)
        wanted = [list_row(key) for key in sorted(keys, key=str.encode)]
        for rows in self._everywhere(catalog, lambda r: r.scan(tree, "", None, 100)):
            assert rows == wanted
        objects = catalog.reader().objects(tree, "", 100)
        assert [row.key for row in objects] == [row[0] for row in wanted]

    @SEEKS
    @given(st.lists(TEXTS, max_size=30), TEXTS, st.none() | TEXTS, st.integers(1, 40))
    def test_scan_gives_start_to_stop_up_to_limit(
        self, catalog: Catalog, keys: list[str], start: str, stop: str | None, limit: int
    ) -> None:
        tree = fill(catalog, keys)
        raws = sorted({key.encode() for key in keys})
        within = [r for r in raws if r >= start.encode() and (stop is None or r < stop.encode())]
        wanted = [list_row(raw.decode()) for raw in within[:limit]]
        for rows in self._everywhere(catalog, lambda r: r.scan(tree, start, stop, limit)):
            assert rows == wanted

    @SEEKS
    @given(st.lists(TEXTS, max_size=40), TEXTS, TEXTS.filter(bool), TEXTS, st.integers(1, 50))
    @example(["\U0010ffff\U0010ffffa", "\U0010ffff"], "\U0010ffff", "\U0010ffff", "", 9)
    @example([f"a\0/{n}" for n in range(20)] + ["a\0b", "a\x01"], "a\0", "/", "", 9)
    @example([f"a\ud7ff{n}" for n in range(20)] + ["a\ue000"], "", "\ud7ff", "", 9)
    @example([f"\U0010ffff{n}" for n in range(20)], "", "\U0010ffff", "", 9)
    @example(["a" * n for n in range(1, 20)], "a", "aa", "aaaa", 9)
    def test_scan_delimited_agrees_with_the_naive_listing(
        self,
        catalog: Catalog,
        keys: list[str],
        prefix: str,
        delimiter: str,
        start: str,
        limit: int,
    ) -> None:
        tree = fill(catalog, keys)
        wanted = naive(keys, prefix, delimiter, start)[:limit]
        for rows in self._everywhere(
            catalog, lambda r: r.scan_delimited(tree, prefix, delimiter, start, limit)
        ):
            assert rows == wanted

    @pytest.mark.parametrize("prefix", ["p", "p\0", "\U0010fffe"])
    @pytest.mark.parametrize("delimiter", ["/", "0/", "\U0010ffff"])
    @pytest.mark.parametrize("below", [1, 4, 20])
    def test_scan_delimited_of_deep_and_flat_parts_in_turn(
        self, catalog: Catalog, prefix: str, delimiter: str, below: int
    ) -> None:
        keys = []
        for place in range(0, 40, 2):
            keys += [f"{prefix}\0{place:02}{delimiter}{leaf:03}" for leaf in range(below)]
            plain = f"{prefix}\0{place + 1:02}"
            keys += [plain + "-\0"[place % 4 // 2] * length for length in range(place % 11)]
        tree = fill(catalog, [*keys, "o", "q"])
        wanted = naive(keys, prefix, delimiter, "")
        reader = catalog.reader()
        for limit in (1, 2, 7, len(wanted) - 1, len(wanted), 1000):
            rows = reader.scan_delimited(tree, prefix, delimiter, "", limit)
            assert rows == wanted[:limit]
        for start in keys[:: max(1, len(keys) // 20)]:
            rows = reader.scan_delimited(tree, prefix, delimiter, start, 1000)
            assert rows == naive(keys, prefix, delimiter, start)

    def test_scan_delimited_lists_a_key_equal_to_the_prefix(self, catalog: Catalog) -> None:
        tree = fill(catalog, ["a/", "a/b", "a//", "a//c", "a"])
        rows = catalog.reader().scan_delimited(tree, "a/", "/", "", 10)
        assert rows == [list_row("a/"), "a//", list_row("a/b")]

    def test_a_common_prefix_counts_as_from_start_on_when_a_key_below_is(
        self, catalog: Catalog
    ) -> None:
        tree = fill(catalog, ["a/1", "a/2", "b"])
        reader = catalog.reader()
        assert reader.scan_delimited(tree, "", "/", "a/2", 10) == ["a/", list_row("b")]
        assert reader.scan_delimited(tree, "", "/", "a/3", 10) == [list_row("b")]

    def test_trees_do_not_mix(self, catalog: Catalog) -> None:
        first, second = fill(catalog, ["a/1", "b", "z"]), fill(catalog, ["a/2", "c"])
        reader = catalog.reader()
        assert reader.scan(first, "", None, 9) == [list_row(k) for k in ("a/1", "b", "z")]
        assert reader.scan_delimited(second, "", "/", "", 9) == ["a/", list_row("c")]
        assert reader.scan_delimited(first, "", "/", "", 9) == ["a/", list_row("b"), list_row("z")]
        assert reader.object(second, "b") is None
        assert [row.key for row in reader.objects(first, "b", 9)] == ["b", "z"]

    def test_objects_gives_whole_rows_from_start_up_to_limit(self, catalog: Catalog) -> None:
        tree = fill(catalog, "abcd")
        rows = catalog.reader().objects(tree, "b", 2)
        assert rows == [object_row(tree, "b"), object_row(tree, "c")]
        assert type(rows[0]) is ObjectRow
