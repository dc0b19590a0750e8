"""Start-up: bring a folder to a known state, whatever its last run came to. Bounded work.

The redo rows say which appended bytes the disk may have lost; they are written again. Segments left
open are sealed. Everything that can take long (orphan files) is left to the steward's jobs.
"""

import logging
from typing import NamedTuple

from neve.blobs.blobs import BlobStore
from neve.catalog.catalog import Catalog, Transaction

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


def recover(catalog: Catalog, store: BlobStore) -> Recovered:
    """Repeat unsynced appends, seal what was open, begin a new epoch. Raises: StoreFault."""
    reader = catalog.reader()
    redo = reader.redo()
    segments = {row.id for row in reader.segments()}
    touched = set()
    for _, segment, offset, data in redo:
        if segment in segments and store.replay(segment, offset, data):
            touched.add(segment)
    for segment in touched:
        store.sync_segment(segment)

    def begin(txn: Transaction) -> tuple[int, bool]:
        if redo:
            txn.delete_redo(redo[-1][0])
        for row in txn.segments():
            if not row.sealed:
                txn.seal_segment(row.id)
        epoch = int(txn.setting(EPOCH) or 0) + 1
        clean = epoch == 1 or txn.setting(CLEAN) is not None
        txn.put_setting(EPOCH, str(epoch).encode())
        txn.put_setting(CLEAN, None)
        if not clean:
            txn.put_setting(SWEEP_BEFORE, str(epoch).encode())
        return epoch, clean

    result = catalog.transact([begin])[0]
    if isinstance(result, Exception):
        raise result
    catalog.sync()
    epoch, clean = result
    if redo:
        log.info("recovered: %d appends written again", len(redo))
    return Recovered(epoch, clean, len(redo))


SWEEP_BEFORE = "sweep-files-before-epoch"


def mark_clean(catalog: Catalog) -> None:
    """Note that every process of this run has ended in order."""
    catalog.transact([lambda txn: txn.put_setting(CLEAN, b"1")])
    catalog.sync()
