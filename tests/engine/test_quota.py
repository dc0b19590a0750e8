"""Quotas as the engine keeps them: exact, in every write path, on the real store and in memory."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.engine.bucket import Bucket
from neve.engine.conditions import Conditions
from neve.engine.delete import Deletion
from neve.engine.quota import BucketQuota
from neve.engine.rebuild import rebuild
from neve.engine.store import prepare
from neve.errors import PreconditionFailed, QuotaExceeded
from neve.testing.engine import Store, local_store, memory_store, pattern, run
from neve.testing.live import wait_until

MIB = 1 << 20
Scenario = Callable[[Store, Bucket], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["local", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Run a scenario with an empty bucket that has a quota."""

    def start(scenario: Scenario, **limits: Any) -> Any:
        if request.param == "memory":
            store = memory_store(part_bytes_min=1)
        else:
            prepare(str(tmp_path))
            store = local_store(tmp_path)
            store.engine.part_bytes_min = 1

        async def whole(store: Store) -> Any:
            await store.engine.create_bucket("bucket", "me", "us-east-1")
            if limits:
                await store.engine.quotas.set_bucket("bucket", BucketQuota(**limits))
            return await scenario(store, store.engine.bucket("bucket"))

        return run(store, whole)

    return start


async def refused(work: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    """What the refusal says."""
    with pytest.raises(QuotaExceeded) as caught:
        await work
    return caught.value.fields


@pytest.mark.parametrize("size", [1000, 300_000, MIB + 5])
def test_a_put_fits_to_the_byte_and_not_one_more(play: Any, size: int) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", pattern(size))
        said = await refused(store.put(bucket, "b", pattern(size + 1)))
        assert said == {
            "Quota": "bucket",
            "Holder": "bucket",
            "Unit": "bytes",
            "Limit": 2 * size,
            "Used": size,
            "Added": size + 1,
        }
        assert store.engine.usage(bucket) == (1, size)
        await store.put(bucket, "b", pattern(size))
        await refused(store.put(bucket, "c", b"1"))
        assert store.keys(bucket) == ["a", "b"]

    play(scenario, bytes=2 * size)


def test_objects_are_limited_and_an_overwrite_adds_none(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", b"1")
        await store.put(bucket, "b", b"1")
        said = await refused(store.put(bucket, "c", b""))
        assert (said["Unit"], said["Limit"], said["Used"], said["Added"]) == ("objects", 2, 2, 1)
        await store.put(bucket, "b", pattern(5000))
        await store.engine.delete_object(bucket, "a")
        await store.put(bucket, "c", b"")

    play(scenario, objects=2)


def test_of_an_overwrite_only_the_difference_counts(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", pattern(60))
        await store.put(bucket, "b", pattern(30))
        await store.put(bucket, "a", pattern(70))
        said = await refused(store.put(bucket, "a", pattern(71)))
        assert (said["Used"], said["Added"]) == (100, 1)
        await store.put(bucket, "a", pattern(5))
        assert store.engine.usage(bucket) == (2, 35)

    play(scenario, bytes=100)


def test_below_what_is_there_only_writes_that_do_not_grow_pass(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", pattern(100))
        await store.put(bucket, "b", pattern(100))
        await store.engine.quotas.set_bucket("bucket", BucketQuota(bytes=50, objects=1))
        bucket = store.engine.bucket("bucket")
        await refused(store.put(bucket, "c", b""))
        await refused(store.put(bucket, "a", pattern(101)))
        await store.put(bucket, "a", pattern(100, 1))
        await store.put(bucket, "a", pattern(99))
        row = store.engine.head(bucket, "a")
        await store.engine.set_object_meta(bucket, "a", lambda row: b"other")
        await store.engine.copy_object(row, bucket, "b", meta=b"m", checksum=None)
        await store.engine.delete_object(bucket, "a")
        await store.engine.delete_objects(bucket, [Deletion("b")])
        assert store.engine.usage(bucket) == (0, 0)

    play(scenario)


@pytest.mark.parametrize("size", [500, MIB + 5])
def test_a_copy_counts_whole(play: Any, size: int) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", pattern(size))
        row = store.engine.head(bucket, "a")
        await refused(store.engine.copy_object(row, bucket, "b", meta=b"", checksum=None))
        await store.engine.copy_object(row, bucket, "a", meta=b"other", checksum=None)
        await store.engine.quotas.set_bucket("bucket", BucketQuota(bytes=2 * size))
        bucket = store.engine.bucket("bucket")
        await store.engine.copy_object(row, bucket, "b", meta=b"", checksum=None)
        assert store.engine.usage(bucket) == (2, 2 * size)

    play(scenario, bytes=2 * size - 1)


def test_completing_counts_and_parts_do_not(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        first = await engine.create_upload(bucket, "a", "me", b"", None)
        second = await engine.create_upload(bucket, "b", "me", b"", None)
        one = await store.put_part(bucket, "a", first, 1, pattern(80))
        two = await store.put_part(bucket, "b", second, 1, pattern(80))
        assert engine.usage(bucket) == (0, 0)
        await engine.complete_upload(bucket, "a", first, [one])
        assert engine.usage(bucket) == (1, 80)
        said = await refused(engine.complete_upload(bucket, "b", second, [two]))
        assert (said["Used"], said["Added"]) == (80, 80)
        assert len(engine.list_parts(second, 0, 10)[0]) == 1, "the upload can be tried again"
        await engine.delete_object(bucket, "a")
        await engine.complete_upload(bucket, "b", second, [two])
        # What was completed before is answered again, although nothing more would fit.
        await engine.quotas.set_bucket("bucket", BucketQuota(bytes=1))
        bucket = engine.bucket("bucket")
        assert (await engine.complete_upload(bucket, "b", second, [two])).size == 80

    play(scenario, bytes=100)


def test_parts_that_can_never_be_completed_are_refused_early(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await store.put(bucket, "source", pattern(60))
        upload = await engine.create_upload(bucket, "a", "me", b"", None)
        await store.put_part(bucket, "a", upload, 1, pattern(30))
        await store.put_part(bucket, "a", upload, 1, pattern(40))
        await refused(store.put_part(bucket, "a", upload, 2, b"1"))
        source = engine.head(bucket, "source")
        await refused(engine.copy_part(bucket, "a", upload, 2, source, 0, 10))
        await engine.copy_part(bucket, "a", upload, 1, source, 0, 10)
        await store.put(bucket, "more", pattern(40))
        await refused(engine.create_upload(bucket, "b", "me", b"", None))
        # It can be completed in the place of what is there.
        upload = await engine.create_upload(bucket, "more", "me", b"", None)
        part = await store.put_part(bucket, "more", upload, 1, pattern(39))
        await engine.complete_upload(bucket, "more", upload, [part])

    play(scenario, bytes=100)


def test_a_large_object_that_was_refused_leaves_no_file(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await refused(store.put(bucket, "a", pattern(2 * MIB)))
        await refused(store.put(bucket, "a", pattern(MIB + 1)))
        wait_until(lambda: list(store.engine.store.files(1 << 23)) == [])

    play(scenario, bytes=MIB)


def test_a_condition_that_fails_is_told_first(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "a", b"1")
        with pytest.raises(PreconditionFailed):
            await store.put(bucket, "a", pattern(99), Conditions(if_none_match="*"))

    play(scenario, bytes=1)


def test_a_quota_holds_for_the_next_write_of_the_same_group(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await store.put(bucket, "a", pattern(10))
        # Submitted in one turn of the loop: one group, in this order.
        change = asyncio.ensure_future(engine.quotas.set_bucket("bucket", BucketQuota(bytes=15)))
        writes = [asyncio.ensure_future(store.put(bucket, f"b{n}", pattern(5))) for n in range(3)]
        await change
        done = await asyncio.gather(*writes, return_exceptions=True)
        assert [isinstance(each, QuotaExceeded) for each in done] == [False, True, True]
        assert engine.usage(bucket) == (2, 15)

    play(scenario)


def test_the_soft_level_is_told_once_per_crossing(
    play: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "neve.engine")

    async def scenario(store: Store, bucket: Bucket) -> None:
        usage = store.engine.quotas.usage
        await store.put(bucket, "a", pattern(79))
        assert (usage(bucket).percent, usage(bucket).warns) == (79, False)
        assert not caplog.records
        await store.put(bucket, "b", b"1")
        assert (usage(bucket).percent, usage(bucket).warns) == (80, True)
        await store.put(bucket, "c", b"1")
        assert [record.getMessage() for record in caplog.records] == [
            "bucket bucket has used 80 % of its quota: 80 bytes in 2 objects"
        ]
        await store.engine.delete_object(bucket, "a")
        await store.put(bucket, "a", pattern(90))
        assert len(caplog.records) == 2

    play(scenario, bytes=100, soft=80)


def test_a_quota_survives_a_rebuild_and_goes_with_its_bucket(tmp_path: Path) -> None:
    prepare(str(tmp_path))

    async def fill(store: Store) -> None:
        await store.engine.create_bucket("bucket", "me", "r")
        await store.engine.quotas.set_bucket("bucket", BucketQuota(bytes=100, soft=50))
        await store.put(store.engine.bucket("bucket"), "a", pattern(60))

    run(local_store(tmp_path), fill)
    rebuild(str(tmp_path))
    prepare(str(tmp_path))

    async def look(store: Store) -> None:
        engine = store.engine
        bucket = engine.bucket("bucket")
        assert bucket.quota == BucketQuota(bytes=100, soft=50)
        await refused(store.put(bucket, "b", pattern(41)))
        await engine.delete_object(bucket, "a")
        await engine.delete_bucket("bucket")
        bucket = await engine.create_bucket("bucket", "me", "r")
        assert bucket.quota is None
        await store.put(bucket, "b", pattern(101))

    run(local_store(tmp_path), look)
