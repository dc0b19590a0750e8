"""Changing the metadata of an object: everything else stays, in every tier and after every loss."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.blobs.blobs import FILE, MANIFEST, SEGMENT, unpack_blob
from neve.catalog.catalog import ObjectRow
from neve.engine.bucket import Bucket
from neve.engine.commit import RECORD_BYTES
from neve.engine.rebuild import rebuild
from neve.engine.scrub import Scrubber, count_tree, findings
from neve.engine.store import open_engine, prepare
from neve.errors import BlobCorrupt, NoSuchKey
from neve.testing.crash import crash_image
from neve.testing.disks import Recording, RecordingDisk
from neve.testing.engine import (
    LocalShared,
    Store,
    local_store,
    memory_store,
    on_folder,
    pattern,
    run,
)
from neve.testing.vfs import RecordingVFS

MIB = 1 << 20
Scenario = Callable[[Store, Bucket], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["local", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], Any]:
    """Run a scenario with an empty bucket."""

    def start(scenario: Scenario) -> Any:
        async def whole(store: Store) -> Any:
            return await scenario(store, await store.engine.create_bucket("bucket", "me", "r"))

        if request.param == "memory":
            return run(memory_store(), whole)
        return on_folder(tmp_path, whole)

    return start


def to(meta: bytes) -> Callable[[ObjectRow], bytes]:
    return lambda _: meta


async def fill(store: Store, bucket: Bucket) -> dict[str, bytes]:
    """An object of every tier, two of which share a file."""
    data = {
        "empty": b"",
        "one": b"1",
        "small": pattern(4_000, 1),
        "medium": pattern(MIB - 1, 2),
        "large": pattern(MIB + 1, 3),
        "copy": pattern(MIB + 1, 3),
    }
    for key, body in data.items():
        if key != "copy":
            await store.put(bucket, key, body, meta=b"before")
    large = store.engine.head(bucket, "large")
    await store.engine.copy_object(large, bucket, "copy", meta=b"before", checksum=None)
    parts = [pattern(5 * MIB, 4), pattern(9, 5)]
    await store.put_multipart(bucket, "multi", parts)
    return {**data, "multi": b"".join(parts)}


def tier(row: ObjectRow) -> int:
    return unpack_blob(row.blob).tier


def test_only_the_metadata_changes(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        data = await fill(store, bucket)
        engine = store.engine
        usage, keys = engine.usage(bucket), store.keys(bucket)
        tiers = {key: tier(engine.head(bucket, key)) for key in data if key != "empty"}
        assert set(tiers.values()) == {SEGMENT, FILE, MANIFEST}
        for meta in (b"after", b"", b"again"):
            for key, body in data.items():
                before = engine.head(bucket, key)
                row = await engine.set_object_meta(bucket, key, to(meta))
                assert row == engine.head(bucket, key)
                same = before._replace(seq=row.seq, meta=meta, blob=row.blob)
                assert row == same
                assert row.seq > before.seq
                assert store.get(bucket, key) == body
        assert engine.usage(bucket) == usage
        assert store.keys(bucket) == keys
        assert engine.parts_of(engine.head(bucket, "multi")) is not None

    play(scenario)


def test_metadata_that_stays_writes_nothing(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        before = await store.put(bucket, "k", b"data", meta=b"same")
        assert await store.engine.set_object_meta(bucket, "k", to(b"same")) == before
        assert store.engine.head(bucket, "k") == before

    play(scenario)


def test_an_absent_key_has_no_metadata(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        with pytest.raises(NoSuchKey):
            await store.engine.set_object_meta(bucket, "nope", to(b"x"))
        assert store.keys(bucket) == []

    play(scenario)


def test_what_the_change_raises_changes_nothing(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        before = await store.put(bucket, "k", b"data", meta=b"m")

        def refuse(_: ObjectRow) -> bytes:
            raise LookupError("no")

        with pytest.raises(LookupError):
            await store.engine.set_object_meta(bucket, "k", refuse)
        assert store.engine.head(bucket, "k") == before

    play(scenario)


def test_no_change_is_lost_among_many_at_once(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "k", b"data")
        marks = [b"%c" % letter for letter in b"abcdefghijklmnop"]

        async def add(mark: bytes) -> None:
            await store.engine.set_object_meta(bucket, "k", lambda row: row.meta + mark)

        await asyncio.gather(*map(add, marks))
        assert sorted(store.engine.head(bucket, "k").meta) == sorted(b"".join(marks))
        assert store.get(bucket, "k") == b"data"

    play(scenario)


def test_a_change_never_brings_overwritten_or_deleted_bytes_back(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        for round in range(20):
            key = f"k{round}"
            await store.put(bucket, key, b"old", meta=b"old")
            change = engine.set_object_meta(bucket, key, lambda row: row.meta + b"!")
            if round % 2:
                await asyncio.gather(change, store.put(bucket, key, b"newer", meta=b"new"))
                assert store.get(bucket, key) == b"newer"
                assert engine.head(bucket, key).meta in (b"new", b"new!")
            else:
                deleted = engine.delete_object(bucket, key)
                await asyncio.gather(change, deleted, return_exceptions=True)
                with pytest.raises(NoSuchKey):
                    engine.head(bucket, key)

    play(scenario)


def test_space_is_given_back_once_and_nothing_else_is_freed(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        data = await fill(store, bucket)
        for meta in (b"1", b"2", b"3"):
            for key in data:
                await engine.set_object_meta(bucket, key, to(meta))

    def compacted(store: Store) -> Coroutine[Any, Any, None]:
        async def scenario() -> None:
            store.reclaimer.compact()
            store.collect_all()
            store.collect_all()
            bucket = store.engine.bucket("bucket")
            reader = store.engine.catalog.reader()
            scrubber = Scrubber(store.engine.catalog, store.engine.store)
            while not scrubber.slice(MIB):
                pass
            assert findings(reader) == []
            assert scrubber.check_usage() == []
            expected = sum(
                unpack_blob(row.blob).length + RECORD_BYTES
                for row in reader.objects(bucket.tree, "", 100)
                if row.blob and tier(row) == SEGMENT
            )
            assert sum(segment.live for segment in reader.segments()) == expected
            assert store.get(bucket, "small") == pattern(4_000, 1)
            for key in store.keys(bucket):
                assert store.engine.head(bucket, key).meta == b"3"
                await store.engine.delete_object(bucket, key)
            store.collect_all()
            store.collect_all()
            assert list(store.engine.store.files(1 << 23)) == []
            assert sum(segment.live for segment in reader.segments()) == 0

        return scenario()

    on_folder(tmp_path, first)
    on_folder(tmp_path, compacted)


def test_a_rebuild_finds_the_last_metadata(tmp_path: Path) -> None:
    async def first(store: Store) -> dict[str, Any]:
        bucket = await store.engine.create_bucket("bucket", "me", "r", {"acl": b"packed"})
        data = await fill(store, bucket)
        for meta in (b"first", b"last"):
            for key in data:
                await store.engine.set_object_meta(bucket, key, to(meta))
        return await look(store)

    async def look(store: Store) -> dict[str, Any]:
        bucket = store.engine.bucket("bucket")
        assert count_tree(store.engine.catalog.reader(), bucket.tree) == store.engine.usage(bucket)
        seen: dict[str, Any] = {"": bucket.options}
        for key in store.keys(bucket):
            row = store.engine.head(bucket, key)
            seen[key] = (row._replace(blob=b""), store.get(bucket, key))
        return seen

    before = on_folder(tmp_path, first)
    assert before[""] == {"acl": b"packed"}
    assert {row.meta for row, _ in list(before.values())[1:]} == {b"last"}
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    result = rebuild(str(tmp_path))
    assert (result.objects, result.damaged) == (len(before) - 1, [])
    assert on_folder(tmp_path, look) == before


def test_damaged_bytes_are_not_made_to_look_whole(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        before = await store.put(bucket, "k", pattern(5_000, 1))
        blob = unpack_blob(before.blob)
        with open(store.engine.store.segment_path(blob.id), "r+b") as file:
            file.seek(blob.offset + 100)
            file.write(b"damage")
        with pytest.raises(BlobCorrupt):
            await store.engine.set_object_meta(bucket, "k", to(b"new"))
        assert store.engine.head(bucket, "k") == before

    on_folder(tmp_path, first)


@pytest.mark.timeout(120)
def test_after_a_power_cut_an_acknowledged_change_holds(tmp_path: Path) -> None:
    """Bytes are whole at every point; the metadata is the acknowledged or the one on its way."""
    live = tmp_path / "live"
    live.mkdir()
    recording = Recording(str(live))
    disk, vfs = RecordingDisk(recording), "recording-change"
    keep = RecordingVFS(vfs, recording)
    prepare(str(live), disk=disk, vfs=vfs)
    shared = LocalShared()
    data = {"small": pattern(3_000, 1), "medium": pattern(150_000, 2), "large": pattern(MIB + 1, 3)}
    acknowledged: list[tuple[int, str, bytes]] = []

    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for key, body in data.items():
            await store.put(bucket, key, body, meta=b"0")
            acknowledged.append((len(recording), key, b"0"))
        for step in (b"1", b"2", b"3"):
            for key in data:
                await store.engine.set_object_meta(bucket, key, to(step))
                acknowledged.append((len(recording), key, step))

    run(Store(open_engine(str(live), shared, disk=disk, vfs=vfs), shared), scenario)
    del keep
    start, end = acknowledged[2][0], len(recording)
    points = sorted(random.Random(1).sample(range(start, end), min(25, end - start)))
    assert len(points) > 10
    for point in (*points, end):
        target = tmp_path / f"crash-{point}"
        target.mkdir()
        crash_image(recording.log, point, point, str(target))
        prepare(str(target))
        last = {key: meta for at, key, meta in acknowledged if at <= point}

        async def look(store: Store, point: int = point, last: Any = last) -> None:
            bucket = store.engine.bucket("bucket")
            for key, body in data.items():
                assert store.get(bucket, key) == body, (point, key)
                meta = store.engine.head(bucket, key).meta
                assert int(last[key]) <= int(meta) <= int(last[key]) + 1, (point, key)

        run(local_store(target), look)
