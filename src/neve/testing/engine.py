"""An engine on a temporary folder or in memory, and the few verbs that the tests need."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from neve.blobs.memory import MemoryBlobStore
from neve.catalog.catalog import ObjectRow
from neve.catalog.memory import MemoryCatalog
from neve.clock import now_us
from neve.engine.bucket import Bucket
from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.engine import Engine
from neve.engine.reclaim import Reclaimer
from neve.engine.store import open_engine, prepare


class LocalShared:
    """What processes share, for one process."""

    def __init__(self) -> None:
        self.generation = 1
        self.settings = 1
        self.oldest = 0

    def bucket_generation(self) -> int:
        return self.generation

    def bump_bucket_generation(self) -> None:
        self.generation += 1

    def settings_generation(self) -> int:
        return self.settings

    def bump_settings_generation(self) -> None:
        self.settings += 1

    def set_oldest_read(self, at_us: int) -> None:
        self.oldest = at_us


class Store:
    """An engine and the verbs of a client that keeps no rules of its own."""

    def __init__(self, engine: Engine, shared: LocalShared) -> None:
        self.engine = engine
        self.shared = shared
        self.reclaimer = Reclaimer(
            engine.catalog, engine.store, oldest_read_us=lambda: shared.oldest, grace_s=0.0
        )

    async def put(
        self,
        bucket: Bucket,
        key: str,
        data: bytes,
        conditions: Conditions = NO_CONDITIONS,
        meta: bytes = b"",
        owner: str = "",
    ) -> ObjectRow:
        writer = self.engine.writer(len(data))
        await feed(writer, data)
        about: dict[str, Any] = {"meta": meta, "conditions": conditions, "owner": owner}
        return await self.engine.put_object(
            bucket, key, writer, etag=md5(data), checksum=None, **about
        )

    def get(self, bucket: Bucket, key: str, start: int = 0, stop: int | None = None) -> bytes:
        row = self.engine.head(bucket, key)
        return body_bytes(self.engine.read(row, start, row.size if stop is None else stop))

    async def put_part(
        self, bucket: Bucket, key: str, upload: str, number: int, data: bytes
    ) -> tuple[int, str, str | None]:
        writer = self.engine.writer(len(data))
        await feed(writer, data)
        part = await self.engine.put_part(
            bucket, key, upload, number, writer, etag=md5(data), checksum=None
        )
        return number, part.etag, None

    async def put_multipart(self, bucket: Bucket, key: str, parts: list[bytes]) -> ObjectRow:
        upload = await self.engine.create_upload(bucket, key, "me", b"", None)
        wanted = [
            await self.put_part(bucket, key, upload, number, data)
            for number, data in enumerate(parts, 1)
        ]
        return await self.engine.complete_upload(bucket, key, upload, wanted)

    def keys(self, bucket: Bucket, prefix: str = "") -> list[str]:
        page = self.engine.list_objects(bucket, prefix, "", "", 10_000)
        return [entry if isinstance(entry, str) else entry[0] for entry in page.entries]

    def collect_all(self) -> None:
        """Free everything that can be freed."""
        while self.reclaimer.collect():
            pass


async def feed(writer: Any, data: bytes, piece: int = 200_000) -> None:
    for at in range(0, len(data), piece):
        waiting = writer.feed(memoryview(data)[at : at + piece])
        if waiting is not None:
            await waiting
    await writer.close()


def body_bytes(body: Any) -> bytes:
    """All bytes of what `Engine.read` gave, closing every span."""
    if isinstance(body, bytes):
        return body
    found = []
    for span in body:
        opened = span.open() if hasattr(span, "open") else span
        data = os.pread(opened.fd, opened.length, opened.offset)
        opened.release()
        assert len(data) == opened.length == span.length
        found.append(data)
    return b"".join(found)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that differ at every place and for every seed."""
    block = hashlib.sha256(str(seed).encode()).digest()
    return (block * (size // 32 + 1))[:size]


def local_store(folder: Path, **options: Any) -> Store:
    shared = LocalShared()
    return Store(open_engine(str(folder), shared, **options), shared)


def memory_store(**options: Any) -> Store:
    shared = LocalShared()
    catalog = MemoryCatalog()

    def new_segment() -> int:
        id = catalog.transact([lambda txn: txn.create_segment(now_us())])[0]
        assert isinstance(id, int)
        return id

    blobs = MemoryBlobStore(new_segment=new_segment)
    return Store(Engine(catalog, blobs, shared, **options), shared)


def run(store: Store, scenario: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
    """Run a scenario on the started engine and close it in order."""

    async def whole() -> Any:
        store.engine.start()
        try:
            return await scenario(store)
        finally:
            await store.engine.close()

    return asyncio.run(whole())


def on_folder(
    folder: Path, scenario: Callable[[Store], Coroutine[Any, Any, Any]], **options: Any
) -> Any:
    """Prepare the folder as a server start does, then run the scenario on it."""
    prepare(str(folder))
    return run(local_store(folder, **options), scenario)
