"""What every part of the engine stands on: the catalog, the blobs, and the way of a write.

The parts are `engine` (buckets, objects) and `uploads` (multipart uploads); this module has what
both need: the bucket of a request, settings, writers, and how a command is submitted.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from weakref import WeakValueDictionary

from neve.blobs.blobs import BlobStore, unpack_blob
from neve.catalog.catalog import BucketRow, Catalog, ObjectRow, Reader
from neve.engine import buckets
from neve.engine.bucket import Bucket
from neve.engine.commit import Command, Committer, Nothing
from neve.engine.guard import UserBook
from neve.engine.quotas import Quotas
from neve.engine.read import Leases, ObjectReader, read_span
from neve.engine.room import Room
from neve.engine.rows import Rows
from neve.engine.settings import Changes, ChangeSettings, settings_seq
from neve.engine.upload import PART_BYTES_MIN
from neve.engine.write import (
    LARGE_WRITERS_MAX,
    SMALL_BYTES,
    AnyWriter,
    LargeWriter,
    Slots,
    SmallWriter,
    Writer,
    digest_of,
)
from neve.errors import BlobCorrupt, DomainError, NoSuchBucket, StoreFull, VersioningChanged


class Shared(Protocol):
    """What the processes of one store tell each other without a lock (`neve.server.shared`)."""

    def bucket_generation(self) -> int: ...
    def bump_bucket_generation(self) -> None: ...
    def settings_generation(self) -> int: ...
    def bump_settings_generation(self) -> None: ...
    def set_oldest_read(self, at_us: int) -> None: ...


class Core:
    """The base of `neve.engine.engine.Engine`."""

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
        self.turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()
        """(tree, key) → whose turn it is to bring a version of it from another store."""
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

    def bucket(self, name: str) -> Bucket:
        """The bucket as of now. Raises: NoSuchBucket."""
        self._forget_changed()
        found = self._buckets.get(name)
        if found is None:
            row = self._reader.bucket(name)
            if row is None:
                raise NoSuchBucket(BucketName=name)
            found = self._buckets[name] = Bucket(row)
        return found

    def buckets(self) -> list[Bucket]:
        """All buckets in name order."""
        self._forget_changed()
        known = self._buckets
        found = []
        for row in self._reader.buckets():
            bucket = known.get(row.name)
            # A policy is dear to read: one that is known is not read again.
            if bucket is None or bucket.tree != row.tree:
                bucket = known[row.name] = Bucket(row)
            found.append(bucket)
        return found

    def _forget_changed(self) -> None:
        generation = self._shared.bucket_generation()
        if generation != self._generation:
            self._buckets.clear()
            self._generation = generation

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

    async def change_bucket(self, command: Command) -> BucketRow:
        """Run a `ChangeBucket`, and tell the bucket for a rebuild. Raises: NoSuchBucket."""
        row: BucketRow = await self._write(command)
        await self.committer.submit(buckets.TellBucket(row))
        return row

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
