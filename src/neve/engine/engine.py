"""The engine: catalog and blobs as one store with the rules of S3. It knows no rights, no HTTP.

Reads are synchronous and never wait for the disk; writes return once they are durable. One engine
per process, used from its event loop's thread.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from neve.blobs.blobs import MANIFEST, SEGMENT, unpack_blob
from neve.catalog.catalog import (
    BucketRow,
    ObjectRow,
    VersionRow,
)
from neve.engine import buckets, quota
from neve.engine.bucket import Bucket
from neve.engine.change import ChangeMeta
from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.copy import CopyShared
from neve.engine.delete import Deleted, DeleteObject, DeleteObjects, Deletion
from neve.engine.list import Page, VersionPage, list_page, version_page
from neve.engine.manifests import Part
from neve.engine.read import Body
from neve.engine.rows import Found
from neve.engine.uploads import Uploads
from neve.engine.versions import (
    Versioning,
    check_options,
    find_version,
    options_of,
    version_for,
)
from neve.engine.write import (
    PutObject,
    SmallWriter,
    Writer,
    settled,
)
from neve.errors import (
    ConditionalConflict,
    DomainError,
    NoSuchBucket,
    NoSuchKey,
    NoSuchVersion,
    VersioningChanged,
)
from neve.names import check_bucket_name

CHANGE_TRIES = 100

log = logging.getLogger("neve.engine")


class Engine(Uploads):
    """See the module; `neve.engine.store.open_engine` builds one on a folder."""

    # Buckets.

    async def create_bucket(
        self, name: str, owner: str, region: str, options: dict[str, Any] | None = None
    ) -> Bucket:
        """Raises: InvalidBucketName, BucketAlreadyExists, BucketAlreadyOwnedByYou."""
        check_bucket_name(name)
        packed = msgspec.msgpack.encode(options) if options else b""
        row = await self._write(buckets.CreateBucket(name, owner, region, packed))
        await self.committer.submit(buckets.TellBucket(row))
        return Bucket(row)

    async def delete_bucket(self, name: str) -> None:
        """Raises: NoSuchBucket, BucketNotEmpty."""
        tree = self.bucket(name).tree
        await self.committer.submit(buckets.DeleteBucket(name, tree))

    async def set_bucket_policy(self, name: str, document: bytes | None) -> None:
        """Put or (None) remove the policy, which was parsed before. Raises: NoSuchBucket."""
        change = buckets.ChangeBucket(name, lambda row: row._replace(policy=document))
        await self.change_bucket(change)

    async def set_bucket_option(self, name: str, option: str, value: Any) -> None:
        """Set a switch of the bucket; None removes it. Raises: NoSuchBucket."""
        await self.set_bucket_options(name, {option: value})

    async def set_versioning(self, name: str, versioning: Versioning) -> None:
        """Raises: NoSuchBucket, InvalidBucketState (the bucket has object lock)."""
        await self.set_bucket_options(name, options_of(versioning))

    async def set_bucket_options(self, name: str, changes: dict[str, Any]) -> None:
        """Set switches of the bucket at once; None removes one.

        Raises: NoSuchBucket, InvalidBucketState.
        """
        assert quota.OPTION not in changes, "counters go with it: see quotas.set_bucket"

        def change(row: BucketRow) -> BucketRow:
            old = msgspec.msgpack.decode(row.options) if row.options else {}
            options = {key: kept for key, kept in (old | changes).items() if kept is not None}
            check_options(old, options)
            packed = msgspec.msgpack.encode(options) if options else b""
            return row._replace(options=packed)

        await self.change_bucket(buckets.ChangeBucket(name, change))

    def usage(self, bucket: Bucket) -> tuple[int, int]:
        """(current objects, bytes of all versions), exact."""
        return self._reader.usage(bucket.tree)

    def version_usage(self, bucket: Bucket) -> tuple[int, int]:
        """(noncurrent versions, delete markers), exact."""
        return self._reader.version_usage(bucket.tree)

    # Objects.

    def head(self, bucket: Bucket, key: str, version: str | None = None) -> ObjectRow:
        """The current object, or the version of that id ('': the null version), maybe a marker.

        Raises: NoSuchKey (with its marker when that is the newest version), NoSuchVersion.
        """
        if version is not None:
            return self._find(bucket, key, version).row
        return self.find(bucket, key).row

    def find(self, bucket: Bucket, key: str) -> Found:
        """The object as of now, and what was derived from it before. Raises: as `head`."""
        found = self._rows.find(bucket.tree, key)
        if found is None:
            absent = NoSuchKey(Key=key)
            if bucket.versioning is not None:
                last = self._reader.versions(bucket.tree, key, 1)
                absent.marker = last[0].row.version if last else None
            raise absent
        return found

    def _find(self, bucket: Bucket, key: str, version: str | None) -> VersionRow:
        """Raises: as `head`."""
        if version is None:
            return VersionRow(0, self.head(bucket, key))
        found = find_version(self._reader, bucket.tree, key, version)
        if found is None:
            raise NoSuchVersion(Key=key, VersionId=version or "null")
        return found

    def read(self, row: ObjectRow, start: int, stop: int) -> Body:
        """Bytes [start, stop) of the object, in hand or as spans to send. Raises: BlobMissing."""
        return self._objects.read(self._reader, row, start, stop)

    def read_whole(self, found: Found) -> Body:
        """All bytes of the object, as `read`; those of small objects are kept in memory."""
        data = found.data
        if data is None:
            row = found.row
            body = self._objects.read(self._reader, row, 0, row.size)
            if type(body) is not bytes:
                return body
            self._rows.keep_data(found, body)
            return body
        return data

    def parts_of(self, row: ObjectRow) -> list[Part] | None:
        """The parts of a multipart object; None for others."""
        if not row.blob:
            return None
        blob = unpack_blob(row.blob)
        if blob.tier != MANIFEST:
            return None
        return self._objects.manifest(self._reader, blob.id).parts

    def list_objects(
        self, bucket: Bucket, prefix: str, delimiter: str, after: str, limit: int
    ) -> Page:
        return list_page(self._reader, bucket.tree, prefix, delimiter, after, limit)

    async def put_object(
        self,
        bucket: Bucket,
        key: str,
        writer: Writer,
        *,
        etag: str,
        meta: bytes,
        checksum: str | None,
        conditions: Conditions = NO_CONDITIONS,
        owner: str = "",
    ) -> ObjectRow:
        """Publish a closed writer's bytes.

        Raises: NoSuchBucket, PreconditionFailed, QuotaExceeded, StoreFull.
        """
        target = settled(writer)
        while True:
            version = version_for(bucket.versioning, key)
            about = (target, etag, meta, checksum, conditions, version, owner)
            try:
                command = PutObject(bucket.name, bucket.tree, key, *about)
                row: ObjectRow = await self._publish(command, target)
                return row
            except VersioningChanged:
                try:
                    bucket = self._now(bucket)
                except NoSuchBucket:
                    target.abort()
                    raise

    async def delete_object(
        self,
        bucket: Bucket,
        key: str,
        conditions: Conditions = NO_CONDITIONS,
        *,
        version: str | None = None,
        bypass: bool = False,
        owner: str = "",
    ) -> Deleted:
        """Delete what the key shows, or the version of that id for ever.

        `bypass`: a retention in governance mode does not hold against the caller.
        Raises: PreconditionFailed, NoSuchKey (a condition found nothing), ObjectLocked.
        """
        deletion = Deletion(key, conditions, version, bypass)
        while True:
            command = DeleteObject(bucket.name, bucket.tree, deletion, bucket.versioning, owner)
            try:
                done: Deleted = await self.committer.submit(command)
                return done
            except VersioningChanged:
                bucket = self._now(bucket)

    async def delete_objects(
        self, bucket: Bucket, deletions: list[Deletion], owner: str = ""
    ) -> list[Deleted | DomainError]:
        """Delete many in one transaction; for each what it came to, or why not."""
        while True:
            command = DeleteObjects(bucket.name, bucket.tree, deletions, bucket.versioning, owner)
            try:
                done: list[Deleted | DomainError] = await self.committer.submit(command)
                return done
            except VersioningChanged:
                bucket = self._now(bucket)

    def list_versions(
        self, bucket: Bucket, prefix: str, delimiter: str, key_after: str,
        version_after: str | None, limit: int,
    ) -> VersionPage:  # fmt: skip
        """A page of all versions, those of a key newest first."""
        return version_page(
            self._reader, bucket.tree, prefix, delimiter, key_after, version_after, limit
        )

    async def copy_object(
        self,
        source: ObjectRow,
        bucket: Bucket,
        key: str,
        *,
        meta: bytes,
        checksum: str | None,
        conditions: Conditions = NO_CONDITIONS,
        owner: str = "",
    ) -> ObjectRow:
        """Publish the bytes of `source` at another key.

        Raises: NoSuchKey or ConditionalConflict when `source` changed meanwhile.
        """
        tier = unpack_blob(source.blob).tier if source.blob else SEGMENT
        if tier == SEGMENT:
            data = await self._in_pool(self._read_whole, source)
            return await self.put_object(
                bucket,
                key,
                SmallWriter(data),
                etag=source.etag,
                meta=meta,
                checksum=checksum,
                conditions=conditions,
                owner=owner,
            )
        manifest = None
        if tier == MANIFEST:
            manifest = self._reader.manifest(unpack_blob(source.blob).id)

        while True:
            version = version_for(bucket.versioning, key)
            about = (meta, checksum, conditions, manifest, version, owner)
            command = CopyShared(source, bucket.name, bucket.tree, key, *about)
            try:
                row: ObjectRow = await self._write(command)
                return row
            except VersioningChanged:
                bucket = self._now(bucket)

    async def set_object_meta(
        self,
        bucket: Bucket,
        key: str,
        change: Callable[[ObjectRow], bytes],
        version: str | None = None,
        *,
        bypass: bool = False,
    ) -> ObjectRow:
        """Give an object (or a version) the metadata that `change` makes of it; all else stays.

        `change` may be asked more than once; what it raises ends the matter.
        `bypass`: a retention in governance mode may be shortened.
        Raises: NoSuchKey, NoSuchVersion, ObjectLocked, BlobCorrupt; ConditionalConflict when others
        never cease to write it.
        """
        for _ in range(CHANGE_TRIES):
            lease = self._leases.take()
            try:
                found = self._find(bucket, key, version)
                row = found.row
                meta = change(row)
                if meta == row.meta:
                    return row
                told = await self._told(row)
            finally:
                lease.end()
            try:
                done: ObjectRow = await self._write(
                    ChangeMeta(bucket.name, found, meta, *told, bypass=bypass)
                )
                return done
            except ConditionalConflict:
                continue
        raise ConditionalConflict()

    async def move_version(self, bucket: str, found: VersionRow, rank: int) -> None:
        """Give a version that is not the newest another place among those of its key.

        Raises: NoSuchKey, ConditionalConflict, BlobCorrupt.
        """
        lease = self._leases.take()
        try:
            told = await self._told(found.row)
        finally:
            lease.end()
        await self._write(ChangeMeta(bucket, found, found.row.meta, *told, rank=rank))

    async def _told(self, row: ObjectRow) -> tuple[bytes | None, bytes | None]:
        """Bytes in a segment and manifest, with which a version is told anew."""
        tier = unpack_blob(row.blob).tier if row.blob else SEGMENT
        if tier == SEGMENT:
            return await self._in_pool(self._read_whole, row), None
        if tier == MANIFEST:
            return None, self._reader.manifest(unpack_blob(row.blob).id)
        return None, None
