"""Rows that are kept between reads: when they are given again, and what they may take."""

import pytest

from neve.catalog.catalog import ObjectRow, Reader
from neve.catalog.memory import MemoryCatalog
from neve.engine import rows as module
from neve.engine.rows import Found, Rows
from neve.testing.catalog import call


class Counting:
    """A reader that counts what is really read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.reads = 0
        self.state = reader.state

    def object(self, tree: int, key: str) -> ObjectRow | None:
        self.reads += 1
        return self._reader.object(tree, key)


class Fixture:
    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.reader = Counting(self.catalog.reader())
        self.rows = Rows(self.reader)  # type: ignore[arg-type]

    def put(self, key: str, seq: int) -> None:
        row = ObjectRow(1, key, seq, 5, "e", 1, b"", None, b"blob")
        call(self.catalog, "put_object", row)

    def find(self, key: str) -> Found:
        found = self.rows.find(1, key)
        assert found is not None
        return found


@pytest.fixture
def store() -> Fixture:
    return Fixture()


def test_a_row_is_read_once_while_nothing_is_committed(store: Fixture) -> None:
    store.put("k", 1)
    found = store.find("k")
    assert store.find("k") is found
    assert store.reader.reads == 1


def test_an_overwrite_shows_at_once_and_takes_what_was_derived_with_it(store: Fixture) -> None:
    store.put("k", 1)
    old = store.find("k")
    store.rows.keep_data(old, b"12345")
    old.shown = "old"
    store.put("k", 2)
    new = store.find("k")
    assert (new.row.seq, new.data, new.shown) == (2, None, None)


def test_what_was_derived_outlives_commits_elsewhere(store: Fixture) -> None:
    store.put("k", 1)
    found = store.find("k")
    store.rows.keep_data(found, b"12345")
    store.put("other", 1)
    assert store.find("k") is found
    assert store.find("k").data == b"12345"
    assert store.reader.reads == 2


def test_a_deleted_object_is_gone_at_once_and_absence_is_not_kept(store: Fixture) -> None:
    store.put("k", 1)
    store.find("k")
    call(store.catalog, "delete_object", 1, "k")
    assert store.rows.find(1, "k") is None
    store.put("k", 3)
    assert store.find("k").row.seq == 3


def test_nothing_is_kept_when_commits_cannot_be_told(store: Fixture) -> None:
    store.reader.state = lambda: None
    store.put("k", 1)
    assert store.find("k") is not store.find("k")


def test_rows_and_bytes_are_bounded(store: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", 10)
    monkeypatch.setattr(module, "DATA_TOTAL_BYTES_MAX", 12)
    for number in range(25):
        store.put(f"k{number}", 1)
    for number in range(25):
        store.find(f"k{number}")
        assert len(store.rows._found) <= 10
    for number in range(20, 25):
        store.rows.keep_data(store.find(f"k{number}"), b"12345")
    kept = [found for found in store.rows._found.values() if found.data is not None]
    assert len(kept) == 2
    # Room that an overwritten object gives back is used again.
    store.put(kept[0].row.key, 2)
    store.find(kept[0].row.key)
    store.rows.keep_data(store.find("k24"), b"12345")
    assert store.find("k24").data == b"12345"


def test_large_objects_do_not_keep_their_bytes(store: Fixture) -> None:
    store.put("k", 1)
    found = store.find("k")
    store.rows.keep_data(found, bytes(module.DATA_BYTES_MAX + 1))
    assert found.data is None
