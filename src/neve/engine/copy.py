"""Copying an object inside the store: files and manifests get one more owner, no byte moves.

Objects small enough for a segment are appended again instead (`docs/decisions/002-…`): the record
that a copy needs anyway then carries the bytes, and a segment never has to know who shares it.
"""

from neve.blobs.blobs import MANIFEST, Record, unpack_blob
from neve.catalog.catalog import ObjectRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.conditions import Conditions, check_conditions
from neve.errors import ConditionalConflict, NoSuchKey


class CopyShared(Command):
    """Publish the file or manifest of `source` at another key (or the same, with other meta)."""

    __slots__ = (
        "bucket",
        "checksum",
        "conditions",
        "key",
        "meta",
        "mtime_us",
        "seq",
        "source",
        "tree",
    )

    def __init__(
        self,
        source: ObjectRow,
        bucket: str,
        tree: int,
        key: str,
        meta: bytes,
        checksum: str | None,
        conditions: Conditions,
        manifest: bytes | None,
    ) -> None:
        self.source = source
        self.bucket = bucket
        self.tree = tree
        self.key = key
        self.meta = meta
        self.checksum = checksum
        self.conditions = conditions
        self.seq = self.mtime_us = now_us()
        head = records.object_at_head(
            tree,
            key,
            source.etag,
            self.mtime_us,
            meta,
            checksum,
            source.size,
            source.blob,
            manifest,
        )
        self.records = [Record(records.OBJECT_AT, self.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        batch.bucket(txn, self.bucket, self.tree)
        source = self.source
        current = txn.object(source.tree, source.key)
        if current is None:
            raise NoSuchKey(Key=source.key)
        if current.blob != source.blob:
            raise ConditionalConflict()
        old = txn.object(self.tree, self.key)
        check_conditions(self.conditions, old)
        if batch.guard is not None:
            batch.guard.admit(self.tree, old, source.size)
        seq = self.seq
        if old is not None and old.seq >= seq:
            seq = old.seq + 1
            batch.amend(self, 0, records.OBJECT_AT, seq)
        blob = unpack_blob(source.blob)
        # First the new owner, then the release of the old object: a copy onto itself stays whole.
        txn.add_reference(blob.tier, blob.id, 1)
        row = ObjectRow(
            self.tree,
            self.key,
            seq,
            source.size,
            source.etag,
            self.mtime_us,
            self.meta,
            self.checksum,
            source.blob,
        )
        txn.put_object(row)
        batch.replaced(txn, old, row)
        return row


def manifest_id(row: ObjectRow) -> int | None:
    """The manifest of a multipart object, None for others."""
    if not row.blob:
        return None
    blob = unpack_blob(row.blob)
    return blob.id if blob.tier == MANIFEST else None
