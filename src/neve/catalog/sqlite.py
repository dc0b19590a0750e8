"""The embedded catalog: one SQLite file in WAL mode, shared by the processes of one store.

A commit is written to the log without a sync, and `sync` makes it durable outside SQLite's write
lock, so that processes wait for each other's CPU and not for each other's disk; one sync covers
every commit before it. A commit can be read some 0.2 ms before it is durable: by others, never
before its writer was told. Losing power may lose commits that were not synced, never consistency.

Rules that this module keeps:
- SQLite comes from apsw only, and nobody but SQLite opens the database or its -shm: closing any
  descriptor of these files would drop the POSIX locks of the process. The -wal carries no locks.
- The log is checkpointed by one process of the store (`checkpoint`) and outlives the processes.
- Connections do not survive fork: open the catalog in the process that uses it.
- A failed sync ends all writing through this object: what the disk holds is unknown from then on.
"""

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw

from neve.catalog.catalog import Reader, Transaction
from neve.catalog.format import prepare
from neve.catalog.sqlite_rows import (
    SqliteReader,
    SqliteTransaction,
    store_fault,
    unknown_state,
)
from neve.catalog.wal_index import commit_state
from neve.disk import Disk
from neve.errors import DomainError, StoreReadOnly, StoreRefused

T = TypeVar("T")

SQLITE_MIN = (3, 53, 0)
"""Older ones may corrupt the log when several connections write and checkpoint."""

WAL_BYTES_MAX = 256 << 20
"""A log over this size is restarted at the next checkpoint, for which writers wait."""

BUSY_WAIT_S = 10.0
BUSY_POLL_S = 0.0001
CHECKPOINT_WAIT_S = 0.05
"""How long a restart of the log may hold up writers while it waits for readers."""

BACKUP_STEP_PAGES = 1024

_FRAME_HEADER_BYTES = 24


def check_sqlite() -> None:
    """Raise StoreRefused when apsw brings an SQLite that may damage the log."""
    version = tuple(int(number) for number in apsw.sqlite_lib_version().split("."))
    if version < SQLITE_MIN:
        raise StoreRefused(
            f"SQLite {apsw.sqlite_lib_version()} is too old, 3.53 is needed: upgrade apsw"
        )


class SqliteCatalog:
    """The catalog in the file `path`.

    `create` makes the file when it is absent. `readonly` refuses writes and never migrates.
    `cache_bytes` is the limit of each connection's page cache: one connection writes, and each
    thread that reads has its own. Reads go through a map of the first `mmap_bytes` of the file.

    Raises: StoreRefused (no catalog, not ours, newer format), StoreFault.
    """

    def __init__(
        self,
        path: str,
        *,
        create: bool = False,
        readonly: bool = False,
        mmap_bytes: int = 64 << 20,
        cache_bytes: int = 4 << 20,
        disk: Disk | None = None,
        vfs: str | None = None,
    ) -> None:
        check_sqlite()
        self._path = os.path.abspath(path)
        self._disk = Disk() if disk is None else disk
        self._readonly = readonly
        self._refusal = "the catalog was opened for reading only" if readonly else None
        self._settings = (mmap_bytes, cache_bytes)
        self._vfs = vfs
        self._readers = threading.local()
        self._open: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._stateful: weakref.WeakSet[SqliteReader] = weakref.WeakSet()
        self._syncing = threading.Lock()
        self._syncs_begun = self._syncs_done = 0
        self._checkpointer: apsw.Connection | None = None
        self._frames_moved, self._wal_salts = 0, b""
        self._writer = self._open_writer(create)
        self._execute = self._writer.cursor().execute
        self._transaction = SqliteTransaction(self._writer)
        self._wal_fd = -1 if readonly else self._disk.open(self._path + "-wal", os.O_RDWR)
        if not readonly:
            # A migration may just have been committed, or the log's file made, by this process or
            # by another that has not come to this line yet.
            self.sync()
            self._disk.sync_dir(os.path.dirname(self._path))

    def reader(self) -> Reader:
        reader: SqliteReader | None = getattr(self._readers, "reader", None)
        if reader is None:
            try:
                reader = self._readers.reader = self._new_reader()
            except apsw.Error as error:
                raise store_fault(error) from error
        return reader

    def _new_reader(self) -> SqliteReader:
        connection = self._connect(readonly=True)
        reader = SqliteReader(connection)
        # Before its first read a connection has not mapped what its state is read from.
        connection.execute("SELECT id FROM tree LIMIT 1").fetchall()
        reader.state = commit_state(connection) or unknown_state
        self._stateful.add(reader)
        return reader

    def transact(self, commands: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        if self._refusal is not None:
            raise StoreReadOnly(self._refusal)
        transaction = self._transaction
        results: list[T | Exception] = []
        try:
            self._execute("BEGIN IMMEDIATE")
            for command in commands:
                try:
                    results.append(command(transaction))
                except DomainError as refused:
                    results.append(refused)
            self._execute("COMMIT")
        except BaseException as error:
            code = self._writer.system_errno if isinstance(error, apsw.IOError) else 0
            self._roll_back()
            if isinstance(error, apsw.Error):
                raise store_fault(error, code) from error
            raise
        return results

    def sync(self) -> None:
        begun_before = self._syncs_begun
        with self._syncing:
            if self._refusal is not None:
                raise StoreReadOnly(self._refusal)
            if self._syncs_done > begun_before:
                # Another thread's sync began after this call did.
                return
            self._syncs_begun += 1
            begun = self._syncs_begun
            try:
                self._disk.fdatasync(self._wal_fd)
            except OSError as error:
                self._refusal = f"a sync of the catalog failed ({error}); restart the store"
                raise StoreReadOnly(self._refusal) from error
            self._syncs_done = begun

    def log_bytes(self) -> int:
        return os.fstat(self._wal_fd).st_size

    def checkpoint(self, *, truncate: bool = False) -> dict[str, int]:
        if self._refusal is not None:
            raise StoreReadOnly(self._refusal)
        if self._checkpointer is None:
            self._checkpointer = self._connect(readonly=False, wait_s=CHECKPOINT_WAIT_S)
        connection = self._checkpointer
        try:
            # Moves what it can without anyone waiting; a restart then finds little left to do.
            try:
                frames, moved = connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.BusyError:
                # Another process holds a lock that even this needs: the next call will do it.
                return {"wal_bytes": self.log_bytes(), "pages": 0}
            pages = self._newly_moved(moved)
            frame_bytes = connection.pragma("page_size") + _FRAME_HEADER_BYTES
            # With much left, a long read is in the way, and waiting for it would be in vain.
            large = frames * frame_bytes > WAL_BYTES_MAX and 4 * moved >= 3 * frames
            if (truncate or large) and self._restart_log(connection, truncate):
                pages += frames - moved
                self._frames_moved = moved = frames
        except apsw.Error as error:
            raise store_fault(error, connection.system_errno) from error
        return {"wal_bytes": (frames - moved) * frame_bytes, "pages": pages}

    def backup(self, path: str, progress: Callable[[int, int], Any] | None = None) -> None:
        """Copy one snapshot: writers are not held up, but the log grows until the copy is done."""
        if os.path.exists(path):
            raise StoreRefused(f"{path} exists already; back up to a new file")
        source = self._connect(readonly=True)
        partial = path + ".partial"
        try:
            # Held open, so that commits made meanwhile neither show nor start the copy anew.
            source.execute("BEGIN; SELECT count(*) FROM tree").fetchall()
            _copy(source, partial, progress)
        except apsw.Error as error:
            raise store_fault(error) from error
        finally:
            source.close()
        fd = self._disk.open(partial, os.O_RDWR)
        try:
            self._disk.fdatasync(fd)
        finally:
            self._disk.close(fd)
        self._disk.rename(partial, path)
        self._disk.sync_dir(os.path.dirname(os.path.abspath(path)))

    def close(self) -> None:
        """Close every connection; no other thread may be using one."""
        for reader in list(self._stateful):
            reader.state = unknown_state  # the memory it looks at goes with the connection
        for connection in list(self._open):
            if connection is not self._writer:
                connection.close()
        self._writer.close()
        self._readers = threading.local()
        if self._wal_fd >= 0:
            self._disk.close(self._wal_fd)
            self._wal_fd = -1
        self._refusal = self._refusal or "the catalog is closed"

    def _open_writer(self, create: bool) -> apsw.Connection:
        if not create and not os.path.exists(self._path):
            raise StoreRefused(f"there is no catalog at {self._path}")
        connection = None
        try:
            connection = self._connect(readonly=self._readonly, create=create)
            prepare(connection, self._path, create=create, readonly=self._readonly)
            if connection.pragma("journal_mode") != "wal":
                raise StoreRefused(f"{self._path} is not in WAL mode: was it changed by hand?")
            return connection
        except apsw.CantOpenError as error:
            raise StoreRefused(f"{self._path} cannot be opened: {error}") from error
        except apsw.NotADBError as error:
            raise StoreRefused(f"{self._path} is no Neve catalog: no SQLite file") from error
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, apsw.Error):
                raise store_fault(error) from error
            raise

    def _connect(
        self, readonly: bool, *, create: bool = False, wait_s: float | None = None
    ) -> apsw.Connection:
        mmap_bytes, cache_bytes = self._settings
        flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE
        connection = apsw.Connection(
            self._path, flags=flags | (apsw.SQLITE_OPEN_CREATE if create else 0), vfs=self._vfs
        )
        # Values never change a plan here. Without this promise SQLite would prepare every ordered
        # statement again whenever a value of it has changed, for 4 to 10 µs.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.set_busy_handler(_polling(BUSY_WAIT_S if wait_s is None else wait_s))
        keep_wal = ctypes.c_int(1)
        connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep_wal))
        # All of them: without fetchall, apsw would stop at the first that answers with a row.
        connection.execute(
            "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;"
            f"PRAGMA cache_size = -{cache_bytes // 1024}; PRAGMA mmap_size = {mmap_bytes}"
        ).fetchall()
        self._open.add(connection)
        return connection

    def _newly_moved(self, moved: int) -> int:
        """Return how many of the frames moved so far the last call had not."""
        # Bytes 16 to 24 of the log are its salts: others when it has begun anew.
        salts = os.pread(self._wal_fd, 8, 16)
        before = self._frames_moved if salts == self._wal_salts else 0
        self._frames_moved, self._wal_salts = moved, salts
        return moved - before

    def _restart_log(self, connection: apsw.Connection, truncate: bool) -> bool:
        """Make the next commit begin the log anew; False if a reader still needs what is in it."""
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_RESTART
        try:
            connection.wal_checkpoint("main", mode)
        except apsw.BusyError:
            return False
        return True

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors.
        if self._writer.in_transaction:
            self._execute("ROLLBACK")


def _polling(wait_s: float) -> Callable[[int], bool]:
    """Return a busy handler that asks again every 0.1 ms.

    SQLite's own backs off up to 100 ms, while which another process takes the lock many times.
    """
    deadline = 0.0

    def wait(calls: int) -> bool:
        nonlocal deadline
        now = time.monotonic()
        if calls == 0:
            deadline = now + wait_s
        elif now > deadline:
            return False
        time.sleep(BUSY_POLL_S)
        return True

    return wait


def _copy(source: apsw.Connection, path: str, progress: Callable[[int, int], Any] | None) -> None:
    if os.path.exists(path):
        os.unlink(path)
    target = apsw.Connection(path)
    try:
        target.pragma("journal_mode", "off")
        target.pragma("synchronous", "off")
        with target.backup("main", source, "main") as copy:
            while not copy.done:
                copy.step(BACKUP_STEP_PAGES)
                if progress is not None:
                    progress(copy.page_count - copy.remaining, copy.page_count)
    finally:
        target.close()
