"""The part of the catalogs' conformance suite that is about counters by owner and by prefix."""

from collections.abc import Callable
from typing import Any

from neve.catalog.catalog import BucketRow, Catalog, PartRow, PrefixRow, Transaction


def _run(catalog: Catalog, *commands: Callable[[Transaction], Any]) -> list[Any]:
    results = catalog.transact(commands)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _bucket(name: str, owner: str) -> Callable[[Transaction], int]:
    def make(txn: Transaction) -> int:
        tree = txn.create_tree()
        txn.put_bucket(BucketRow(name, tree, owner, 1, "r", None, b""))
        return tree

    return make


def count_everything(txn: Transaction, tree: int) -> None:
    """Use every primitive that writes these counters."""
    txn.add_owned(tree, "you", 2, tree)
    txn.add_owned(tree, "you", -1, 0)
    for prefix in ("a/", "b/"):
        txn.put_prefix(PrefixRow(tree, prefix, None, 1, tree))
    txn.delete_prefix(tree, "b/")


class UsageTests:
    """Every sentence about `owned`, `owners`, `prefixes` and `uncounted_trees`."""

    def test_what_is_owned_sums_over_own_buckets_and_those_of_others(
        self, catalog: Catalog
    ) -> None:
        reader = catalog.reader()
        first, second, third = _run(
            catalog, _bucket("a", "me"), _bucket("b", "me"), _bucket("c", "you")
        )
        assert (reader.owned("me"), reader.owned("you"), reader.owners(first)) == ((0, 0),) * 2 + (
            [],
        )

        def count(txn: Transaction) -> None:
            txn.add_usage(first, 3, 30, 2, 1)
            txn.add_usage(second, 1, 5)
            txn.add_usage(third, 4, 400)
            txn.add_owned(first, "you", 2, 7)
            txn.add_owned(third, "me", 1, 100)
            txn.add_owned(first, "you", 1, 2)

        _run(catalog, count)
        # Noncurrent versions count, delete markers do not.
        assert reader.owned("me") == (5 + 1 - 3 + 1, 30 + 5 - 9 + 100)
        assert reader.owned("you") == (4 - 1 + 3, 400 - 100 + 9)
        assert reader.owned("nobody") == (0, 0)
        assert reader.owners(first) == [("you", 3, 9)]
        _run(catalog, lambda txn: txn.add_owned(first, "you", -3, -9))
        assert reader.owners(first) == []

    def test_a_tree_takes_its_counters_with_it(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        tree, other = _run(catalog, _bucket("a", "me"), _bucket("b", "me"))

        def count(txn: Transaction) -> None:
            for each in (tree, other):
                txn.add_owned(each, "you", 1, 1)
                txn.put_prefix(PrefixRow(each, "p", "p", 0, 0))
            txn.delete_bucket("a")
            txn.delete_tree(tree)

        _run(catalog, count)
        assert (reader.owners(tree), reader.prefixes(tree)) == ([], [])
        assert reader.owners(other) == [("you", 1, 1)]
        assert reader.uncounted_trees() == [other]

    def test_prefixes_are_put_replaced_and_removed(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        (tree,) = _run(catalog, _bucket("a", "me"))
        rows = [PrefixRow(tree, "a/", None, 1, 2), PrefixRow(tree, "b/", "b/c", 3, 4)]

        def put(txn: Transaction) -> None:
            for row in reversed(rows):
                txn.put_prefix(row)
            assert txn.prefixes(tree) == rows

        _run(catalog, put)
        assert reader.prefixes(tree) == rows
        assert reader.uncounted_trees() == [tree]
        _run(catalog, lambda txn: txn.put_prefix(rows[1]._replace(upto=None)))
        assert reader.uncounted_trees() == []
        _run(catalog, lambda txn: txn.delete_prefix(tree, "a/"))
        assert [row.prefix for row in reader.prefixes(tree)] == ["b/"]

    def test_bytes_of_parts_leave_one_number_out(self, catalog: Catalog) -> None:
        def put(txn: Transaction) -> None:
            for number in range(1, 4):
                txn.put_part(PartRow("u", number, 10**number, "e" * 32, 9, None, b"pieces"))

        _run(catalog, put)
        assert catalog.reader().parts_bytes("u", 2) == 1010
        assert catalog.reader().parts_bytes("u", 9) == 1110
        assert catalog.reader().parts_bytes("v", 1) == 0
