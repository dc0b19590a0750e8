"""Start-up: bring a folder to a known state, whatever its last run came to. Bounded work.

The redo rows say which appended bytes the disk may have lost; they are written again. After a run
that did not end in order, what was appended and never committed is voided, and buckets are told
whose record a crash has cost. Segments left open are sealed. Everything that can take long (orphan
files) is left to the steward's jobs. Each step may be cut short and done again.
"""

import logging
from typing import NamedTuple

from neve.blobs.blobs import Append, BlobStore
from neve.catalog.catalog import BucketRow, Catalog, Reader, Transaction
from neve.engine.buckets import bucket_record
from neve.engine.commit import UNTOLD
from neve.engine.leftovers import void_leftovers
from neve.errors import StoreFull

EPOCH = "epoch"
CLEAN = "clean"

log = logging.getLogger("neve.engine")


class Recovered(NamedTuple):
    """What start-up found and did."""

    epoch: int
    """Counts the starts of this store; file names carry it."""
    clean: bool
    """Whether the last run ended in order."""
    replayed: int
    """Redo rows written again."""
    voided: int = 0
    """Records voided that were appended and never committed."""


def recover(catalog: Catalog, store: BlobStore) -> Recovered:
    """Repeat unsynced appends, void uncommitted ones, seal what was open, begin a new epoch.

    Raises: StoreFault.
    """
    reader = catalog.reader()
    redo = _replay(reader, store)
    clean = reader.setting(EPOCH) is None or reader.setting(CLEAN) is not None
    voided, behind, told = 0, False, None
    if not clean:
        voided, behind = void_leftovers(reader, store)
        told = None if behind else _tell_buckets(reader, store)

    def begin(txn: Transaction) -> int:
        if redo:
            txn.delete_redo(redo[-1])
        if told is not None:
            txn.add_segment(told.append.segment, told.append.end, 0, told.seq_min)
            for row in told.rows:
                txn.put_setting(UNTOLD + row.name, None)
        for segment in txn.segments():
            if not segment.sealed:
                txn.seal_segment(segment.id)
        epoch = int(txn.setting(EPOCH) or 0) + 1
        txn.put_setting(EPOCH, str(epoch).encode())
        txn.put_setting(CLEAN, None)
        if not clean and not behind:
            txn.put_setting(SWEEP_BEFORE, str(epoch).encode())
        return epoch

    epoch = catalog.transact([begin])[0]
    if isinstance(epoch, Exception):
        raise epoch
    catalog.sync()
    if redo or voided:
        log.info("recovered: %d appends written again, %d records voided", len(redo), voided)
    return Recovered(epoch, clean, len(redo), voided)


SWEEP_BEFORE = "sweep-files-before-epoch"


def _replay(reader: Reader, store: BlobStore) -> list[int]:
    """Write redo rows to their places, durable; their ids."""
    redo = reader.redo()
    segments = {row.id for row in reader.segments()}
    touched = set()
    for _, segment, offset, data in redo:
        if segment in segments and store.replay(segment, offset, data):
            touched.add(segment)
    for segment in touched:
        store.sync_segment(segment)
    return [id for id, *_ in redo]


class _Told(NamedTuple):
    """Records of buckets that were appended, to be committed."""

    rows: list[BucketRow]
    append: Append
    seq_min: int


def _tell_buckets(reader: Reader, store: BlobStore) -> _Told | None:
    """Append, durable, what was not told of buckets before the crash; None: nothing."""
    names = [name.removeprefix(UNTOLD) for name, _ in reader.settings(UNTOLD)]
    rows = [row for row in map(reader.bucket, names) if row is not None]
    if not rows:
        return None
    told = [bucket_record(row) for row in rows]
    try:
        append = store.append(told, 0)
    except StoreFull:
        return None  # The marks stay: a start with more room tells them.
    store.sync_segment(append.segment)
    return _Told(rows, append, min(record.seq for record in told))


def mark_clean(catalog: Catalog) -> None:
    """Note that every process of this run has ended in order."""
    catalog.transact([lambda txn: txn.put_setting(CLEAN, b"1")])
    catalog.sync()
