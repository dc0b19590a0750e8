"""SqliteCatalog: the conformance suite, and what it promises besides: locks, syncs, faults."""

import errno
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from neve.catalog import format as catalog_format
from neve.catalog import sqlite
from neve.catalog.catalog import Transaction
from neve.catalog.sqlite import SqliteCatalog
from neve.catalog.sqlite_rows import store_fault
from neve.disk import Disk
from neve.errors import StoreFault, StoreFull, StoreReadOnly
from neve.testing.catalog import CatalogTests, call, dump, run, write_everything, writing
from neve.testing.listing import fill, list_row, object_row


class TestSqliteCatalog(CatalogTests):
    def open(self, path: Path) -> SqliteCatalog:
        return SqliteCatalog(str(path / "catalog.db"), create=True)

    def open_backup(self, path: Path) -> SqliteCatalog:
        return SqliteCatalog(str(path))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "catalog.db")


@pytest.fixture
def catalog(path: str) -> Iterator[SqliteCatalog]:
    catalog = SqliteCatalog(path, create=True)
    yield catalog
    catalog.close()


def test_everything_is_there_after_closing_and_opening(path: str) -> None:
    catalog = SqliteCatalog(path, create=True)
    run(catalog, write_everything)
    before = dump(catalog.reader())
    catalog.close()
    assert Path(path + "-wal").exists(), "the log outlives the processes"
    catalog = SqliteCatalog(path)
    assert dump(catalog.reader()) == before
    catalog.close()


def test_ids_are_not_used_twice_after_opening_anew(path: str) -> None:
    ids = []
    for _ in range(3):
        catalog = SqliteCatalog(path, create=True)
        call(catalog, "put_redo", 1, 0, b"x")
        redo = catalog.reader().redo()[0][0]
        call(catalog, "delete_redo", redo)
        tree, segment = call(catalog, "create_tree"), call(catalog, "create_segment", 1)
        call(catalog, "delete_tree", tree)
        call(catalog, "delete_segment", segment)
        ids.append((redo, tree, segment))
        catalog.close()
    assert ids == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


def test_a_reader_does_not_see_an_open_group(catalog: SqliteCatalog) -> None:
    tree = fill(catalog, ["a"])

    def command(txn: Transaction) -> list[object]:
        txn.put_object(object_row(tree, "b"))
        reader = catalog.reader()
        return [reader.object(tree, "b"), reader.scan(tree, "", None, 9), txn.object(tree, "b")]

    assert run(catalog, command) == [None, [list_row("a")], object_row(tree, "b")]


def test_each_thread_has_a_reader_of_its_own(catalog: SqliteCatalog) -> None:
    tree = fill(catalog, ["a"])
    readers = [catalog.reader(), catalog.reader()]
    rows = []

    def read() -> None:
        readers.append(catalog.reader())
        rows.append(catalog.reader().object(tree, "a"))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert readers[0] is readers[1]
    assert readers[2] is not readers[0]
    assert rows == [object_row(tree, "a")]


def test_every_connection_is_set_up(path: str) -> None:
    catalog = SqliteCatalog(path, create=True, mmap_bytes=1 << 20, cache_bytes=2 << 20)
    catalog.reader()
    catalog.checkpoint()
    assert len(catalog._open) == 3
    for connection in catalog._open:
        wanted = {
            "journal_mode": "wal",
            "synchronous": 1,
            "wal_autocheckpoint": 0,
            "temp_store": 2,
            "foreign_keys": 0,
            "cache_size": -2048,
            "mmap_size": 1 << 20,
        }
        assert {name: connection.pragma(name) for name in wanted} == wanted
    catalog.close()


class TestReadOnly:
    def test_reads_and_refuses_writes(self, catalog: SqliteCatalog, path: str) -> None:
        run(catalog, write_everything)
        other = SqliteCatalog(path, readonly=True)
        assert dump(other.reader()) == dump(catalog.reader())
        for write in (lambda: run(other, write_everything), other.sync, other.checkpoint):
            with pytest.raises(StoreReadOnly, match="for reading only"):
                write()
        call(catalog, "put_setting", "late", b"1")
        assert other.reader().setting("late") == b"1"
        other.close()


class TestLocks:
    def test_a_group_waits_for_another_process_in_small_steps(
        self, catalog: SqliteCatalog, path: str
    ) -> None:
        other = SqliteCatalog(path)
        inside, leave = threading.Event(), threading.Event()

        def hold(txn: Transaction) -> None:
            txn.put_setting("first", b"1")
            inside.set()
            assert leave.wait(10)

        thread = threading.Thread(target=run, args=(other, hold))
        thread.start()
        assert inside.wait(10)
        threading.Timer(0.2, leave.set).start()
        first = run(catalog, lambda txn: txn.setting("first"))
        thread.join()
        assert first == b"1", "the group began only after the other's commit"
        other.close()

    def test_a_lock_that_is_never_released_is_a_fault(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "BUSY_WAIT_S", 0.05)
        catalog, other = SqliteCatalog(path, create=True), SqliteCatalog(path)
        begun = time.monotonic()
        with pytest.raises(StoreFault, match="locked"):
            run(catalog, lambda txn: run(other, write_everything))
        assert 0.04 < time.monotonic() - begun < 5
        run(other, write_everything)
        other.close()
        catalog.close()

    def test_nothing_is_written_in_wal_autocheckpoints(self, catalog: SqliteCatalog) -> None:
        tree = fill(catalog, [])
        for _ in range(30):
            run(catalog, lambda txn: txn.put_redo(tree, 0, bytes(400_000)))
        figures = catalog.checkpoint()
        assert figures["pages"] > 30 * 400_000 / catalog_format.PAGE_BYTES
        assert figures["wal_bytes"] == 0


class TestCheckpoint:
    def test_the_log_is_reused_and_does_not_grow(self, catalog: SqliteCatalog, path: str) -> None:
        sizes = []
        for _ in range(6):
            for _ in range(10):
                run(catalog, write_everything)
            assert catalog.checkpoint()["pages"] > 0
            assert catalog.checkpoint() == {"wal_bytes": 0, "pages": 0}
            sizes.append(os.path.getsize(path + "-wal"))
        assert sizes[-1] < 2 * sizes[0]
        run(catalog, write_everything)
        figures = catalog.checkpoint(truncate=True)
        assert figures["pages"] > 0
        assert figures["wal_bytes"] == os.path.getsize(path + "-wal") == 0
        run(catalog, write_everything)
        catalog.sync()

    @pytest.mark.parametrize("reading", [False, True])
    def test_a_log_over_the_limit_begins_anew_unless_somebody_reads_it(
        self,
        catalog: SqliteCatalog,
        path: str,
        reading: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sqlite, "WAL_BYTES_MAX", 1 << 20)
        reader = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        call(catalog, "put_setting", "big", bytes(2 << 20))
        size = os.path.getsize(path + "-wal")
        if reading:
            reader.execute("BEGIN; SELECT count(*) FROM object").fetchall()
            call(catalog, "put_setting", "big", bytes(2 << 20))
        assert (catalog.checkpoint()["wal_bytes"] > 0) is reading
        call(catalog, "put_setting", "big", bytes(1 << 20))
        assert (os.path.getsize(path + "-wal") > size) is reading
        reader.close()

    def test_a_long_read_holds_up_neither_the_checkpoint_nor_writers(
        self, catalog: SqliteCatalog, path: str
    ) -> None:
        run(catalog, write_everything)
        reading = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        reading.execute("BEGIN; SELECT count(*) FROM object").fetchall()
        run(catalog, write_everything)
        begun = time.monotonic()
        figures = catalog.checkpoint(truncate=True)
        assert time.monotonic() - begun < 2
        assert figures["wal_bytes"] > 0
        run(catalog, write_everything)
        reading.close()
        assert catalog.checkpoint()["wal_bytes"] == 0


class SyncDisk(Disk):
    """Counts syncs, and does in them what a test wants."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.error: OSError | None = None
        self.inside, self.leave = threading.Event(), threading.Event()
        self.leave.set()

    def fdatasync(self, fd: int) -> None:
        self.synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        self.inside.set()
        assert self.leave.wait(10)
        if self.error is not None:
            raise self.error
        super().fdatasync(fd)


class CountingLock:
    """A lock that says when somebody waits for it."""

    def __init__(self) -> None:
        self.lock, self.asked = threading.Lock(), threading.Semaphore(0)

    def __enter__(self) -> None:
        self.asked.release()
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


class TestSync:
    @pytest.fixture
    def disk(self) -> SyncDisk:
        return SyncDisk()

    @pytest.fixture
    def catalog(self, path: str, disk: SyncDisk) -> Iterator[SqliteCatalog]:
        catalog = SqliteCatalog(path, create=True, disk=disk)
        disk.synced.clear()
        yield catalog
        catalog.close()

    def test_syncs_the_log(self, catalog: SqliteCatalog, disk: SyncDisk, path: str) -> None:
        run(catalog, write_everything)
        assert disk.synced == []
        catalog.sync()
        assert disk.synced == [path + "-wal"]
        assert os.path.getsize(path + "-wal") > 0

    def test_those_who_wait_for_a_sync_share_the_next(
        self, catalog: SqliteCatalog, disk: SyncDisk
    ) -> None:
        lock = CountingLock()
        catalog._syncing = lock  # type: ignore[assignment]
        disk.leave.clear()
        threads = [threading.Thread(target=catalog.sync) for _ in range(6)]
        threads[0].start()
        assert disk.inside.wait(10)
        for thread in threads[1:]:
            thread.start()
        for _ in threads:
            assert lock.asked.acquire(timeout=10)
        disk.leave.set()
        for thread in threads:
            thread.join()
        assert len(disk.synced) == 2

    @pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
    def test_a_failed_sync_ends_all_writing(
        self, catalog: SqliteCatalog, disk: SyncDisk, code: int
    ) -> None:
        tree = run(catalog, write_everything)
        disk.error = OSError(code, os.strerror(code))
        with pytest.raises(StoreReadOnly, match=os.strerror(code)):
            catalog.sync()
        disk.error = None
        before = dump(catalog.reader())
        for write in (catalog.sync, catalog.checkpoint, lambda: run(catalog, write_everything)):
            with pytest.raises(StoreReadOnly):
                write()
        assert dump(catalog.reader()) == before
        assert catalog.reader().object(tree, "a/2") is not None
        assert len(disk.synced) == 1, "a failed sync is never tried again"


class TestFaults:
    def test_full(self, catalog: SqliteCatalog) -> None:
        run(catalog, write_everything)
        before = dump(catalog.reader())
        catalog._writer.pragma("max_page_count", catalog._writer.pragma("page_count") + 4)
        big = writing("put_setting", "big", bytes(1 << 20))
        with pytest.raises(StoreFull):
            catalog.transact([write_everything, big])
        assert dump(catalog.reader()) == before
        run(catalog, write_everything)

    def test_error_of_the_system(self, catalog: SqliteCatalog, path: str) -> None:
        run(catalog, write_everything)
        before = dump(catalog.reader())
        size = os.path.getsize(path + "-wal")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, hard))
        try:
            with pytest.raises(StoreFault) as caught:
                call(catalog, "put_setting", "big", bytes(1 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert isinstance(caught.value.__cause__, apsw.IOError)
        assert dump(catalog.reader()) == before
        run(catalog, write_everything)

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_no_room_for_the_shared_memory_is_full(self, code: int) -> None:
        assert isinstance(store_fault(apsw.IOError("disk I/O error"), code), StoreFull)
        assert not isinstance(store_fault(apsw.IOError("disk I/O error"), errno.EIO), StoreFull)

    def test_a_damaged_table_is_a_clear_fault(self, path: str) -> None:
        catalog = SqliteCatalog(path, create=True)
        tree = fill(catalog, (f"{n:05}" for n in range(5000)))
        catalog.checkpoint(truncate=True)
        catalog.close()
        with open(path, "r+b") as file:
            for page in range(30, os.path.getsize(path) // catalog_format.PAGE_BYTES):
                file.seek(page * catalog_format.PAGE_BYTES)
                file.write(b"\xff" * 64)
        catalog = SqliteCatalog(path)
        reader = catalog.reader()
        for read in (
            lambda: reader.scan(tree, "", None, 5000),
            lambda: [reader.object(tree, f"{n:05}") for n in range(5000)],
            lambda: reader.scan_delimited(tree, "", "/", "", 5000),
            lambda: run(catalog, lambda txn: [txn.object(tree, f"{n:05}") for n in range(5000)]),
        ):
            with pytest.raises(StoreFault, match=r"damaged.*neve rebuild"):
                read()
        catalog.close()


def test_a_checkpoint_that_finds_the_log_locked_does_nothing(tmp_path: Path) -> None:
    class Locked:
        def wal_checkpoint(self, name: str, mode: int) -> None:
            raise apsw.BusyError("database is locked")

    catalog = SqliteCatalog(str(tmp_path / "catalog.db"), create=True)
    catalog._checkpointer = Locked()  # type: ignore[assignment]
    assert catalog.checkpoint()["pages"] == 0
    catalog._checkpointer = None
    assert catalog.checkpoint()["pages"] > 0
    catalog.close()
