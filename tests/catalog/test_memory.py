"""MemoryCatalog: the conformance suite, and that it watches over the contract."""

from pathlib import Path

import pytest

from neve.catalog.catalog import Transaction
from neve.catalog.memory import MemoryCatalog
from neve.errors import NoSuchKey
from neve.testing.catalog import CatalogTests, dump, run, write_everything


class TestMemoryCatalog(CatalogTests):
    def open(self, path: Path) -> MemoryCatalog:
        return MemoryCatalog()

    def open_backup(self, path: Path) -> MemoryCatalog:
        return MemoryCatalog.restore(str(path))


def test_a_refused_command_that_wrote_is_caught_and_rolled_back() -> None:
    catalog = MemoryCatalog()
    run(catalog, write_everything)
    before = dump(catalog.reader())

    def write_and_refuse(txn: Transaction) -> None:
        txn.put_setting("name", b"changed")
        raise NoSuchKey()

    with pytest.raises(AssertionError, match="must not have written"):
        catalog.transact([write_and_refuse])
    assert dump(catalog.reader()) == before


def test_a_second_caller_is_caught() -> None:
    catalog = MemoryCatalog()
    with pytest.raises(AssertionError, match="one caller"):
        catalog.transact([lambda txn: catalog.transact([])])
    assert catalog.transact([lambda txn: 1]) == [1]


def test_a_tree_with_objects_is_not_deleted() -> None:
    catalog = MemoryCatalog()
    tree = run(catalog, write_everything)
    with pytest.raises(AssertionError, match="still holds"):
        run(catalog, lambda txn: txn.delete_tree(tree))
