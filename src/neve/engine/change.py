"""Changing what an object is told about itself: its bytes, its ETag and its time stay.

The record that a rebuild needs tells the whole object anew. Objects in a segment are appended
again with their bytes, as copies are: so one record owns the bytes, and compaction never has to ask
which. Files and manifests are named again; they keep their one owner.
"""

from neve.blobs.blobs import SEGMENT, Blob, Record
from neve.catalog.catalog import ObjectRow, Transaction, VersionRow
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.locks import check_change
from neve.engine.versions import find_version
from neve.engine.write import digest_of
from neve.errors import ConditionalConflict, NoSuchKey


class ChangeMeta(Command):
    """Give a version other metadata, if it still stands where it was found.

    `data`: the bytes of an object in a segment (empty for one without bytes), compared with their
    digest by who read them: a new record has a new digest. None for files and manifests.
    `rank`: its new place among the versions, if it is to have a lower one and is not the newest.
    """

    __slots__ = ("bucket", "bypass", "data", "found", "meta", "rank", "seq")

    def __init__(
        self,
        bucket: str,
        found: VersionRow,
        meta: bytes,
        data: bytes | None,
        manifest: bytes | None,
        *,
        bypass: bool = False,
        rank: int | None = None,
    ) -> None:
        self.bucket = bucket
        self.bypass = bypass
        self.found = found
        self.meta = meta
        self.data = data
        self.seq = now_us()
        row = found.row
        self.rank = found.rank if rank is None else rank
        if not row.etag:
            marker = (row.tree, row.key, row.version, row.owner, row.mtime_us, self.rank)
            self.records = [Record(records.MARKER, self.seq, records.marker_head(*marker), b"", 0)]
            return
        about = (row.tree, row.key, row.etag, row.mtime_us, meta, row.checksum)
        version = (row.version, row.owner, self.rank)
        if data is None:
            head = records.object_at_head(*about, row.size, row.blob, manifest, *version)
            self.records = [Record(records.OBJECT_AT, self.seq, head, b"", 0)]
            return
        digest = digest_of(data)
        head = records.object_head(*about, *version)
        self.records = [Record(records.OBJECT, self.seq, head, data, digest)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        rank, row = self.found
        batch.bucket(txn, self.bucket, row.tree)
        old = self._standing(txn)
        if self.rank != rank:
            self._check_way(txn)
        check_change(old.meta, self.meta, batch.now, bypass=self.bypass)
        seq = self.seq
        if old.seq >= seq:
            seq = old.seq + 1
            batch.amend(self, 0, self.records[0].kind, seq)
        new = old._replace(seq=seq, meta=self.meta)
        if self.data:
            segment, offset = batch.data_offset(self)
            length, digest = len(self.data), self.records[0].digest
            new = new._replace(blob=Blob(SEGMENT, segment, offset, length, digest).pack())
            batch.hold(segment, length)
            batch.release(txn, old.blob)
        if rank:
            if self.rank != rank:
                txn.delete_version(row.tree, row.key, rank)
            txn.put_version(VersionRow(self.rank, new))
        else:
            txn.put_object(new)
        return new

    def _check_way(self, txn: Transaction) -> None:
        """Raise ConditionalConflict if it would pass a version that has come in between."""
        rank, row = self.found
        for other, below in txn.all_versions(row.tree, row.key, rank, 1):
            if below.key == row.key and other >= self.rank:
                raise ConditionalConflict()

    def _standing(self, txn: Transaction) -> ObjectRow:
        """The row as it is now. Raises: NoSuchKey, ConditionalConflict."""
        rank, row = self.found
        found = find_version(txn, row.tree, row.key, row.version)
        if found is None:
            raise NoSuchKey(Key=row.key)
        if found.rank != rank or found.row.seq != row.seq:
            raise ConditionalConflict()
        return found.row
