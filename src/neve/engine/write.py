"""Writing an object: the sink a body flows into, and the command that publishes it.

Bodies under `SMALL_BYTES` wait in memory for the group commit, which appends them to a segment. The
rest go straight to a file of their own while they arrive, two buffers deep.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Protocol

import xxhash

from neve.blobs.blobs import SEGMENT, Blob, BlobStore, FileWriter, Record
from neve.catalog.catalog import ObjectRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch
from neve.engine.conditions import Conditions
from neve.engine.publish import Publication
from neve.engine.room import Room
from neve.errors import StoreFault

SMALL_BYTES = 1 << 20
BUFFER_BYTES = 1 << 20
LARGE_WRITERS_MAX = 32
"""Per process; each holds up to three buffers."""

digest_of = xxhash.xxh3_64_intdigest


class Writer(Protocol):
    """A sink for one body. `close` must have returned before the object is published."""

    @property
    def size(self) -> int:
        """Bytes taken so far."""

    def feed(self, piece: memoryview) -> "asyncio.Future[Any] | None":
        """Take a piece (valid only now); a future means: nothing more until it is done."""

    async def close(self) -> None: ...
    def abort(self) -> None:
        """Give the bytes up; never raises."""


class SmallWriter:
    """A body in memory. Must stay under `SMALL_BYTES`; `AnyWriter` sees to that."""

    __slots__ = ("data", "pieces", "size")

    def __init__(self, data: bytes = b"") -> None:
        self.pieces: list[bytes] = []
        self.data = data
        self.size = len(data)

    def feed(self, piece: memoryview) -> None:
        self.pieces.append(bytes(piece))
        self.size += len(piece)

    async def close(self) -> None:
        if self.pieces:
            self.data = b"".join([self.data, *self.pieces])
            self.pieces.clear()

    def abort(self) -> None:
        self.pieces.clear()
        self.data = b""


class Slots:
    """How many large bodies may hold buffers at once; the others wait, in order."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> "asyncio.Future[None] | None":
        """Take a slot; a future, when there is none, is done once the slot is the caller's."""
        if self._free > 0:
            self._free -= 1
            return None
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def give(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._free += 1


class LargeWriter:
    """A body on its way to a file of its own; disk work happens in the pool, in order."""

    def __init__(
        self, store: BlobStore, pool: Executor, slots: Slots, room: Room, *, durable: bool
    ) -> None:
        self._store = store
        self._pool = pool
        self._slots = slots
        self._room = room
        self._slot: asyncio.Future[None] | None = None
        """Set while this writer waits for its slot."""
        self._started = self._ended = False
        self._early: list[bytes] = []
        """What came in before there was a slot: one piece, as nothing follows until then."""
        self._durable = durable
        self._file: FileWriter | None = None
        self._buffers = store.buffers
        self._buffer: memoryview | None = None
        self._fill = 0
        self._writing: asyncio.Future[None] | None = None
        self.blob: Blob | None = None
        self.size = 0

    def feed(self, piece: memoryview) -> "asyncio.Future[Any] | None":
        self.size += len(piece)
        if not self._started:
            self._started = True
            self._slot = self._slots.take()
        if self._slot is not None:
            if not self._slot.done():
                self._early.append(bytes(piece))
                return self._slot
            self._take_early()
        return self._take(piece)

    def _take_early(self) -> None:
        self._slot = None
        early, self._early = self._early, []
        for piece in early:
            self._take(memoryview(piece))

    def _take(self, piece: memoryview) -> "asyncio.Future[Any] | None":
        at, length = 0, len(piece)
        while at < length:
            if self._buffer is None:
                self._buffer, self._fill = self._buffers.acquire(), 0
            count = min(len(self._buffer) - self._fill, length - at)
            self._buffer[self._fill : self._fill + count] = piece[at : at + count]
            self._fill += count
            at += count
            if self._fill == len(self._buffer):
                self._flush()
        # With one buffer on its way and one half full, let the disk catch up.
        writing = self._writing
        if writing is not None and not writing.done() and self._fill * 2 >= BUFFER_BYTES:
            return writing
        return None

    def _flush(self) -> None:
        buffer, fill = self._buffer, self._fill
        self._buffer, self._fill = None, 0
        if buffer is None:
            return
        loop = asyncio.get_running_loop()
        previous = self._writing
        self._writing = loop.create_task(self._write(previous, buffer, fill))

    async def _write(
        self, previous: "asyncio.Future[None] | None", buffer: memoryview, fill: int
    ) -> None:
        try:
            if previous is not None:
                await previous
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._write_now, buffer[:fill])
        finally:
            self._buffers.release(buffer)

    def _write_now(self, data: memoryview) -> None:
        self._room.check()
        if self._file is None:
            self._file = self._store.create_file()
        self._file.write(data)
        self._room.spend(len(data))

    async def close(self) -> None:
        if self._slot is not None:
            await self._slot
            self._take_early()
        self._flush()
        if self._writing is not None:
            await self._writing
        loop = asyncio.get_running_loop()
        self.blob = await loop.run_in_executor(self._pool, self._commit_now)
        self._end()

    def _end(self) -> None:
        """Give the slot back, once."""
        if self._started and not self._ended:
            self._ended = True
            if self._slot is not None and not self._slot.done():
                self._slot.cancel()
            else:
                self._slots.give()

    def _commit_now(self) -> Blob:
        if self._file is None:
            self._file = self._store.create_file()
        return self._file.commit(self._durable)

    def abort(self) -> None:
        self._end()
        if self._buffer is not None:
            self._buffers.release(self._buffer)
            self._buffer = None
        writing = self._writing
        if writing is None or writing.done():
            self._abort_file()
        else:
            writing.add_done_callback(self._abort_file)

    def _abort_file(self, writing: "asyncio.Future[None] | None" = None) -> None:
        if writing is not None and not writing.cancelled():
            writing.exception()  # retrieved, so that nobody logs it as lost
        if self._file is not None:
            self._pool.submit(self._file.abort)


class AnyWriter:
    """A body of unknown size: small until it has grown over the limit."""

    def __init__(self, large: Callable[[], LargeWriter]) -> None:
        self._large = large
        self.target: SmallWriter | LargeWriter = SmallWriter()

    @property
    def size(self) -> int:
        return self.target.size

    def feed(self, piece: memoryview) -> "asyncio.Future[Any] | None":
        target = self.target
        if isinstance(target, SmallWriter) and target.size + len(piece) >= SMALL_BYTES:
            large = self._large()
            for earlier in target.pieces:
                large.feed(memoryview(earlier))
            self.target = target = large
        return target.feed(piece)

    async def close(self) -> None:
        await self.target.close()

    def abort(self) -> None:
        self.target.abort()


def settled(writer: Writer) -> SmallWriter | LargeWriter:
    """The writer that really holds the bytes."""
    if isinstance(writer, AnyWriter):
        writer = writer.target
    assert isinstance(writer, SmallWriter | LargeWriter)
    return writer


class PutObject(Publication):
    """Publish bytes at a key, as its newest version."""

    __slots__ = ("blob", "checksum", "etag", "meta", "mtime_us", "size")

    def __init__(
        self,
        bucket: str,
        tree: int,
        key: str,
        writer: Writer,
        etag: str,
        meta: bytes,
        checksum: str | None,
        conditions: Conditions,
        version: str = "",
        owner: str = "",
        mtime_us: int | None = None,
    ) -> None:
        self.bucket = bucket
        self.tree = tree
        self.key = key
        self.etag = etag
        self.meta = meta
        self.checksum = checksum
        self.conditions = conditions
        self.version = version
        self.owner = owner
        self.seq = self.mtime_us = now_us()
        if mtime_us is not None:
            self.mtime_us = mtime_us
        self.size = writer.size
        about = (tree, key, etag, self.mtime_us, meta, checksum)
        if isinstance(writer, SmallWriter):
            data = writer.data
            digest = digest_of(data)
            self.blob: Blob | None = Blob(SEGMENT, 0, 0, self.size, digest) if data else None
            head = records.object_head(*about, version, owner)
            self.records = [Record(records.OBJECT, self.seq, head, data, digest)]
        else:
            blob = settled(writer).blob  # type: ignore[union-attr]
            if blob is None:
                raise StoreFault("the body was not closed before it was published")
            self.blob = blob
            head = records.object_at_head(*about, self.size, blob.pack(), None, version, owner)
            self.records = [Record(records.OBJECT_AT, self.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        seq = self.find_place(txn, batch, self.size)
        blob = self.blob
        if blob is None:
            packed = b""
        elif blob.tier == SEGMENT:
            segment, offset = batch.data_offset(self)
            packed = Blob(SEGMENT, segment, offset, blob.length, blob.digest).pack()
            batch.hold(segment, blob.length)
        else:
            packed = blob.pack()
        row = ObjectRow(
            self.tree,
            self.key,
            seq,
            self.size,
            self.etag,
            self.mtime_us,
            self.meta,
            self.checksum,
            packed,
            self.version,
            self.owner,
        )
        return self.publish(txn, batch, row)
