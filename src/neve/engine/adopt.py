"""Adopting: versions that another store had, with the ids, times and ETags that they had there.

They come as the newest version of their key, so the versions of one key are adopted oldest first.
Quotas and the bucket's default retention do not speak of them: they were let in where they were
written. What the key has already stays, unless it is an older null version of the same key, which
is replaced as it was in the other store; a lock that binds it holds.
"""

from typing import TYPE_CHECKING

from neve.blobs.blobs import MANIFEST, Blob, Record
from neve.catalog.catalog import BucketRow, ObjectRow, Reader, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.conditions import NO_CONDITIONS
from neve.engine.locks import check_removable
from neve.engine.manifests import Manifest, Part, Piece, encode_manifest
from neve.engine.publish import Publication
from neve.engine.versions import Place, find_version, place_for, put_newest, versioning_in
from neve.engine.write import SMALL_BYTES, LargeWriter, PutObject, Writer, settled
from neve.errors import DomainError, InvalidBucketState, StoreFull, VersionConflict

if TYPE_CHECKING:
    from neve.engine.engine import Engine


def adoption_place(
    reader: Reader, bucket: BucketRow, key: str, version: str, mtime_us: int, *, marker: bool
) -> tuple[ObjectRow | None, Place | None]:
    """What the key shows, and where the version goes (None: in the place of what is shown).

    Raises: InvalidBucketState, VersionConflict.
    """
    current = reader.object(bucket.tree, key)
    if not bucket.options or versioning_in(bucket.options) is None:
        if version or marker:
            raise InvalidBucketState("The bucket keeps no versions.")
        if current is not None and current.mtime_us >= mtime_us:
            raise VersionConflict()
        return current, None
    there = find_version(reader, bucket.tree, key, version)
    newest = current
    if newest is None:
        others = reader.versions(bucket.tree, key, 1)
        newest = others[0].row if others else None
    if newest is not None and newest.mtime_us > mtime_us:
        raise VersionConflict()
    if there is not None and (version or there.row.mtime_us >= mtime_us):
        raise VersionConflict()
    return current, place_for(reader, bucket.tree, key, version, current)


class _Adoption(Publication):
    """What makes a publication an adoption: its place, and that no quota is asked."""

    __slots__ = ()

    def find_place(self, txn: Transaction, batch: Batch, size: int) -> int:
        """As in the base, but by the rules of adoption."""
        bucket = batch.bucket(txn, self.bucket, self.tree)
        about = (self.key, self.version, self.mtime)
        self.current, self.place = adoption_place(txn, bucket, *about, marker=False)
        gone, least = self.current, 0 if self.current is None else self.current.seq + 1
        if self.place is not None:
            gone, least = self.place.gone, self.place.seq
        if gone is not None:
            check_removable(gone.meta, batch.now, bypass=False)
        if least <= self.seq:
            return self.seq
        batch.amend(self, 0, self.records[0].kind, least)
        return least

    @property
    def mtime(self) -> int:
        """When it was written in the other store."""
        raise NotImplementedError


class AdoptObject(_Adoption, PutObject):
    """Adopt an object whose bytes are in one writer."""

    __slots__ = ()

    def __init__(self, bucket: str, row: ObjectRow, writer: Writer) -> None:
        about = (bucket, row.tree, row.key, writer, row.etag, row.meta, row.checksum)
        super().__init__(*about, NO_CONDITIONS, row.version, row.owner, row.mtime_us)

    @property
    def mtime(self) -> int:
        return self.mtime_us


class AdoptParts(_Adoption):
    """Adopt an object whose parts are files, named by a packed manifest."""

    __slots__ = ("manifest", "row")

    def __init__(self, bucket: str, row: ObjectRow, manifest: bytes) -> None:
        self.bucket, self.tree, self.key = bucket, row.tree, row.key
        self.version, self.owner = row.version, row.owner
        self.row = row
        self.manifest = manifest
        self.seq = now_us()
        about = (row.tree, row.key, row.etag, row.mtime_us, row.meta, row.checksum)
        head = records.object_at_head(*about, row.size, b"", manifest, row.version, row.owner)
        self.records = [Record(records.OBJECT_AT, self.seq, head, b"", 0)]

    @property
    def mtime(self) -> int:
        return self.row.mtime_us

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        seq = self.find_place(txn, batch, self.row.size)
        id = txn.put_manifest(self.manifest)
        blob = Blob(MANIFEST, id, 0, self.row.size, 0).pack()
        return self.publish(txn, batch, self.row._replace(seq=seq, blob=blob))


class AdoptMarker(Command):
    """Adopt a delete marker."""

    __slots__ = ("bucket", "row")

    def __init__(self, bucket: str, row: ObjectRow) -> None:
        self.bucket = bucket
        self.row = row._replace(seq=now_us())
        head = records.marker_head(row.tree, row.key, row.version, row.owner, row.mtime_us)
        self.records = [Record(records.MARKER, self.row.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        row = self.row
        bucket = batch.bucket(txn, self.bucket, row.tree)
        about = (row.key, row.version, row.mtime_us)
        _, place = adoption_place(txn, bucket, *about, marker=True)
        assert place is not None, "there is one in a bucket with versions"
        if place.gone is not None:
            check_removable(place.gone.meta, batch.now, bypass=False)
        if place.seq > row.seq:
            row = row._replace(seq=place.seq)
            batch.amend(self, 0, records.MARKER, row.seq)
        put_newest(txn, batch, place, row)
        return row


class Adopter:
    """Adopts versions into the buckets of one engine; belongs to its thread.

    A row says everything but where the bytes are: size, ETag, time, metadata, version, owner.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def part_writer(self) -> Writer:
        """A sink for a part of any size, which becomes a file of its own. Raises: StoreFull."""
        return self._engine.writer(SMALL_BYTES)

    async def adopt_object(self, bucket: str, row: ObjectRow, writer: Writer) -> ObjectRow:
        """Adopt a closed writer's bytes, or give them up.

        Raises: NoSuchBucket, InvalidBucketState, VersionConflict, ObjectLocked, StoreFull.
        """
        try:
            return await self._submit(AdoptObject(bucket, row, settled(writer)))
        except (DomainError, StoreFull):
            writer.abort()
            raise

    async def adopt_parts(
        self, bucket: str, row: ObjectRow, parts: list[tuple[int, str, Writer]]
    ) -> ObjectRow:
        """Adopt closed part writers, with their numbers and ETags. Raises: as `adopt_object`."""
        told = []
        for number, etag, writer in parts:
            large = settled(writer)
            assert isinstance(large, LargeWriter) and large.blob is not None
            pieces = [Piece(large.blob.pack(), 0, large.size)] if large.size else []
            told.append(Part(number, large.size, etag, None, pieces))
            if not large.size:
                large.abort()
        try:
            return await self._submit(AdoptParts(bucket, row, encode_manifest(Manifest("", told))))
        except (DomainError, StoreFull):
            for _, _, writer in parts:
                writer.abort()
            raise

    async def adopt_marker(self, bucket: str, row: ObjectRow) -> ObjectRow:
        """Adopt a delete marker. Raises: as `adopt_object`."""
        return await self._submit(AdoptMarker(bucket, row))

    async def _submit(self, command: Command) -> ObjectRow:
        self._engine.room.check()
        row: ObjectRow = await self._engine.committer.submit(command)
        return row
