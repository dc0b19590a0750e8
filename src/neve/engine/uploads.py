"""Multipart uploads as the engine keeps them: opened, filled, completed or aborted.

Parts are files of their own, or share the files of the object they were copied from; completing
names them and moves no bytes.
"""

import hashlib

from neve.blobs.blobs import SEGMENT, unpack_blob
from neve.catalog.catalog import (
    ObjectRow,
    PartRow,
    UploadRow,
)
from neve.clock import new_id, now_us
from neve.engine.bucket import Bucket
from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.core import Core
from neve.engine.manifests import Piece, encode_pieces
from neve.engine.upload import (
    AbortUpload,
    CompleteUpload,
    CreateUpload,
    PutPart,
    PutSharedPart,
    WantedPart,
    all_parts,
    choose_parts,
    completed_before,
    find_upload,
    multipart_etag,
)
from neve.engine.versions import (
    version_for,
)
from neve.engine.write import (
    LargeWriter,
    SmallWriter,
    Writer,
    settled,
)
from neve.errors import (
    ConditionalConflict,
    DomainError,
    InvalidPart,
    NoSuchUpload,
    VersioningChanged,
)

COMPLETE_TRIES = 5
COMPLETED_LOOKED_AT = 100
"""How many versions of a key are looked at for the one that an upload has become."""


class Uploads(Core):
    """Everything about uploads; a part of `neve.engine.engine.Engine`."""

    async def create_upload(
        self, bucket: Bucket, key: str, owner: str, meta: bytes, checksum: str | None
    ) -> str:
        """Open an upload and return its id. Raises: QuotaExceeded when no byte would fit."""
        self.quotas.check_write(bucket, key, 1, owner)
        row = UploadRow(new_id(), bucket.tree, key, now_us(), owner, meta, checksum)
        await self._write(CreateUpload(bucket.name, row))
        return row.id

    def upload(self, bucket: Bucket, key: str, id: str) -> UploadRow:
        """Raises: NoSuchUpload."""
        return find_upload(self._reader, bucket.tree, key, id)

    async def put_part(
        self,
        bucket: Bucket,
        key: str,
        upload_id: str,
        number: int,
        writer: Writer,
        *,
        etag: str,
        checksum: str | None,
    ) -> PartRow:
        """Add a closed writer's bytes as a part. Raises: NoSuchUpload, QuotaExceeded."""
        try:
            self.quotas.check_part(bucket, key, upload_id, number, writer.size)
        except DomainError:
            writer.abort()
            raise
        target = settled(writer)
        if isinstance(target, SmallWriter):
            target = await self._as_file(target)
        assert target.blob is not None
        pieces = [Piece(target.blob.pack(), 0, target.size)] if target.size else []
        row = PartRow(
            upload_id, number, target.size, etag, now_us(), checksum, encode_pieces(pieces)
        )
        part: PartRow = await self._publish(PutPart(bucket.tree, key, row, False), target)
        if not target.size:
            target.abort()
        return part

    async def copy_part(
        self,
        bucket: Bucket,
        key: str,
        upload_id: str,
        number: int,
        source: ObjectRow,
        start: int,
        stop: int,
        *,
        checksum: str | None = None,
    ) -> PartRow:
        """Add bytes [start, stop) of an object as a part; bytes in files are shared, not copied."""
        self.quotas.check_part(bucket, key, upload_id, number, stop - start)
        pieces = self._objects.pieces(self._reader, source, start, stop)
        if pieces and unpack_blob(pieces[0].blob).tier == SEGMENT:
            data = (await self._in_pool(self._read_whole, source))[start:stop]
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            writer = SmallWriter(data)
            return await self.put_part(
                bucket, key, upload_id, number, writer, etag=etag, checksum=checksum
            )
        lease = self._leases.take()
        try:
            etag = await self._in_pool(self._md5_of, pieces)
        finally:
            lease.end()
        packed = encode_pieces(pieces)
        row = PartRow(upload_id, number, stop - start, etag, now_us(), checksum, packed)
        command = PutSharedPart(bucket.tree, key, row, source)
        part: PartRow = await self._write(command)
        return part

    def list_parts(self, upload_id: str, after: int, limit: int) -> tuple[list[PartRow], bool]:
        """Parts with a number over `after`, and whether there are more."""
        if limit <= 0:
            return [], False
        parts = self._reader.parts(upload_id, after, limit + 1)
        return parts[:limit], len(parts) > limit

    def list_uploads(
        self, bucket: Bucket, prefix: str, key_after: str, id_after: str, limit: int
    ) -> list[UploadRow]:
        return self._reader.uploads(bucket.tree, prefix, key_after, id_after, limit)

    async def complete_upload(
        self,
        bucket: Bucket,
        key: str,
        upload_id: str,
        wanted: list[tuple[int, str, str | None]],
        *,
        checksum: str | None = None,
        meta: bytes | None = None,
        conditions: Conditions = NO_CONDITIONS,
    ) -> ObjectRow:
        """Publish the wanted parts as one object; asked again, answer the same.

        `meta`: metadata in the place of those the upload was begun with.

        Raises: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, PreconditionFailed.
        """
        want = [WantedPart(*part) for part in wanted]
        if not want:
            raise InvalidPart(UploadId=upload_id)
        for attempt in range(COMPLETE_TRIES):
            try:
                row = self.upload(bucket, key, upload_id)
            except NoSuchUpload:
                return self._completed_before(bucket, key, upload_id, want)
            there = all_parts(self._reader, upload_id)
            try:
                used, unused = choose_parts(there, want, upload_id, self.part_bytes_min)
            except InvalidPart:
                if self._reader.upload(upload_id) is None:
                    continue  # Completed or aborted between the two reads.
                raise
            etag = multipart_etag(used)
            if meta is not None:
                row = row._replace(meta=meta)
            owner = "" if row.owner == bucket.owner else row.owner
            about = (etag, checksum, conditions, version_for(bucket.versioning, key), owner)
            command = CompleteUpload(bucket.name, row, used, unused, *about)
            try:
                done: ObjectRow = await self._write(command)
                return done
            except VersioningChanged:
                bucket = self._now(bucket)
            except ConditionalConflict:
                if attempt == COMPLETE_TRIES - 1:
                    raise
            except NoSuchUpload:
                continue
        raise ConditionalConflict()

    def _completed_before(
        self, bucket: Bucket, key: str, upload_id: str, want: list[WantedPart]
    ) -> ObjectRow:
        parts = [PartRow(upload_id, w.number, 0, w.etag, 0, None, b"") for w in want]
        try:
            etag = multipart_etag(parts)
        except ValueError:
            raise NoSuchUpload(UploadId=upload_id) from None
        rows = [self._reader.object(bucket.tree, key)]
        if bucket.versioning is not None:
            rows += [v.row for v in self._reader.versions(bucket.tree, key, COMPLETED_LOOKED_AT)]
        for row in rows:
            if row is not None and completed_before(self._reader, row, upload_id, etag):
                return row
        raise NoSuchUpload(UploadId=upload_id)

    async def abort_upload(self, bucket: Bucket, key: str, upload_id: str) -> None:
        """Raises: NoSuchUpload."""
        await self.committer.submit(AbortUpload(bucket.tree, key, upload_id))

    async def _as_file(self, writer: SmallWriter) -> LargeWriter:
        large = self._large_writer()
        large.feed(memoryview(writer.data))
        await large.close()
        return large

    def _md5_of(self, pieces: list[Piece]) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in pieces:
            at, end = piece.start, piece.start + piece.length
            while at < end:
                data = self._read_span(piece.blob, at, min(at + (1 << 20), end))
                digest.update(data)
                at += len(data)
        return digest.hexdigest()
