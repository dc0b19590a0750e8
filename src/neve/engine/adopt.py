"""Adopting: versions that another store had, with the ids, times and ETags that they had there.

A version goes where its time puts it among those of its key, whatever order they come in. What the
key has of that id already stays, unless it is an older null version, which is replaced as it was in
the other store; a lock that binds it holds. The bucket's default retention does not speak of them:
they are locked as they were. Quotas hold for versions that a request brings, and not for a drive
that is read: what is on it was let in where it was written.

Invariant: the ranks of a key's versions ascend with their times, as long as the clocks of the
stores that wrote them did.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from neve.blobs.blobs import MANIFEST, Blob, Record
from neve.catalog.catalog import (
    BucketRow,
    ObjectRow,
    PartRow,
    Reader,
    Transaction,
    UploadRow,
    VersionRow,
)
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.conditions import NO_CONDITIONS
from neve.engine.locks import check_removable
from neve.engine.manifests import Manifest, Part, Piece, encode_manifest
from neve.engine.publish import Publication
from neve.engine.upload import CompleteUpload, WantedPart, all_parts, choose_parts, find_upload
from neve.engine.versions import (
    Place,
    find_version,
    place_for,
    put_newest,
    take_out,
    versioning_in,
)
from neve.engine.write import SMALL_BYTES, LargeWriter, PutObject, SmallWriter, Writer, settled
from neve.errors import (
    ConditionalConflict,
    DomainError,
    InvalidBucketState,
    InvalidPart,
    NoSuchBucket,
    NoSuchKey,
    StoreFull,
    VersionConflict,
)

if TYPE_CHECKING:
    from neve.engine.engine import Engine

TRIES = 20
SPACING = 1 << 12
"""How far apart the ranks of versions are that come one after the other: room for more between."""
_PAGE = 100


class Spot(NamedTuple):
    """Where an adopted version goes among those of its key."""

    current: ObjectRow | None
    """What the key shows."""
    place: Place | None
    """Its place as the newest version; None between others, and where no versions are kept."""
    replaced: VersionRow | None = None
    """Between others: the older null version that gives way."""
    low: int = 0
    high: int = 0
    """Between others: its rank is over `low` and below `high`."""

    def holds(self, rank: int) -> bool:
        """Whether a version with this rank (0: the newest) has its place here."""
        return self.low < rank < self.high if self.high else not rank

    @property
    def full(self) -> bool:
        """Whether no rank is left between the two."""
        return 0 < self.high < self.low + 2

    def rank(self, mtime_us: int) -> int:
        """A rank for a version of this time, if there is one left."""
        if not self.high:
            return 0
        if self.low < mtime_us < self.high:
            # Ranks of versions that were written here are their times.
            return mtime_us
        return (self.low + self.high) // 2

    @property
    def gone(self) -> ObjectRow | None:
        """The object that gives its bytes back, if there is one."""
        if self.place is not None:
            return self.place.gone
        if self.high:
            return (
                self.replaced.row if self.replaced is not None and self.replaced.row.etag else None
            )
        return self.current

    @property
    def seq(self) -> int:
        """The least seq that it may have."""
        if self.place is not None:
            return self.place.seq + SPACING if self.place.seq else 0
        if self.high:
            return self.high if self.replaced is None else max(self.high, self.replaced.row.seq + 1)
        return 0 if self.current is None else self.current.seq + 1


def find_spot(reader: Reader, bucket: BucketRow, row: ObjectRow) -> Spot:
    """Where a version goes. Raises: InvalidBucketState, VersionConflict."""
    current = reader.object(bucket.tree, row.key)
    if not bucket.options or versioning_in(bucket.options) is None:
        if row.version or not row.etag:
            raise InvalidBucketState("The bucket keeps no versions.")
        if current is not None and current.mtime_us >= row.mtime_us:
            raise VersionConflict()
        return Spot(current, None)
    there = find_version(reader, bucket.tree, row.key, row.version)
    if there is not None and (row.version or there.row.mtime_us >= row.mtime_us):
        raise VersionConflict()
    newest = VersionRow(current.seq, current) if current is not None else None
    if newest is None:
        others = reader.versions(bucket.tree, row.key, 1)
        newest = others[0] if others else None
    if newest is None or newest.row.mtime_us <= row.mtime_us:
        place = place_for(reader, bucket.tree, row.key, row.version, current)
        return Spot(current, place)
    return _between(reader, current, newest, there, row)


def _between(
    reader: Reader, current: ObjectRow | None, newer: VersionRow, there: VersionRow | None,
    row: ObjectRow,
) -> Spot:  # fmt: skip
    """Where a version goes that is older than the newest of its key."""
    below = 0 if current is not None else newer.rank
    while True:
        page = reader.all_versions(row.tree, row.key, below, _PAGE)
        for each in page:
            if each.row.key != row.key:
                break
            below = each.rank
            if there is not None and each.rank == there.rank:
                continue
            if each.row.mtime_us <= row.mtime_us:
                return Spot(current, None, there, each.rank, newer.rank)
            newer = each
        else:
            if len(page) == _PAGE:
                continue
        return Spot(current, None, there, 0, newer.rank)


def _put(txn: Transaction, batch: Batch, spot: Spot, row: ObjectRow, rank: int) -> None:
    """Write a version of a bucket that keeps versions."""
    if spot.place is not None:
        put_newest(txn, batch, spot.place, row)
        return
    if spot.replaced is not None:
        take_out(txn, batch, spot.replaced)
    txn.put_version(VersionRow(rank, row))
    marker = not row.etag
    batch.count(row.tree, 0, row.size, not marker, marker)
    if not marker:
        batch.moved(row, 1)


class _Adoption(Publication):
    """What makes a publication an adoption: its place is that of its time."""

    __slots__ = ()
    counted: bool
    """Whether quotas hold."""
    rank: int
    """Its place among older versions, which stands in its record; 0: it is the newest."""

    def find_place(self, txn: Transaction, batch: Batch, size: int) -> int:
        """As in the base, but by the rules of adoption. Raises: ConditionalConflict, too."""
        bucket = batch.bucket(txn, self.bucket, self.tree)
        spot = find_spot(txn, bucket, self.wanted)
        if not spot.holds(self.rank):
            raise ConditionalConflict()
        self.current, self.place = spot.current, spot.place
        gone = spot.gone
        if gone is not None:
            check_removable(gone.meta, batch.now, bypass=False)
        if self.counted and batch.guard is not None:
            batch.guard.admit(txn, self.tree, self.key, self.owner, gone, size)
        if spot.seq <= self.seq:
            return self.seq
        batch.amend(self, 0, self.records[0].kind, spot.seq)
        return spot.seq

    def publish(self, txn: Transaction, batch: Batch, row: ObjectRow) -> ObjectRow:
        """As in the base; or among older versions."""
        if not self.rank:
            return super().publish(txn, batch, row)
        bucket = batch.bucket(txn, self.bucket, self.tree)
        _put(txn, batch, find_spot(txn, bucket, self.wanted), row, self.rank)
        return row

    @property
    def wanted(self) -> ObjectRow:
        """The version as it was in the other store."""
        raise NotImplementedError


class AdoptObject(_Adoption, PutObject):
    """Adopt an object whose bytes are in one writer."""

    __slots__ = ("counted", "rank", "row")

    def __init__(
        self, bucket: str, row: ObjectRow, writer: SmallWriter | LargeWriter, rank: int = 0, *,
        counted: bool = False,
    ) -> None:  # fmt: skip
        about = (bucket, row.tree, row.key, writer, row.etag, row.meta, row.checksum)
        super().__init__(*about, NO_CONDITIONS, row.version, row.owner, row.mtime_us)
        self.counted, self.rank, self.row = counted, rank, row
        if not rank:
            return
        told = (row.tree, row.key, row.etag, row.mtime_us, row.meta, row.checksum)
        version = (row.version, row.owner, rank)
        if isinstance(writer, SmallWriter):
            head = records.object_head(*told, *version)
        else:
            assert self.blob is not None
            head = records.object_at_head(*told, self.size, self.blob.pack(), None, *version)
        self.records = [self.records[0]._replace(head=head)]

    @property
    def wanted(self) -> ObjectRow:
        return self.row


class AdoptParts(_Adoption):
    """Adopt an object whose parts are files, named by a packed manifest."""

    __slots__ = ("counted", "manifest", "rank", "row")

    def __init__(self, bucket: str, row: ObjectRow, manifest: bytes, rank: int = 0) -> None:
        self.bucket, self.tree, self.key = bucket, row.tree, row.key
        self.version, self.owner = row.version, row.owner
        self.counted, self.rank, self.row = False, rank, row
        self.manifest = manifest
        self.seq = now_us()
        self.records = [_parts_record(row, manifest, self.seq, rank)]

    @property
    def wanted(self) -> ObjectRow:
        return self.row

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        seq = self.find_place(txn, batch, self.row.size)
        id = txn.put_manifest(self.manifest)
        blob = Blob(MANIFEST, id, 0, self.row.size, 0).pack()
        return self.publish(txn, batch, self.row._replace(seq=seq, blob=blob))


class AdoptUpload(_Adoption, CompleteUpload):
    """Adopt the parts of an upload as one object."""

    __slots__ = ("counted", "rank")

    def __init__(
        self, bucket: str, row: ObjectRow, upload: UploadRow, parts: list[PartRow],
        unused: list[PartRow], rank: int,
    ) -> None:  # fmt: skip
        about = (row.etag, row.checksum, NO_CONDITIONS, row.version, row.owner)
        super().__init__(bucket, upload, parts, unused, *about)
        self.counted, self.rank = True, rank
        self.row = self.row._replace(mtime_us=row.mtime_us)
        self.records = [_parts_record(self.row, self.manifest, self.seq, rank)]

    @property
    def wanted(self) -> ObjectRow:
        return self.row


def _parts_record(row: ObjectRow, manifest: bytes, seq: int, rank: int) -> Record:
    about = (row.tree, row.key, row.etag, row.mtime_us, row.meta, row.checksum)
    version = (row.version, row.owner, rank)
    head = records.object_at_head(*about, row.size, b"", manifest, *version)
    return Record(records.OBJECT_AT, seq, head, b"", 0)


class AdoptMarker(Command):
    """Adopt a delete marker."""

    __slots__ = ("bucket", "rank", "row")

    def __init__(self, bucket: str, row: ObjectRow, rank: int = 0) -> None:
        self.bucket = bucket
        self.rank = rank
        self.row = row._replace(seq=now_us())
        about = (row.tree, row.key, row.version, row.owner, row.mtime_us)
        head = records.marker_head(*about, rank)
        self.records = [Record(records.MARKER, self.row.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        row = self.row
        spot = find_spot(txn, batch.bucket(txn, self.bucket, row.tree), row)
        if not spot.holds(self.rank):
            raise ConditionalConflict()
        if spot.gone is not None:
            check_removable(spot.gone.meta, batch.now, bypass=False)
        if spot.seq > row.seq:
            row = row._replace(seq=spot.seq)
            batch.amend(self, 0, records.MARKER, row.seq)
        _put(txn, batch, spot, row, self.rank)
        return row


class Adopter:
    """Adopts versions into the buckets of one engine; belongs to its thread.

    A row says everything but where the bytes are: size, ETag, time, metadata, version, owner.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._reader = engine.catalog.reader()

    def part_writer(self) -> Writer:
        """A sink for a part of any size, which becomes a file of its own. Raises: StoreFull."""
        return self._engine.writer(SMALL_BYTES)

    async def adopt_object(
        self, bucket: str, row: ObjectRow, writer: Writer, *, counted: bool = False
    ) -> ObjectRow:
        """Adopt a closed writer's bytes, or give them up. `counted`: quotas hold.

        Raises: NoSuchBucket, InvalidBucketState, VersionConflict, ObjectLocked, QuotaExceeded,
        StoreFull.
        """
        target = settled(writer)

        def command(rank: int) -> Command:
            return AdoptObject(bucket, row, target, rank, counted=counted)

        try:
            return await self._submit(bucket, row, command)
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
        manifest = encode_manifest(Manifest("", told))
        try:
            return await self._submit(
                bucket, row, lambda rank: AdoptParts(bucket, row, manifest, rank)
            )
        except (DomainError, StoreFull):
            for _, _, writer in parts:
                writer.abort()
            raise

    async def adopt_upload(
        self, bucket: str, row: ObjectRow, upload_id: str, wanted: list[WantedPart]
    ) -> ObjectRow:
        """Adopt the wanted parts of an upload as one object; its size follows from them.

        Raises: as `adopt_object`; NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall.
        """
        if not wanted:
            raise InvalidPart(UploadId=upload_id)

        def command(rank: int) -> Command:
            upload = find_upload(self._reader, row.tree, row.key, upload_id)
            there = all_parts(self._reader, upload_id)
            parts = choose_parts(there, wanted, upload_id, self._engine.part_bytes_min)
            told = upload._replace(meta=row.meta)
            return AdoptUpload(bucket, row, told, *parts, rank)

        return await self._submit(bucket, row, command)

    async def adopt_marker(self, bucket: str, row: ObjectRow) -> ObjectRow:
        """Adopt a delete marker. Raises: as `adopt_object`."""
        return await self._submit(bucket, row, lambda rank: AdoptMarker(bucket, row, rank))

    async def _submit(
        self, name: str, row: ObjectRow, command: Callable[[int], Command]
    ) -> ObjectRow:
        """Submit the command for the place that the version has, until it still has it then.

        Those of one key come one after the other, so that only other processes come in between.
        """
        turn = self._engine.turns.setdefault((row.tree, row.key), asyncio.Lock())
        async with turn:
            return await self._submit_now(name, row, command)

    async def _submit_now(
        self, name: str, row: ObjectRow, command: Callable[[int], Command]
    ) -> ObjectRow:
        for _ in range(TRIES):
            self._engine.room.check()
            bucket = self._reader.bucket(name)
            if bucket is None or bucket.tree != row.tree:
                raise NoSuchBucket(BucketName=name)
            spot = find_spot(self._reader, bucket, row)
            try:
                if spot.full:
                    await self._make_room(name, row, spot.low)
                    continue
                rank = spot.rank(row.mtime_us)
                done: ObjectRow = await self._engine.committer.submit(command(rank))
                return done
            except (ConditionalConflict, NoSuchKey):
                continue
        raise ConditionalConflict()

    async def _make_room(self, bucket: str, row: ObjectRow, upto: int) -> None:
        """Move the versions of a key with ranks to `upto` down to their times, the oldest first."""
        older: list[VersionRow] = []
        below = upto + 1
        while page := self._reader.all_versions(row.tree, row.key, below, _PAGE):
            older += [each for each in page if each.row.key == row.key]
            if page[-1].row.key != row.key:
                break
            below = page[-1].rank
        last = 0
        for each in reversed(older):
            rank = max(last + 1, each.row.mtime_us)
            if rank < each.rank:
                await self._engine.move_version(bucket, each, rank)
            last = min(rank, each.rank)
