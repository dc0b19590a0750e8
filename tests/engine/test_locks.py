"""Object lock in the engine: every way to lose a locked version, tried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from neve import errors
from neve.clock import now_us
from neve.engine import locks
from neve.engine.bucket import Bucket
from neve.engine.buckets import ChangeBucket
from neve.engine.commit import Batch
from neve.engine.conditions import NO_CONDITIONS
from neve.engine.delete import Deletion
from neve.engine.expire import Expirer
from neve.engine.rebuild import rebuild
from neve.engine.versions import SUSPENDED, Versioning
from neve.testing.engine import Store, memory_store, on_folder, pattern, run

DAY_US = 86_400_000_000
LOCKED = {"versioning": "Enabled", "lock": {"enabled": True}}


def meta(mode: str = "", until_us: int = 0, hold: str = "") -> bytes:
    fields = {"x-amz-meta-a": b"b"}
    if mode:
        fields |= {locks.MODE: mode.encode(), locks.UNTIL: locks.format_date(until_us).encode()}
    if hold:
        fields[locks.HOLD] = hold.encode()
    return msgspec.msgpack.encode(fields)


@pytest.fixture(params=["local", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Any]:
    """Run a scenario with a bucket that has object lock."""

    def start(scenario: Any) -> Any:
        async def whole(store: Store) -> Any:
            bucket = await store.engine.create_bucket("bucket", "me", "r", LOCKED)
            return await scenario(store, bucket)

        if request.param == "memory":
            return run(memory_store(), whole)
        return on_folder(tmp_path, whole)

    return start


@pytest.mark.parametrize("hold", [False, True])
def test_a_bound_version_outlives_every_deletion(play: Any, hold: bool) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        bound = meta(hold="ON") if hold else meta("COMPLIANCE", now_us() + DAY_US)
        row = await store.put(bucket, "k", b"kept", meta=bound)
        for bypass in (False, True):
            with pytest.raises(errors.ObjectLocked):
                await engine.delete_object(bucket, "k", version=row.version, bypass=bypass)
            both = [Deletion("k", NO_CONDITIONS, row.version, bypass), Deletion("other")]
            refused, done = await engine.delete_objects(bucket, both)
            assert isinstance(refused, errors.ObjectLocked)
            assert not isinstance(done, errors.DomainError)
        with pytest.raises(errors.ObjectLocked):
            await engine.delete_object(bucket, "k", version=row.version)
        with pytest.raises(errors.InvalidBucketState):
            await engine.set_versioning("bucket", Versioning(SUSPENDED))
        with pytest.raises(errors.InvalidBucketState):
            await engine.set_versioning("bucket", Versioning("Enabled", ("k",)))
        with pytest.raises(errors.InvalidBucketState):
            await engine.set_bucket_option("bucket", "versioning", None)
        with pytest.raises(errors.InvalidBucketState):
            await engine.set_bucket_option("bucket", "lock", None)
        await store.put(bucket, "k", b"newer")
        await engine.delete_object(bucket, "k")
        with pytest.raises(errors.ObjectLocked):
            await engine.delete_object(bucket, "k", version=row.version)
        with pytest.raises(errors.BucketNotEmpty):
            await engine.delete_bucket("bucket")
        store.reclaimer.compact()
        store.collect_all()
        kept = engine.head(bucket, "k", row.version)
        assert engine.read(kept, 0, kept.size) == b"kept"

    play(scenario)


def test_a_null_version_from_before_can_be_locked(play: Any) -> None:
    async def scenario(store: Store, _bucket: Bucket) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("later", "me", "r")
        await store.put(bucket, "k", b"null")
        await engine.set_bucket_options("later", LOCKED)
        bound = meta("COMPLIANCE", now_us() + DAY_US)
        await engine.set_object_meta(bucket, "k", lambda _: bound, "")
        # Requests that began before the bucket was told so are made anew.
        await store.put(bucket, "k", b"newer")
        await engine.delete_object(bucket, "k")
        with pytest.raises(errors.ObjectLocked):
            await engine.delete_object(bucket, "k", version="")
        assert engine.head(engine.bucket("later"), "k", "").size == 4

    play(scenario)


def test_lifecycle_rules_leave_bound_versions(play: Any) -> None:
    async def scenario(store: Store, _bucket: Bucket) -> None:
        engine = store.engine
        rule = {
            "ID": "1",
            "Status": "Enabled",
            "Filter": {},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        }
        await engine.set_bucket_option("bucket", "lifecycle", {"rules": [rule], "updated_us": 0})
        bucket = engine.bucket("bucket")
        bound = [meta("COMPLIANCE", now_us() + DAY_US), meta(hold="ON")]
        kept = [await store.put(bucket, "k", b"kept", meta=lock) for lock in bound]
        over = await store.put(bucket, "k", b"over", meta=meta("COMPLIANCE", now_us() - DAY_US))
        await store.put(bucket, "k", b"newest")
        # Days of a microsecond: everything noncurrent is due.
        expirer = Expirer(
            engine, tags_of=lambda _: {}, day_us=1, now=lambda: now_us() + DAY_US // 2
        )
        assert expirer.walk()
        assert expirer.counts.locked == 2
        for row in kept:
            assert engine.head(bucket, "k", row.version).size == 4
        with pytest.raises(errors.NoSuchVersion):
            engine.head(bucket, "k", over.version)

    play(scenario)


@pytest.mark.parametrize(
    ("before", "after", "bypass", "allowed"),
    [
        (("COMPLIANCE", 2), ("COMPLIANCE", 3), False, True),
        (("COMPLIANCE", 2), ("COMPLIANCE", 1), True, False),
        (("COMPLIANCE", 2), ("GOVERNANCE", 3), True, False),
        (("COMPLIANCE", 2), None, True, False),
        (("COMPLIANCE", -2), None, False, True),
        (("GOVERNANCE", 2), ("GOVERNANCE", 3), False, True),
        (("GOVERNANCE", 2), ("GOVERNANCE", 1), False, False),
        (("GOVERNANCE", 2), ("GOVERNANCE", 1), True, True),
        (("GOVERNANCE", 2), ("COMPLIANCE", 3), False, False),
        (("GOVERNANCE", 2), ("COMPLIANCE", 3), True, True),
        (("GOVERNANCE", 2), None, False, False),
        (("GOVERNANCE", 2), None, True, True),
        (("GOVERNANCE", -2), None, False, True),
        (None, ("COMPLIANCE", 1), False, True),
    ],
)
def test_what_may_become_of_a_retention(
    play: Any, before: Any, after: Any, bypass: bool, allowed: bool
) -> None:
    def of(lock: tuple[str, int] | None) -> bytes:
        return meta() if lock is None else meta(lock[0], now_us() + lock[1] * DAY_US)

    async def scenario(store: Store, bucket: Bucket) -> None:
        first, then = of(before), of(after)
        await store.put(bucket, "k", b"x", meta=first)

        async def change() -> None:
            await store.engine.set_object_meta(bucket, "k", lambda _: then, bypass=bypass)

        if allowed:
            await change()
        else:
            with pytest.raises(errors.ObjectLocked):
                await change()
        assert store.engine.head(bucket, "k").meta == (then if allowed else first)

    play(scenario)


@pytest.mark.parametrize("lost", ["catalog", "what the bucket was told"])
def test_locks_come_back_with_a_rebuild(tmp_path: Path, lost: str) -> None:
    told: dict[str, str] = {}

    async def first(store: Store) -> None:
        engine = store.engine
        if lost == "catalog":
            bucket = await engine.create_bucket("bucket", "me", "r", LOCKED)
        else:
            # As after a crash between the change of a bucket and its record.
            bucket = await engine.create_bucket("bucket", "me", "r")
            packed = msgspec.msgpack.encode(LOCKED)
            change = ChangeBucket("bucket", lambda row: row._replace(options=packed))
            await engine.committer.submit(change)
            bucket = engine.bucket("bucket")
        for key, size in (("small", 10), ("large", 2 << 20)):
            row = await store.put(bucket, key, pattern(size))
            bound = meta("COMPLIANCE", now_us() + DAY_US)
            await engine.set_object_meta(bucket, key, lambda _, bound=bound: bound, row.version)
            await store.put(bucket, key, b"newer")
            told[key] = row.version
        store.reclaimer.compact()

    async def after(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        assert bucket.locks
        for key, version in told.items():
            with pytest.raises(errors.ObjectLocked):
                await store.engine.delete_object(bucket, key, version=version, bypass=True)
            assert store.engine.head(bucket, key, version).size in (10, 2 << 20)
        with pytest.raises(errors.InvalidBucketState):
            await store.engine.set_versioning("bucket", Versioning(SUSPENDED))

    on_folder(tmp_path, first)
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(tmp_path)).damaged == []
    on_folder(tmp_path, after)


@pytest.mark.parametrize("lock", ["retention", "hold", "no more"])
def test_a_refused_deletion_that_a_crash_left_a_record_of_is_not_done_by_a_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    """The record is in the segment before the transaction refuses, and voided after that."""
    told: list[str] = []

    async def first(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r", LOCKED)
        bound = meta("COMPLIANCE", now_us() + DAY_US) if lock == "retention" else meta(hold="ON")
        told.append((await store.put(bucket, "k", b"kept", meta=bound)).version)
        if lock == "no more":
            await engine.set_object_meta(bucket, "k", lambda _: meta(hold="OFF"), told[0])
            await engine.delete_object(bucket, "k", version=told[0])
            return
        monkeypatch.setattr(Batch, "amend", lambda *_: None)
        with pytest.raises(errors.ObjectLocked):
            await engine.delete_object(bucket, "k", version=told[0], bypass=True)

    async def after(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        if lock == "no more":
            with pytest.raises(errors.NoSuchVersion):
                store.engine.head(bucket, "k", told[0])
            return
        assert store.engine.head(bucket, "k", told[0]).size == 4
        assert store.get(bucket, "k") == b"kept"

    on_folder(tmp_path, first)
    monkeypatch.undo()
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(tmp_path)).damaged == []
    on_folder(tmp_path, after)


def test_dates_never_become_shorter() -> None:
    for at_us in (0, 1, 999, 1000, 1_700_000_000_123_456, 4_000_000_000_000_000):
        text = locks.format_date(at_us)
        assert 0 <= locks.parse_date(text) - at_us < 1000
    assert locks.parse_date("2030-01-01T00:00:00Z") == 1_893_456_000_000_000
    assert locks.parse_date("2030-01-01T01:00:00+01:00") == 1_893_456_000_000_000


def test_a_year_is_a_year_of_the_calendar() -> None:
    default = locks.Default("GOVERNANCE", None, 1)
    leap = locks.parse_date("2028-02-29T12:00:00Z")
    assert locks.format_date(default.until_us(leap)) == "2029-03-01T12:00:00.000Z"
    plain = locks.parse_date("2027-05-05T00:00:00Z")
    assert locks.format_date(default.until_us(plain)) == "2028-05-05T00:00:00.000Z"
