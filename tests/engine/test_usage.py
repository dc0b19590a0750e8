"""Usage by owner and by prefix: exact after every change, and the quotas that stand on it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from neve.engine import guard
from neve.engine.bucket import Bucket
from neve.engine.counting import check_counters, count_on
from neve.engine.delete import Deletion
from neve.engine.quota import BucketQuota, Quota, UserQuota
from neve.engine.rebuild import rebuild
from neve.engine.store import prepare
from neve.errors import QuotaExceeded
from neve.testing.engine import Store, feed, local_store, md5, memory_store, pattern, run

Scenario = Callable[[Store, Bucket], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["local", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Run a scenario with an empty bucket that counts the prefixes."""

    def start(scenario: Scenario, **prefixes: Quota) -> Any:
        if request.param == "memory":
            store = memory_store(part_bytes_min=1)
        else:
            prepare(str(tmp_path))
            store = local_store(tmp_path)
            store.engine.part_bytes_min = 1

        async def whole(store: Store) -> Any:
            await store.engine.create_bucket("bucket", "me", "us-east-1")
            if prefixes:
                limits = BucketQuota(prefixes={name + "/": q for name, q in prefixes.items()})
                await store.engine.quotas.set_bucket("bucket", limits)
            return await scenario(store, store.engine.bucket("bucket"))

        return run(store, whole)

    return start


async def put(store: Store, bucket: Bucket, key: str, size: int, owner: str = "") -> Any:
    writer = store.engine.writer(size)
    data = pattern(size)
    await feed(writer, data)
    return await store.engine.put_object(
        bucket, key, writer, etag=md5(data), meta=b"", checksum=None, owner=owner
    )


def exact(store: Store) -> bool:
    """Whether all counters are what a listing of one commit counts."""
    reader = store.engine.catalog.reader()
    with reader.snapshot():
        return [w for b in reader.buckets() for w in check_counters(reader, b.tree)] == []


def prefixes(store: Store) -> dict[str, tuple[int, int]]:
    found = store.engine.quotas.prefixes(store.engine.bucket("bucket"))
    return {prefix: usage.used for prefix, usage in found.items() if usage is not None}


async def refused(work: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    with pytest.raises(QuotaExceeded) as caught:
        await work
    return caught.value.fields


async def version(store: Store, state: str) -> Bucket:
    await store.engine.set_bucket_option("bucket", "versioning", state)
    return store.engine.bucket("bucket")


def test_prefixes_follow_every_change(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await put(store, bucket, "a/1", 10)
        await put(store, bucket, "a/b/1", 5)
        await put(store, bucket, "b/1", 100)
        assert prefixes(store) == {"a/": (2, 15), "a/b/": (1, 5)}
        await put(store, bucket, "a/1", 7)
        row = engine.head(bucket, "b/1")
        await engine.copy_object(row, bucket, "a/b/2", meta=b"", checksum=None)
        await engine.set_object_meta(bucket, "a/1", lambda row: b"m")
        assert prefixes(store) == {"a/": (3, 112), "a/b/": (2, 105)}
        upload = await engine.create_upload(bucket, "a/m", "me", b"", None)
        part = await store.put_part(bucket, "a/m", upload, 1, pattern(30))
        assert prefixes(store) == {"a/": (3, 112), "a/b/": (2, 105)}
        await engine.complete_upload(bucket, "a/m", upload, [part])
        assert prefixes(store) == {"a/": (4, 142), "a/b/": (2, 105)}
        await engine.delete_objects(bucket, [Deletion("a/b/1"), Deletion("b/1"), Deletion("x")])
        await engine.delete_object(bucket, "a/m")
        assert prefixes(store) == {"a/": (2, 107), "a/b/": (1, 100)}
        assert exact(store)

    limits = {"a": Quota(), "a/b": Quota()}
    play(scenario, **limits)


def test_versions_count_and_delete_markers_do_not(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await put(store, bucket, "a/1", 10, "you")
        bucket = await version(store, "Enabled")
        new = await put(store, bucket, "a/1", 7)
        assert prefixes(store) == {"a/": (2, 17)}
        await engine.delete_object(bucket, "a/1")
        assert prefixes(store) == {"a/": (2, 17)}
        assert engine.quotas.usage(bucket).used == (2, 17)
        assert engine.quotas.owners(bucket) == {"me": (1, 7), "you": (1, 10)}
        await engine.delete_object(bucket, "a/1", version=new.version)
        assert prefixes(store) == {"a/": (1, 10)}
        bucket = await version(store, "Suspended")
        await put(store, bucket, "a/1", 3, "him")  # in the place of the null version
        assert engine.quotas.owners(bucket) == {"me": (0, 0), "him": (1, 3)}
        assert prefixes(store) == {"a/": (1, 3)}
        await engine.delete_object(bucket, "a/1")
        assert prefixes(store) == {"a/": (0, 0)}
        assert exact(store)

    play(scenario, a=Quota())


def test_a_versioned_overwrite_adds_whole(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        bucket = await version(store, "Enabled")
        await engine.quotas.set_bucket("bucket", BucketQuota(bytes=100, objects=3))
        bucket = engine.bucket("bucket")
        await put(store, bucket, "a", 40)
        await put(store, bucket, "a", 40)
        said = await refused(put(store, bucket, "a", 21))
        assert (said["Used"], said["Added"]) == (80, 21)
        with pytest.raises(QuotaExceeded):
            engine.quotas.check_write(bucket, "a", 21)
        await put(store, bucket, "a", 20)
        said = await refused(put(store, bucket, "a", 0))
        assert (said["Unit"], said["Used"]) == ("objects", 3)
        await engine.delete_object(bucket, "a")
        await refused(put(store, bucket, "a", 0))
        bucket = await version(store, "Suspended")
        await refused(put(store, bucket, "a", 0))  # the null version is a delete marker at most
        assert exact(store)

    play(scenario)


def test_the_null_version_is_replaced_and_only_the_difference_counts(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await put(store, bucket, "a", 60)
        bucket = await version(store, "Enabled")
        await put(store, bucket, "a", 30)
        bucket = await version(store, "Suspended")
        await engine.quotas.set_bucket("bucket", BucketQuota(bytes=100, objects=2))
        bucket = engine.bucket("bucket")
        await refused(put(store, bucket, "a", 71))
        engine.quotas.check_write(bucket, "a", 70)
        await put(store, bucket, "a", 70)
        assert engine.quotas.usage(bucket).used == (2, 100)
        assert exact(store)

    play(scenario)


def test_a_prefix_has_a_quota_of_its_own(play: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "neve.engine")

    async def scenario(store: Store, bucket: Bucket) -> None:
        await put(store, bucket, "a/1", 60)
        said = await refused(put(store, bucket, "a/2", 41))
        assert said == {
            "Quota": "prefix",
            "Holder": "a/ of bucket bucket",
            "Unit": "bytes",
            "Limit": 100,
            "Used": 60,
            "Added": 41,
        }
        await put(store, bucket, "b/2", 1000)
        await put(store, bucket, "a", 1000)
        await put(store, bucket, "a/2", 40)
        assert [record.getMessage() for record in caplog.records] == [
            "prefix a/ of bucket bucket has used 100 % of its quota: 100 bytes in 2 objects"
        ]
        await refused(put(store, bucket, "a/3", 1))
        await put(store, bucket, "a/2", 39)

    play(scenario, a=Quota(bytes=100, soft=90))


def test_a_prefix_told_later_is_counted_while_others_write(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SLICE_ROWS", 3)

    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        bucket = await version(store, "Enabled")
        for number in range(20):
            await put(store, bucket, f"a/{number:02}", number)
            await put(store, bucket, f"a/{number % 2:02}", 1)
        for number in range(3):
            await put(store, bucket, f"b/{number}", 1000)
        bucket = await version(store, "Suspended")

        async def write(number: int) -> None:
            for turn in range(10):
                await put(store, bucket, f"a/{(number * 7 + turn * 3) % 25:02}", number + turn)
                await engine.delete_object(bucket, f"a/{(number + turn * 5) % 25:02}")
                assert exact(store), "at every moment, as far as it has come"

        limits = BucketQuota(prefixes={"a/": Quota(), "b/": Quota(objects=3), "c/": Quota()})
        told = asyncio.ensure_future(engine.quotas.set_bucket("bucket", limits))
        await asyncio.gather(told, *(write(number) for number in range(4)))
        assert set(prefixes(store)) == {"a/", "b/", "c/"}
        assert exact(store)
        await refused(put(store, engine.bucket("bucket"), "b/3", 0))
        await engine.quotas.set_bucket("bucket", BucketQuota(prefixes={"b/": Quota()}))
        assert set(prefixes(store)) == {"b/"}
        await engine.quotas.set_bucket("bucket", None)
        assert prefixes(store) == {}

    play(scenario)


def test_many_versions_of_one_key_are_counted_together(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SLICE_ROWS", 2)

    async def scenario(store: Store, bucket: Bucket) -> None:
        bucket = await version(store, "Enabled")
        for key in ("a/1", "a/2", "a/2x"):
            for size in range(7):
                await put(store, bucket, key, size)
        await store.engine.delete_object(bucket, "a/2")
        limits = BucketQuota(prefixes={"a/": Quota(), "a/2": Quota()})
        await store.engine.quotas.set_bucket("bucket", limits)
        assert prefixes(store) == {"a/": (21, 63), "a/2": (14, 42)}

    play(scenario)


def test_counting_goes_on_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SLICE_ROWS", 2)
    prepare(str(tmp_path))

    async def crash(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        for number in range(9):
            await put(store, bucket, f"a/{number}", 10)

        def die(command: Any) -> Any:
            raise RuntimeError("killed")

        monkeypatch.setattr(engine.committer, "submit", _once(engine.committer.submit, 3, die))
        limits = BucketQuota(prefixes={"a/": Quota(objects=9)})
        with pytest.raises(RuntimeError):
            await engine.quotas.set_bucket("bucket", limits)

    run(local_store(tmp_path), crash)
    prepare(str(tmp_path))

    async def look(store: Store) -> None:
        engine = store.engine
        bucket = engine.bucket("bucket")
        assert engine.quotas.prefixes(bucket) == {"a/": None}
        assert exact(store)
        # Not all is counted: the quota cannot hold yet.
        await put(store, bucket, "a/9", 1)
        assert count_on(engine.catalog, engine.store) > 1
        assert prefixes(store) == {"a/": (10, 91)}
        assert count_on(engine.catalog, engine.store) == 0
        await refused(put(store, bucket, "a/x", 1))

    run(local_store(tmp_path), look)


def _once(first: Callable[..., Any], times: int, then: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(times))
    return lambda command: first(command) if next(calls, None) is not None else then(command)


def test_what_a_user_has_is_counted_over_all_buckets(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await engine.create_bucket("hers", "her", "r")
        hers = engine.bucket("hers")
        await put(store, bucket, "a", 10, "her")
        await put(store, hers, "a", 100)
        await put(store, hers, "b", 1000, "you")
        assert engine.quotas.user("her").used == (2, 110)
        assert engine.quotas.owners(hers) == {"her": (1, 100), "you": (1, 1000)}
        await put(store, bucket, "a", 3)
        await put(store, hers, "b", 5, "you")
        assert engine.quotas.user("her").used == (1, 100)
        assert engine.quotas.user("you").used == (1, 5)
        await engine.delete_object(hers, "b")
        await engine.delete_object(hers, "a")
        await engine.delete_bucket("hers")
        assert engine.quotas.user("you").used == engine.quotas.user("her").used == (0, 0)
        assert exact(store)

    play(scenario)


async def set_users(store: Store, **limits: UserQuota | None) -> None:
    await store.engine.quotas.set_store(limits, default=msgspec.UNSET)


def test_a_user_keeps_its_quota_in_all_buckets_together(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await engine.create_bucket("hers", "her", "r")
        hers = engine.bucket("hers")
        await put(store, bucket, "a", 30, "her")
        await set_users(store, her=UserQuota(bytes=100, objects=4, name="Ada"))
        await put(store, hers, "a", 30)
        said = await refused(put(store, hers, "b", 41))
        assert said == {
            "Quota": "user",
            "Holder": "Ada",
            "Unit": "bytes",
            "Limit": 100,
            "Used": 60,
            "Added": 41,
        }
        said = await refused(put(store, bucket, "b", 41, "her"))
        assert said["Used"] == 60
        with pytest.raises(QuotaExceeded):
            engine.quotas.check_write(bucket, "b", 41, "her")
        # What others write, into her bucket too, is theirs.
        await put(store, hers, "theirs", 500, "you")
        await put(store, bucket, "mine", 500)
        # Over an object of somebody else's all of it comes to her; over her own the difference.
        await refused(put(store, bucket, "mine", 41, "her"))
        await put(store, bucket, "a", 70, "her")
        await refused(put(store, hers, "c", 1))
        await put(store, bucket, "a", 5, "you")
        await put(store, hers, "c", 70)
        assert engine.quotas.user("her")[:2] == (
            (2, 100),
            UserQuota(bytes=100, objects=4, name="Ada"),
        )
        await set_users(store, her=None)
        await put(store, hers, "d", 1)
        assert engine.quotas.users() == {}
        assert exact(store)

    play(scenario)


def test_objects_of_a_group_of_writes_count_for_the_user_one_by_one(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await set_users(store, her=UserQuota(objects=5, soft=100))
        work = [put(store, bucket, f"{number}", 1, "her") for number in range(8)]
        done = await asyncio.gather(*work, return_exceptions=True)
        assert sum(isinstance(each, QuotaExceeded) for each in done) == 3
        assert store.engine.quotas.user("her").used == (5, 5)
        assert store.engine.quotas.user("her").warns

    play(scenario)


def test_a_bucket_that_goes_in_the_same_group_takes_nothing_twice(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await engine.create_bucket("hers", "her", "r")
        hers = engine.bucket("hers")
        await put(store, hers, "a", 60)
        await put(store, bucket, "a", 30, "her")
        await set_users(store, her=UserQuota(bytes=100))
        work = (
            engine.delete_object(hers, "a"),
            engine.delete_bucket("hers"),
            put(store, bucket, "b", 71, "her"),
            put(store, bucket, "c", 70, "her"),
        )
        done = await asyncio.gather(*work, return_exceptions=True)
        assert [isinstance(each, QuotaExceeded) for each in done] == [False, False, True, False]
        assert engine.quotas.user("her").used == (2, 100)
        assert exact(store)

    play(scenario)


def test_new_buckets_get_the_default_of_then(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        await engine.quotas.set_store({}, default=Quota(bytes=10))
        await engine.create_bucket("limited", "me", "r", {"public_404": True})
        limited = engine.bucket("limited")
        assert limited.quota == BucketQuota(bytes=10)
        assert limited.options["public_404"]
        await refused(put(store, limited, "a", 11))
        await put(store, bucket, "a", 11)
        await engine.quotas.set_store({}, default=Quota())
        await engine.create_bucket("free", "me", "r")
        assert engine.bucket("free").options == {}
        assert engine.bucket("free").quota is None
        assert engine.quotas.default() is None
        assert engine.bucket("limited").quota == BucketQuota(bytes=10)

    play(scenario)


def test_a_rebuild_counts_anew_and_brings_all_quotas_back(tmp_path: Path) -> None:
    prepare(str(tmp_path))
    limits = BucketQuota(bytes=1000, prefixes={"a/": Quota(bytes=50), "b/": Quota()})
    user = UserQuota(bytes=70, name="Ada")

    async def fill(store: Store) -> None:
        engine = store.engine
        await engine.create_bucket("bucket", "me", "r")
        await engine.quotas.set_bucket("bucket", limits)
        await engine.quotas.set_store({"her": user}, default=Quota(objects=1))
        bucket = engine.bucket("bucket")
        await put(store, bucket, "a/1", 20, "her")
        await put(store, bucket, "b/1", 30)
        bucket = await version(store, "Enabled")
        await put(store, bucket, "a/1", 25, "her")
        await engine.delete_object(bucket, "b/1")

    run(local_store(tmp_path), fill)
    rebuild(str(tmp_path))
    prepare(str(tmp_path))

    async def look(store: Store) -> None:
        engine = store.engine
        bucket = engine.bucket("bucket")
        assert exact(store)
        assert bucket.quota == limits
        assert prefixes(store) == {"a/": (2, 45), "b/": (1, 30)}
        assert engine.quotas.user("her")[:2] == ((2, 45), user)
        assert engine.quotas.default() == Quota(objects=1)
        await refused(put(store, bucket, "a/2", 6))
        await refused(put(store, bucket, "c", 26, "her"))

    run(local_store(tmp_path), look)


def test_the_check_finds_counters_that_are_wrong(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await put(store, bucket, "a/1", 10, "you")
        reader = store.engine.catalog.reader()

        def harm(txn: Any) -> None:
            txn.add_owned(bucket.tree, "you", 1, 5)
            txn.put_prefix(txn.prefixes(bucket.tree)[0]._replace(bytes=9))

        store.engine.catalog.transact([harm])
        assert list(check_counters(reader, bucket.tree)) == [
            "owner you: counted 1 objects, 10 bytes; noted 2, 15",
            "prefix a/: counted 1 objects, 10 bytes; noted 1, 9",
        ]

    play(scenario, a=Quota())
