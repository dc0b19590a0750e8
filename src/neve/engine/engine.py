"""The engine: catalog and blobs as one store with the rules of S3. It knows no rights, no HTTP.

Reads are synchronous and never wait for the disk; writes return once they are durable. One engine
per process, used from its event loop's thread.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from neve.blobs.blobs import MANIFEST, SEGMENT, BlobStore, unpack_blob
from neve.catalog.catalog import (
    BucketRow,
    Catalog,
    ObjectRow,
    PartRow,
    Reader,
    UploadRow,
    VersionRow,
)
from neve.clock import new_id, now_us
from neve.engine import buckets, quota
from neve.engine.change import ChangeMeta
from neve.engine.commit import Command, Committer, Nothing
from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.copy import CopyShared
from neve.engine.delete import Deleted, DeleteObject, DeleteObjects, Deletion
from neve.engine.guard import UserBook
from neve.engine.lifecycle import rules_of
from neve.engine.list import Page, VersionPage, list_page, version_page
from neve.engine.manifests import Part, Piece, encode_pieces
from neve.engine.quotas import Quotas
from neve.engine.read import Body, Leases, ObjectReader, read_span
from neve.engine.room import Room
from neve.engine.rows import Found, Rows
from neve.engine.settings import Changes, ChangeSettings, settings_seq
from neve.engine.upload import (
    PART_BYTES_MIN,
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
    LOCK,
    Versioning,
    check_options,
    find_version,
    options_of,
    version_for,
    versioning_of,
)
from neve.engine.write import (
    LARGE_WRITERS_MAX,
    SMALL_BYTES,
    AnyWriter,
    LargeWriter,
    PutObject,
    Slots,
    SmallWriter,
    Writer,
    digest_of,
    settled,
)
from neve.errors import (
    BlobCorrupt,
    ConditionalConflict,
    DomainError,
    InvalidPart,
    MalformedPolicy,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    NoSuchVersion,
    StoreFull,
    VersioningChanged,
)
from neve.iam.policies import Policy, parse_policy
from neve.names import check_bucket_name

COMPLETE_TRIES = 5
CHANGE_TRIES = 100
COMPLETED_LOOKED_AT = 100
"""How many versions of a key are looked at for the one that an upload has become."""

log = logging.getLogger("neve.engine")


class Shared(Protocol):
    """What the processes of one store tell each other without a lock (`neve.server.shared`)."""

    def bucket_generation(self) -> int: ...
    def bump_bucket_generation(self) -> None: ...
    def settings_generation(self) -> int: ...
    def bump_settings_generation(self) -> None: ...
    def set_oldest_read(self, at_us: int) -> None: ...


class Bucket:
    """A bucket as requests see it; immutable, replaced when its row changes."""

    __slots__ = (
        "created_us",
        "lifecycle",
        "locks",
        "name",
        "options",
        "owner",
        "policy",
        "policy_document",
        "quota",
        "region",
        "tree",
        "versioning",
    )

    def __init__(self, row: BucketRow) -> None:
        self.name = row.name
        self.tree = row.tree
        self.owner = row.owner
        self.created_us = row.created_us
        self.region = row.region
        self.policy_document = row.policy
        self.policy = stored_policy(row)
        self.options: dict[str, Any] = msgspec.msgpack.decode(row.options) if row.options else {}
        self.lifecycle = rules_of(self.options)
        """None without enabled rules."""
        self.quota = quota.of_options(self.options) if self.options else None
        self.versioning = versioning_of(self.options)
        """None for a bucket that was never versioned."""
        self.locks = LOCK in self.options
        """Whether it has object lock."""


def stored_policy(row: BucketRow) -> Policy | None:
    """The bucket's policy. One that this release cannot read grants nothing to anybody."""
    if not row.policy:
        return None
    try:
        return parse_policy(row.policy, row.name)
    except MalformedPolicy as error:
        log.error("the policy of bucket %s cannot be read and grants nothing: %s", row.name, error)
        return None


class Engine:
    """See the module; `neve.engine.store.open_engine` builds one on a folder."""

    def __init__(
        self,
        catalog: Catalog,
        store: BlobStore,
        shared: Shared,
        *,
        durable: bool = True,
        pool_threads: int = 4,
        part_bytes_min: int = PART_BYTES_MIN,
        free_bytes_min: int = 0,
        on_fatal: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.catalog = catalog
        self.store = store
        self.durable = durable
        self.part_bytes_min = part_bytes_min
        # What is in the catalog's log is written once more, to its tables.
        self.room = Room(lambda: store.free_bytes() - catalog.log_bytes(), free_bytes_min)
        self._shared = shared
        self._reader: Reader = catalog.reader()
        self._rows = Rows(self._reader)
        self._pool = ThreadPoolExecutor(pool_threads, thread_name_prefix="disk")
        self._leases = Leases(shared.set_oldest_read)
        self._objects = ObjectReader(store, self._leases)
        self._slots = Slots(LARGE_WRITERS_MAX)
        self._buckets: dict[str, Bucket] = {}
        self._generation = -1
        users = UserBook(shared.settings_generation, shared.bump_settings_generation)
        self.quotas = Quotas(self, users)
        self.settings_generation = shared.settings_generation
        """A number that changes after every change of a setting, on every process at once."""
        self.committer = Committer(
            catalog,
            store,
            self.room,
            durable=durable,
            on_buckets_changed=shared.bump_bucket_generation,
            on_settings_changed=shared.bump_settings_generation,
            settings_generation=shared.settings_generation,
            on_fatal=on_fatal,
        )

    def start(self) -> None:
        """Begin to take writes; call inside the running event loop."""
        self.committer.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """Finish every submitted write and let go of the folder."""
        await self.committer.close()
        self._pool.shutdown()
        self.store.close()
        self.catalog.close()

    def check_space(self) -> None:
        """Look at the free space again; called once a second by the owner of the loop."""
        self.room.look()
        if self.room.full:
            # Its answer, an error too, is that of the next write.
            self.committer.submit(Nothing()).add_done_callback(lambda done: done.exception())

    # Buckets.

    def bucket(self, name: str) -> Bucket:
        """The bucket as of now. Raises: NoSuchBucket."""
        generation = self._shared.bucket_generation()
        if generation != self._generation:
            self._buckets.clear()
            self._generation = generation
        found = self._buckets.get(name)
        if found is None:
            row = self._reader.bucket(name)
            if row is None:
                raise NoSuchBucket(BucketName=name)
            found = self._buckets[name] = Bucket(row)
        return found

    def buckets(self) -> list[Bucket]:
        """All buckets in name order."""
        return [Bucket(row) for row in self._reader.buckets()]

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
        await self.committer.submit(buckets.DeleteBucket(name))
        await self.committer.submit(buckets.TellBucket(None, name, tree))

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

    async def change_bucket(self, command: Command) -> BucketRow:
        """Run a `ChangeBucket`, and tell the bucket for a rebuild. Raises: NoSuchBucket."""
        row: BucketRow = await self._write(command)
        await self.committer.submit(buckets.TellBucket(row))
        return row

    def usage(self, bucket: Bucket) -> tuple[int, int]:
        """(current objects, bytes of all versions), exact."""
        return self._reader.usage(bucket.tree)

    def version_usage(self, bucket: Bucket) -> tuple[int, int]:
        """(noncurrent versions, delete markers), exact."""
        return self._reader.version_usage(bucket.tree)

    # Settings.

    def setting(self, name: str) -> bytes | None:
        """What the store as a whole is told under the name."""
        return self._reader.setting(name)

    def settings(self, prefix: str) -> list[tuple[str, bytes]]:
        """All settings whose names begin with `prefix`, in order."""
        return self._reader.settings(prefix)

    def settings_seq(self) -> int:
        """What `change_settings` must have seen."""
        return settings_seq(self._reader)

    async def change_settings(self, changes: Changes, seen: int) -> None:
        """Put and (None) remove settings, together. Raises: ConditionalConflict."""
        await self.committer.submit(ChangeSettings(changes, seen))

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

    def small(self, data: bytes) -> Writer:
        """A writer around a whole body in memory."""
        if len(data) < SMALL_BYTES:
            return SmallWriter(data)
        writer = self.writer(len(data))
        writer.feed(memoryview(data))
        return writer

    def writer(self, size: int | None) -> Writer:
        """A sink for a body of `size` bytes, None when that is not known. Raises: StoreFull."""
        self.room.check()
        if size is None:
            return AnyWriter(self._large_writer)
        if size < SMALL_BYTES:
            return SmallWriter()
        return self._large_writer()

    def _large_writer(self) -> LargeWriter:
        return LargeWriter(self.store, self._pool, self._slots, self.room, durable=self.durable)

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
                tier = unpack_blob(row.blob).tier if row.blob else SEGMENT
                data = manifest = None
                if tier == SEGMENT:
                    data = await self._in_pool(self._read_whole, row)
                elif tier == MANIFEST:
                    manifest = self._reader.manifest(unpack_blob(row.blob).id)
            finally:
                lease.end()
            try:
                done: ObjectRow = await self._write(
                    ChangeMeta(bucket.name, found, meta, data, manifest, bypass=bypass)
                )
                return done
            except ConditionalConflict:
                continue
        raise ConditionalConflict()

    # Multipart uploads.

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

    # Inner workings.

    async def _write(self, command: Command) -> Any:
        """Submit a command that needs room."""
        self.room.check()
        return await self.committer.submit(command)

    def _now(self, bucket: Bucket) -> Bucket:
        """The bucket as it is now. Raises: NoSuchBucket, for another of the same name too."""
        now = self.bucket(bucket.name)
        if now.tree != bucket.tree:
            raise NoSuchBucket(BucketName=bucket.name)
        return now

    async def _publish(self, command: Command, writer: SmallWriter | LargeWriter) -> Any:
        """Submit, and give the bytes up when the command is refused."""
        try:
            self.room.check()
            return await self.committer.submit(command)
        except VersioningChanged:
            raise  # The bytes are wanted for the next try.
        except (DomainError, StoreFull):
            writer.abort()
            raise

    async def _in_pool(self, call: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, call, *args)

    async def _as_file(self, writer: SmallWriter) -> LargeWriter:
        large = self._large_writer()
        large.feed(memoryview(writer.data))
        await large.close()
        return large

    def _read_whole(self, row: ObjectRow) -> bytes:
        if not row.blob:
            return b""
        blob = unpack_blob(row.blob)
        data = self._read_span(blob.pack(), 0, row.size)
        if digest_of(data) != blob.digest:
            # Writing damaged bytes again would give them a digest that is right.
            raise BlobCorrupt(f"{row.key!r} does not match its digest")
        return data

    def _read_span(self, packed: bytes, start: int, stop: int) -> bytes:
        return read_span(self.store.span(unpack_blob(packed), start, stop))

    def _md5_of(self, pieces: list[Piece]) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in pieces:
            at, end = piece.start, piece.start + piece.length
            while at < end:
                data = self._read_span(piece.blob, at, min(at + (1 << 20), end))
                digest.update(data)
                at += len(data)
        return digest.hexdigest()
