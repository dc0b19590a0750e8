"""Copying an object inside the store: files and manifests get one more owner, no byte moves.

Objects small enough for a segment are appended again instead (`docs/decisions/002-…`): the record
that a copy needs anyway then carries the bytes, and a segment never has to know who shares it.
"""

from neve.blobs.blobs import Record, unpack_blob
from neve.catalog.catalog import ObjectRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch
from neve.engine.conditions import Conditions
from neve.engine.publish import Publication
from neve.engine.versions import find_version
from neve.errors import ConditionalConflict, NoSuchKey


class CopyShared(Publication):
    """Publish the file or manifest of `source` at another key (or the same, with other meta)."""

    __slots__ = ("checksum", "meta", "mtime_us", "source")

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
        version: str = "",
        owner: str = "",
    ) -> None:
        self.source = source
        self.bucket = bucket
        self.tree = tree
        self.key = key
        self.meta = meta
        self.checksum = checksum
        self.conditions = conditions
        self.version = version
        self.owner = owner
        self.seq = self.mtime_us = now_us()
        about = (tree, key, source.etag, self.mtime_us, meta, checksum, source.size, source.blob)
        head = records.object_at_head(*about, manifest, version, owner)
        self.records = [Record(records.OBJECT_AT, self.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        check_source(txn, self.source)
        source = self.source
        seq = self.find_place(txn, batch, source.size)
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
            self.version,
            self.owner,
        )
        return self.publish(txn, batch, row)


def check_source(txn: Transaction, source: ObjectRow) -> None:
    """Raise NoSuchKey or ConditionalConflict unless the source still stands with its bytes."""
    found = find_version(txn, source.tree, source.key, source.version)
    if found is None:
        raise NoSuchKey(Key=source.key)
    if found.row.blob != source.blob:
        raise ConditionalConflict()
