"""Backup and restore: a consistent copy of a store in another folder, while the store is served.

The catalog is copied as of one moment; while segments and files follow, a hold in the catalog keeps
the steward from freeing anything. Blobs are immutable, so a second backup into the same folder
copies only what is new and removes what the new catalog no longer names.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from neve.blobs.blobs import UNTOLD
from neve.blobs.local import LocalBlobStore
from neve.catalog.sqlite import SqliteCatalog
from neve.clock import new_id, now_us
from neve.disk import Disk
from neve.engine.reclaim import HOLD, change, referenced_files
from neve.engine.recover import mark_clean
from neve.engine.store import CATALOG, UNFINISHED, give_name, open_blobs, open_catalog
from neve.errors import BlobMissing, StoreRefused

HOLD_S = 120
COPIED_NAMES = ("neve.json", "root-credentials.json", "store-key.json")
DONE = "backup-complete"

Progress = Callable[[int, int], Any]
"""Called with (bytes done, bytes in all)."""


def silent(_done: int, _total: int) -> None:
    """Progress for nobody."""


class BackedUp(NamedTuple):
    """What a backup holds and what it had to copy."""

    files: int
    bytes: int
    copied_files: int
    copied_bytes: int


class Hold:
    """Keeps the steward from freeing anything while it lasts; renewed by a thread."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog
        self._name = HOLD + new_id()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        self._set()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        change(self._catalog, lambda txn: txn.put_setting(self._name, None))

    def _set(self) -> None:
        until = str(now_us() + HOLD_S * 1_000_000).encode()
        change(self._catalog, lambda txn: txn.put_setting(self._name, until))

    def _renew(self) -> None:
        while not self._stop.wait(HOLD_S / 4):
            self._set()


def backup(folder: str, target: str, progress: Progress = silent) -> BackedUp:
    """Copy the store in `folder` to `target`: a new or empty folder, or an earlier backup of it.

    Raises: StoreRefused.
    """
    _check_target(folder, target)
    os.makedirs(target, exist_ok=True)
    marker = os.path.join(target, DONE)
    if os.path.exists(marker):
        os.unlink(marker)
    catalog = open_catalog(folder)
    try:
        with Hold(catalog):
            fresh = os.path.join(target, CATALOG + ".new")
            if os.path.exists(fresh):
                os.unlink(fresh)
            catalog.backup(fresh)
            for suffix in ("", "-wal", "-shm"):
                old = os.path.join(target, CATALOG + suffix)
                if os.path.exists(old):
                    os.unlink(old)
            os.rename(fresh, os.path.join(target, CATALOG))
            _mark_copy(target)
            done = _copy_blobs(folder, target, progress)
    finally:
        catalog.close()
    for name in COPIED_NAMES:
        if os.path.exists(os.path.join(folder, name)):
            _copy(os.path.join(folder, name), os.path.join(target, name))
    with open(marker, "w") as file:
        file.write("This backup is whole. Restore it with: neve restore BACKUP DATA\n")
        os.fsync(file.fileno())
    Disk().sync_dir(target)
    return done


def restore(source: str, folder: str, progress: Progress = silent) -> BackedUp:
    """Copy a whole backup to a new or empty folder, ready to be served. Raises: StoreRefused.

    The catalog gets its name last: what a killed restore leaves is no store that could be started.
    """
    if not os.path.exists(os.path.join(source, DONE)):
        raise StoreRefused(f"{source} is not a whole backup: it has no file {DONE}")
    if os.path.isdir(folder) and os.listdir(folder):
        raise StoreRefused(f"{folder} is not empty: restore into a new folder")
    os.makedirs(folder, exist_ok=True)
    _copy(os.path.join(source, CATALOG), os.path.join(folder, UNFINISHED))
    done = _copy_blobs(source, folder, progress, UNFINISHED)
    for name in COPIED_NAMES:
        if os.path.exists(os.path.join(source, name)):
            _copy(os.path.join(source, name), os.path.join(folder, name))
    give_name(folder)
    return done


def _check_target(folder: str, target: str) -> None:
    source, aim = os.path.realpath(folder), os.path.realpath(target)
    if aim == source or aim.startswith(source + os.sep):
        raise StoreRefused("the backup must lie outside the store's own folder")
    if not os.path.isdir(target) or not os.listdir(target):
        return
    if _identity(folder) != _identity(target):
        raise StoreRefused(f"{target} is not empty and is not a backup of this store")


def _mark_copy(target: str) -> None:
    """Let the copied catalog say that its run ended in order: nothing is to be swept after it, and
    when it is put back into the store, what segments hold beyond it is not what a crash left."""
    catalog = open_catalog(target)
    try:
        mark_clean(catalog)
    finally:
        catalog.close()


def _identity(folder: str) -> bytes | None:
    try:
        with open(os.path.join(folder, "neve.json"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _copy_blobs(folder: str, target: str, progress: Progress, name: str = CATALOG) -> BackedUp:
    """Copy every segment and file that the catalog in `target` names; remove the others there."""
    catalog = open_catalog(target, name=name, readonly=True)
    here = open_catalog(folder, readonly=True)
    try:
        from_store = open_blobs(folder, here, epoch=0)
        to_store = open_blobs(target, catalog, epoch=0)
        wanted = dict(_wanted(catalog, from_store, to_store))
    finally:
        here.close()
        catalog.close()
    total = sum(_size(path) for path in wanted)
    done = copied = copied_bytes = 0
    for path, goal in wanted.items():
        size = _size(path)
        if _size(goal) != size:
            os.makedirs(os.path.dirname(goal), exist_ok=True)
            _copy(path, goal)
            copied += 1
            copied_bytes += size
        done += size
        progress(done, total)
    _cut_segments(target, name)
    _remove_others(target, set(wanted.values()))
    return BackedUp(len(wanted), total, copied, copied_bytes)


def _cut_segments(target: str, name: str) -> None:
    """Take off copied segments what was appended after the moment of the catalog in `target`: a
    rebuild there would do some of the changes that came later, and not others."""
    catalog = open_catalog(target, name=name, readonly=True)
    try:
        store = open_blobs(target, catalog, epoch=0)
        for row in catalog.reader().segments():
            if row.sealed:
                continue
            with contextlib.suppress(BlobMissing):
                tail = store.scan_tail(row.id, row.size)
                # A server of a version without these marks counted the size otherwise.
                if tail and tail[0].place != UNTOLD:
                    _truncate(store.segment_path(row.id), row.size)
    finally:
        catalog.close()


def _truncate(path: str, size: int) -> None:
    with open(path, "rb+") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def _wanted(
    catalog: SqliteCatalog, source: LocalBlobStore, target: LocalBlobStore
) -> Iterator[tuple[str, str]]:
    reader = catalog.reader()
    for row in reader.segments():
        path = source.segment_path(row.id)
        if os.path.exists(path):
            yield path, target.segment_path(row.id)
    for id in referenced_files(reader):
        path = source.file_path(id)
        if os.path.exists(path):
            yield path, target.file_path(id)


def _remove_others(target: str, wanted: set[str]) -> None:
    for top in ("segments", "files"):
        for place, _, names in os.walk(os.path.join(target, top)):
            for name in names:
                path = os.path.join(place, name)
                if path not in wanted:
                    os.unlink(path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def _copy(source: str, target: str) -> None:
    """Copy one file, durable, appearing only when it is whole; mode bits are kept."""
    part = target + ".part"
    shutil.copyfile(source, part)
    shutil.copymode(source, part)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.rename(part, target)
