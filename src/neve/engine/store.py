"""A store in a folder: `catalog.db`, `segments/`, `files/`, put together for one process.

`prepare` runs once per server start, alone; then every process opens its own engine.
"""

import os
from collections.abc import Callable

from neve.blobs.local import LocalBlobStore
from neve.catalog.catalog import Transaction
from neve.catalog.sqlite import SqliteCatalog
from neve.clock import now_us
from neve.disk import Disk
from neve.engine.core import Shared
from neve.engine.engine import Engine
from neve.engine.reclaim import change
from neve.engine.recover import EPOCH, Recovered, mark_clean, recover
from neve.errors import StoreRefused

CATALOG = "catalog.db"
UNFINISHED = CATALOG + ".unfinished"
"""What a new catalog is called until it and all that it names are there."""


def open_catalog(
    folder: str,
    *,
    name: str = CATALOG,
    create: bool = False,
    readonly: bool = False,
    disk: Disk | None = None,
    vfs: str | None = None,
) -> SqliteCatalog:
    """The catalog of a folder (`disk`, `vfs`: doors that tests put in). Raises: StoreRefused."""
    path = os.path.join(folder, name)
    return SqliteCatalog(path, create=create, readonly=readonly, disk=disk, vfs=vfs)


def give_name(folder: str) -> None:
    """Make the catalog that is whole now that of the store, durable."""
    new, path = os.path.join(folder, UNFINISHED), os.path.join(folder, CATALOG)
    # The catalog itself last: a log without one is no store that could be started.
    for suffix in ("-wal", ""):
        if os.path.exists(new + suffix):
            os.rename(new + suffix, path + suffix)
    remove_catalog(new)
    Disk().sync_dir(folder)


def remove_catalog(path: str) -> None:
    """Remove a catalog with its log, as far as they are there."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)


def open_blobs(
    folder: str, catalog: SqliteCatalog, *, epoch: int, disk: Disk | None = None
) -> LocalBlobStore:
    """The blobs of a folder; new segments get their ids from the catalog."""

    def new_segment() -> int:
        # Not synced here: the row is durable with the first group that refers to the segment.
        result = catalog.transact([lambda txn: txn.create_segment(now_us())])[0]
        assert isinstance(result, int)
        return result

    return LocalBlobStore(folder, disk or Disk(), new_segment=new_segment, epoch=epoch, worker=0)


def next_epoch(catalog: SqliteCatalog) -> int:
    """A number for this process that no other start ever had; file names carry it."""

    def take(txn: Transaction) -> int:
        epoch = int(txn.setting(EPOCH) or 0) + 1
        txn.put_setting(EPOCH, str(epoch).encode())
        return epoch

    epoch: int = change(catalog, take)
    return epoch


def prepare(folder: str, *, disk: Disk | None = None, vfs: str | None = None) -> Recovered:
    """Create what is missing and recover from the last run; nobody else may have it open.

    Raises: StoreRefused, StoreFault.
    """
    _check_catalog(folder)
    catalog = open_catalog(folder, create=True, disk=disk, vfs=vfs)
    try:
        store = open_blobs(folder, catalog, epoch=0, disk=disk)
        try:
            return recover(catalog, store)
        finally:
            store.close()
    finally:
        catalog.close()


def _check_catalog(folder: str) -> None:
    """Refuse blobs without a catalog: to a new one they would all be garbage."""
    path = os.path.join(folder, CATALOG)
    if os.path.exists(path) and os.path.getsize(path):
        return
    for top in ("segments", "files"):
        if any(names for _, _, names in os.walk(os.path.join(folder, top))):
            raise StoreRefused(
                f"The catalog {path} is missing but the store is not empty:"
                f" restore a backup, or run neve rebuild {folder}"
            )


def finish(folder: str) -> None:
    """Note that the run has ended in order: every process is gone, none had crashed."""
    catalog = open_catalog(folder)
    try:
        mark_clean(catalog)
        catalog.checkpoint(truncate=True)
    finally:
        catalog.close()


def open_engine(
    folder: str,
    shared: Shared,
    *,
    durable: bool = True,
    free_bytes_min: int = 0,
    on_fatal: Callable[[BaseException], None] = lambda _: None,
    disk: Disk | None = None,
    vfs: str | None = None,
) -> Engine:
    """The engine of one process on a prepared folder. Call it after any fork."""
    catalog = open_catalog(folder, disk=disk, vfs=vfs)
    store = open_blobs(folder, catalog, epoch=next_epoch(catalog), disk=disk)
    return Engine(
        catalog,
        store,
        shared,
        durable=durable,
        free_bytes_min=free_bytes_min,
        on_fatal=on_fatal,
    )
