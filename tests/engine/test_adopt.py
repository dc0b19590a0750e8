"""Adopting versions of another store: their places, and what is refused."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from neve.catalog.catalog import ObjectRow
from neve.engine.adopt import Adopter
from neve.engine.bucket import Bucket
from neve.engine.rebuild import rebuild
from neve.engine.versions import ENABLED, Versioning
from neve.errors import ConditionalConflict, InvalidBucketState, VersionConflict
from neve.testing.engine import Store, body_bytes, feed, md5, memory_store, on_folder, run


async def bucket_of(store: Store, *, versioned: bool) -> Bucket:
    await store.engine.create_bucket("science", "me", "us-east-1")
    if versioned:
        await store.engine.set_versioning("science", Versioning(ENABLED))
    return store.engine.bucket("science")


async def adopt(store: Store, bucket: Bucket, at: int, version: str, data: bytes | None) -> None:
    """Adopt an object at `k` of time `at`; a delete marker when there are no bytes."""
    adopter = Adopter(store.engine)
    size, etag = (0, "") if data is None else (len(data), md5(data))
    row = ObjectRow(bucket.tree, "k", 0, size, etag, at, b"", None, b"", version)
    if data is None:
        await adopter.adopt_marker("science", row)
        return
    writer = store.engine.writer(len(data))
    await feed(writer, data)
    await adopter.adopt_object("science", row, writer)


def versions(store: Store, bucket: Bucket) -> list[tuple[str, int]]:
    page = store.engine.list_versions(bucket, "", "", "", None, 100)
    return [(row[0].version, row[0].mtime_us) for row in page.entries if not isinstance(row, str)]


def test_versions_keep_ids_times_and_order() -> None:
    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        await adopt(store, bucket, 10, "", b"null")
        await adopt(store, bucket, 20, "v1", b"one")
        await adopt(store, bucket, 30, "m1", None)
        assert versions(store, bucket) == [("m1", 30), ("v1", 20), ("", 10)]
        await adopt(store, bucket, 40, "v2", b"two")
        assert store.get(bucket, "k") == b"two"
        assert store.engine.head(bucket, "k").mtime_us == 40
        assert store.engine.usage(bucket) == (1, 10)
        assert store.engine.version_usage(bucket) == (2, 1)
        # Versions written now come on top.
        await store.put(bucket, "k", b"now")
        assert versions(store, bucket)[1:] == [("v2", 40), ("m1", 30), ("v1", 20), ("", 10)]

    run(memory_store(), scenario)


def test_a_null_version_gives_way_to_a_newer_one_only() -> None:
    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        await adopt(store, bucket, 10, "", b"first")
        with pytest.raises(VersionConflict):
            await adopt(store, bucket, 10, "", b"other")
        await adopt(store, bucket, 20, "v", b"v")
        await adopt(store, bucket, 15, "", b"between")
        assert versions(store, bucket) == [("v", 20), ("", 15)]
        await adopt(store, bucket, 30, "", b"second")
        assert versions(store, bucket) == [("", 30), ("v", 20)]
        assert store.engine.usage(bucket)[1] == 7

    run(memory_store(), scenario)


def test_nothing_comes_twice() -> None:
    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        await adopt(store, bucket, 20, "v2", b"two")
        for at in (10, 20, 30):
            with pytest.raises(VersionConflict):
                await adopt(store, bucket, at, "v2", b"again")
            with pytest.raises(VersionConflict):
                await adopt(store, bucket, at, "v2", None)
        assert versions(store, bucket) == [("v2", 20)]
        assert store.get(bucket, "k") == b"two"

    run(memory_store(), scenario)


@pytest.mark.parametrize("here", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_order_they_come_in_times_order_them(
    tmp_path: Path, seed: int, here: bool
) -> None:
    """Objects and markers in any order, some at one time; a rebuild finds them in that order."""
    wanted = [(1000 * (at // 2), f"v{at}", None if at % 5 == 3 else b"%d" % at) for at in range(40)]
    Random(seed).shuffle(wanted)
    before: list[tuple[str, int]] = []

    async def come(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        if here:
            await store.put(bucket, "k", b"written here")
        for at, version, data in wanted:
            await adopt(store, bucket, at + 1, version, data)
        before.extend(versions(store, bucket))
        assert len(before) == 40 + here
        assert before == sorted(before, key=lambda row: -row[1])
        sizes = sum(len(data) for _, _, data in wanted if data) + 12 * here
        objects = [version for _, version, data in wanted if data]
        current = int(here or before[0][0] in objects)
        assert store.engine.usage(bucket) == (current, sizes)
        assert store.engine.version_usage(bucket) == (32 + here - current, 8)

    async def look(store: Store) -> None:
        bucket = store.engine.bucket("science")
        assert versions(store, bucket) == before
        # What is deleted lets the next one appear, wherever that came from.
        for version, _ in before[:6]:
            await store.engine.delete_object(bucket, "k", version=version)
        assert versions(store, bucket) == before[6:]
        for at, version, data in wanted:
            if data is not None and (version, at + 1) in before[6:]:
                row = store.engine.head(bucket, "k", version)
                assert body_bytes(store.engine.read(row, 0, row.size)) == data

    on_folder(tmp_path, come)
    rebuild(str(tmp_path))
    on_folder(tmp_path, look)


def test_there_is_always_room_between_two(tmp_path: Path) -> None:
    """More versions than there are halves of any gap, of objects, markers and files."""
    before: list[tuple[str, int]] = []
    large = bytes(2 << 20)

    async def come(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        for at in (10, 11, 100):
            await adopt(store, bucket, at, f"v{at}", large if at == 11 else b"%d" % at)
        for at in range(12, 80):
            await adopt(store, bucket, at, f"v{at}", None if at % 7 == 0 else b"%d" % at)
        before.extend(versions(store, bucket))
        assert [time for _, time in before] == [100, *range(79, 9, -1)]
        assert store.engine.version_usage(bucket) == (60, 10)

    async def look(store: Store) -> None:
        bucket = store.engine.bucket("science")
        assert versions(store, bucket) == before
        for at in range(10, 80):
            row = store.engine.head(bucket, "k", f"v{at}")
            if row.etag:
                data = body_bytes(store.engine.read(row, 0, row.size))
                assert data == (large if at == 11 else b"%d" % at)

    on_folder(tmp_path, come)
    on_folder(tmp_path, look)
    rebuild(str(tmp_path))
    on_folder(tmp_path, look)


def test_many_at_once_take_their_turns() -> None:
    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        times = list(range(10, 110))
        Random(1).shuffle(times)
        await asyncio.gather(*(adopt(store, bucket, at, f"v{at}", b"%d" % at) for at in times))
        assert [time for _, time in versions(store, bucket)] == list(range(109, 9, -1))

    run(memory_store(), scenario)


def test_nothing_is_moved_past_what_came_in_between() -> None:
    """As another process may bring it, between the look and the move."""

    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=True)
        for at in (10, 20, 30):
            await adopt(store, bucket, at, f"v{at}", b"data")
        found = store.engine.catalog.reader().version(bucket.tree, "k", "v20")
        assert found is not None
        await adopt(store, bucket, 15, "v15", b"data")
        with pytest.raises(ConditionalConflict):
            await store.engine.move_version("science", found, 20)
        assert [time for _, time in versions(store, bucket)] == [30, 20, 15, 10]

    run(memory_store(), scenario)


def test_a_bucket_without_versions_takes_objects_alone() -> None:
    async def scenario(store: Store) -> None:
        bucket = await bucket_of(store, versioned=False)
        with pytest.raises(InvalidBucketState):
            await adopt(store, bucket, 10, "v1", b"one")
        with pytest.raises(InvalidBucketState):
            await adopt(store, bucket, 10, "", None)
        await adopt(store, bucket, 10, "", b"old")
        await adopt(store, bucket, 20, "", b"newer")
        with pytest.raises(VersionConflict):
            await adopt(store, bucket, 15, "", b"older")
        assert store.get(bucket, "k") == b"newer"
        assert store.engine.usage(bucket) == (1, 5)

    run(memory_store(), scenario)
