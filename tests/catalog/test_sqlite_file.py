"""The file of SqliteCatalog: its format, migrations and backups."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from neve.catalog import format as catalog_format
from neve.catalog import sqlite
from neve.catalog.sqlite import SqliteCatalog
from neve.errors import StoreFault, StoreRefused
from neve.testing.catalog import dump, run, write_everything, writing
from neve.testing.listing import fill, object_row


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "catalog.db")


@pytest.fixture
def catalog(path: str) -> Iterator[SqliteCatalog]:
    catalog = SqliteCatalog(path, create=True)
    yield catalog
    catalog.close()


class TestFormat:
    def test_is_marked_as_ours(self, catalog: SqliteCatalog, path: str) -> None:
        assert catalog._writer.pragma("application_id") == catalog_format.APPLICATION_ID
        assert catalog._writer.pragma("user_version") == len(catalog_format.steps())
        catalog.checkpoint(truncate=True)
        assert Path(path).read_bytes()[68:72] == b"NEVE"

    def test_absent_is_refused_unless_creating(self, path: str) -> None:
        for readonly in (False, True):
            with pytest.raises(StoreRefused, match="no catalog at"):
                SqliteCatalog(path, readonly=readonly)
        assert not os.path.exists(path)

    def test_a_folder_that_does_not_exist_is_refused(self, path: str) -> None:
        with pytest.raises(StoreRefused, match="cannot be opened"):
            SqliteCatalog(path + "/no/such", create=True)

    def test_newer_is_refused(self, path: str) -> None:
        catalog = SqliteCatalog(path, create=True)
        catalog._writer.pragma("user_version", 99)
        catalog.close()
        for arguments in ({}, {"create": True}, {"readonly": True}):
            with pytest.raises(
                StoreRefused, match=r"written by a newer Neve \(format 99, this one knows \d+\)"
            ):
                SqliteCatalog(path, **arguments)

    def test_another_programs_file_is_refused_and_left_alone(self, path: str) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        before = Path(path).read_bytes()
        with pytest.raises(StoreRefused, match="another program"):
            SqliteCatalog(path, create=True)
        assert Path(path).read_bytes() == before

    def test_what_is_no_database_is_refused_and_left_alone(self, path: str) -> None:
        Path(path).write_bytes(b"my thesis\n" * 1000)
        with pytest.raises(StoreRefused, match="no SQLite file"):
            SqliteCatalog(path, create=True)
        assert Path(path).read_bytes() == b"my thesis\n" * 1000

    def test_an_empty_file_becomes_a_catalog_only_when_creating(self, path: str) -> None:
        Path(path).touch()
        with pytest.raises(StoreRefused, match="is empty"):
            SqliteCatalog(path)
        catalog = SqliteCatalog(path, create=True)
        run(catalog, write_everything)
        catalog.close()

    def test_a_migration_is_all_or_nothing_and_goes_on(
        self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        catalog = SqliteCatalog(path, create=True)
        run(catalog, write_everything)
        before = dump(catalog.reader())
        catalog.close()
        newest = catalog_format.steps()[-1][0]
        good, bad = tmp_path / "good.sql", tmp_path / "bad.sql"
        good.write_text("ALTER TABLE bucket ADD COLUMN more TEXT; DROP TABLE setting;")
        bad.write_text("DROP TABLE object; SELECT 1; SELECT 2; SELECT no_such_function();")
        steps = [*catalog_format.steps(), (newest + 1, good), (newest + 2, bad)]
        monkeypatch.setattr(catalog_format, "steps", lambda: steps)
        with pytest.raises(StoreRefused, match=f"format {newest}, this Neve works with"):
            SqliteCatalog(path, readonly=True)
        with pytest.raises(StoreFault, match="no_such_function"):
            SqliteCatalog(path)
        with monkeypatch.context() as old:
            old.setattr(catalog_format, "steps", lambda: steps[:-2])
            catalog = SqliteCatalog(path)
            assert dump(catalog.reader()) == before
            catalog.close()
        bad.write_text("SELECT 1; CREATE TABLE later (x)")
        catalog = SqliteCatalog(path)
        assert catalog._writer.pragma("user_version") == newest + 2
        assert catalog._writer.execute("SELECT more FROM bucket").get is None
        assert catalog._writer.execute("SELECT count(*) FROM later").get == 0
        catalog.close()
        monkeypatch.undo()
        with pytest.raises(StoreRefused, match="newer"):
            SqliteCatalog(path)

    def test_too_old_an_sqlite_is_refused(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.52.9")
        with pytest.raises(StoreRefused, match=r"3\.52\.9 is too old"):
            SqliteCatalog(path, create=True)


class TestBackup:
    def test_while_writes_go_on(
        self, catalog: SqliteCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each group adds as many objects as usage says: any moment but no mixture passes."""
        monkeypatch.setattr(sqlite, "BACKUP_STEP_PAGES", 100)
        tree = fill(catalog, [])
        filler = [writing("put_object", object_row(tree, f"f{n:05}" * 20)) for n in range(8000)]
        catalog.transact([*filler, writing("add_usage", tree, 8000, 0)])
        done, wrote, groups = threading.Event(), threading.Event(), 0

        def write() -> None:
            nonlocal groups
            while not done.is_set():
                rows = [object_row(tree, f"g{groups:05}/{n}" * 20) for n in range(3)]
                add = writing("add_usage", tree, 3, 0)
                catalog.transact([*(writing("put_object", row) for row in rows), add])
                groups += 1
                wrote.set()

        during = []

        def between_steps(done: int, total: int) -> None:
            wrote.clear()
            assert wrote.wait(10), "writers go on"
            catalog.checkpoint()
            during.append((groups, done, total))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            catalog.backup(str(tmp_path / "copy"), between_steps)
        finally:
            done.set()
            thread.join()
        assert len(during) > 3
        assert during[-1][1] == during[-1][2] == during[0][2], "it never began anew"
        assert sorted(file.name for file in tmp_path.glob("copy*")) == ["copy"]
        copy = SqliteCatalog(str(tmp_path / "copy"))
        reader = copy.reader()
        assert reader.usage(tree)[0] == len(reader.scan(tree, "", None, 10**6)) >= 8000
        assert copy._writer.pragma("integrity_check") == "ok"
        copy.close()

    def test_never_overwrites(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        (tmp_path / "copy").write_text("precious")
        with pytest.raises(StoreRefused, match="exists already"):
            catalog.backup(str(tmp_path / "copy"))
        assert (tmp_path / "copy").read_text() == "precious"


def test_owners_are_counted_when_a_catalog_without_their_counters_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "catalog.db")
    steps = catalog_format.steps()
    with monkeypatch.context() as old:
        old.setattr(catalog_format, "steps", lambda: steps[:2])
        SqliteCatalog(path, create=True).close()
    connection = apsw.Connection(path)
    object_row = "INSERT INTO object VALUES (?, ?, 1, ?, 'e', 1, x'', NULL, x'', '', ?)"
    version_row = (
        "INSERT INTO version (tree, rank, size, etag, version, owner, key, seq, mtime_us, meta,"
        " blob)"
        " VALUES (?, ?, ?, ?, ?, ?, 'k', 1, 1, x'', x'')"
    )
    for row in ((1, "a", 5, "you"), (1, "b", 7, ""), (1, "c", 1, "you"), (2, "a", 9, "you")):
        connection.execute(object_row, row)
    for row in ((1, 1, 10, "e", "v", "you"), (1, 2, 0, "", "w", "you"), (1, 3, 4, "e", "x", "me")):
        connection.execute(version_row, row)
    connection.close()
    catalog = SqliteCatalog(path)
    reader = catalog.reader()
    assert reader.owners(1) == [("me", 1, 4), ("you", 3, 16)]
    assert reader.owners(2) == [("you", 1, 9)]
    catalog.close()
