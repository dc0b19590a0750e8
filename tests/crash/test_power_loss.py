"""The engine on a disk that loses what was not synced: crash at operation N, recover, compare.

The bucket has a quota and counted prefixes, and several people write into it: after every crash the
counters are those of a listing, and no quota has been passed.

A scenario runs once on a recording disk. Then, for many N, the folder is made to look as a power
cut after N disk operations may have left it, and the store is opened on it as a server would.
Every write acknowledged by then must be there whole; no other may be half there.
"""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.engine import guard
from neve.engine.bucket import Bucket
from neve.engine.conditions import Conditions
from neve.engine.counting import check_counters, count_on
from neve.engine.quota import BucketQuota, Quota
from neve.engine.rebuild import rebuild
from neve.engine.scrub import count_tree
from neve.engine.store import open_engine, prepare
from neve.errors import DomainError, NoSuchBucket
from neve.testing.crash import crash_image
from neve.testing.disks import Recording, RecordingDisk
from neve.testing.engine import LocalShared, Store, local_store, pattern, run
from neve.testing.vfs import RecordingVFS

MIB = 1 << 20
QUOTA_BYTES = 12 * MIB
"""Some of the writes do not fit."""
POINTS = 60
ABSENT = None


class History:
    """What was asked of each key and when, in numbers of disk operations."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.writes: dict[str, list[list[Any]]] = {}
        """Per key: [begun at, acknowledged at or None, value]."""

    async def write(self, key: str, value: bytes | None, work: Coroutine[Any, Any, Any]) -> None:
        entry: list[Any] = [len(self.recording), None, value]
        self.writes.setdefault(key, []).append(entry)
        try:
            await work
        except DomainError:
            self.writes[key].remove(entry)
            return
        entry[1] = len(self.recording)

    def allowed(self, key: str, point: int) -> set[bytes | None]:
        """The values that the key may have after a crash at `point`."""
        possible: set[bytes | None] = {ABSENT}
        for begun, acknowledged, value in self.writes[key]:
            if acknowledged is not None and acknowledged <= point:
                possible = {value}
            elif begun < point:
                possible.add(value)
        return possible


async def scenario(store: Store, history: History, seed: int) -> None:
    """Writes of every kind; each key is written by one task, so its order is known."""
    engine = store.engine
    await engine.create_bucket("bucket", "me", "r")
    history.writes["/bucket"] = [[0, len(history.recording), b"made"]]
    await engine.quotas.set_bucket("bucket", quota_of("k", "s"))
    bucket = engine.bucket("bucket")

    async def key_life(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        key = f"k{number}"
        for step in range(4):
            kind = chance.choice(["small", "small", "medium", "large", "delete", "multi", "copy"])
            size = {"small": 3_000, "medium": 150_000, "large": MIB + 7}.get(kind, 0)
            data = pattern(size, number * 100 + step)
            if kind == "delete":
                await history.write(key, ABSENT, engine.delete_object(bucket, key))
            elif kind == "multi":
                parts = [pattern(5 * MIB, number), pattern(10, step)]
                work = store.put_multipart(bucket, key, parts)
                await history.write(key, b"".join(parts), work)
            elif kind == "copy":
                await history.write(key, pattern(MIB + 1, 0), copy(store, bucket, key))
            else:
                owner = chance.choice(["", "her", "you"])
                await history.write(key, data, store.put(bucket, key, data, owner=owner))
            refused = store.put(bucket, "source", b"x", Conditions(if_none_match="*"))
            await history.write("source", b"x", refused)

    await history.write(
        "source", pattern(MIB + 1, 0), store.put(bucket, "source", pattern(MIB + 1, 0))
    )
    await asyncio.gather(*(key_life(number) for number in range(6)))
    # Two prefixes more, counted in slices of two keys while the writes go on.
    await asyncio.gather(
        engine.quotas.set_bucket("bucket", quota_of("s", "k", "k1", "k2")),
        *(history.write(f"k{n}", b"1", store.put(bucket, f"k{n}", b"1")) for n in range(10, 20)),
    )
    for key in ("k0", "k1"):
        await history.write(key, ABSENT, engine.delete_object(bucket, key))
    store.reclaimer.trim_redo()
    engine.catalog.checkpoint()
    store.collect_all()
    for number in range(3):
        data = pattern(2_000, number)
        await history.write(f"late{number}", data, store.put(bucket, f"late{number}", data))


def quota_of(*prefixes: str) -> BucketQuota:
    return BucketQuota(bytes=QUOTA_BYTES, prefixes=dict.fromkeys(prefixes, Quota()))


async def copy(store: Store, bucket: Bucket, key: str) -> None:
    row = store.engine.head(bucket, "source")
    await store.engine.copy_object(row, bucket, key, meta=b"", checksum=None)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SLICE_ROWS", 2)


def record(folder: Path, seed: int) -> tuple[Recording, History]:
    folder.mkdir()
    recording = Recording(str(folder))
    disk, vfs = RecordingDisk(recording), f"recording-{seed}"
    keep = RecordingVFS(vfs, recording)
    history = History(recording)
    prepare(str(folder), disk=disk, vfs=vfs)
    shared = LocalShared()
    store = Store(open_engine(str(folder), shared, disk=disk, vfs=vfs), shared)
    run(store, lambda store: scenario(store, history, seed))
    del keep
    return recording, history


def check(folder: Path, history: History, point: int, where: str) -> None:
    """Open the folder as a server would, and compare with what is allowed at `point`."""
    prepare(str(folder))

    async def look(store: Store) -> None:
        try:
            bucket = store.engine.bucket("bucket")
        except NoSuchBucket:
            assert point < history.writes["/bucket"][0][1], where
            return
        there = set(store.keys(bucket))
        for key in history.writes:
            if key == "/bucket":
                continue
            value = store.get(bucket, key) if key in there else ABSENT
            allowed = history.allowed(key, point)
            assert value in allowed, (where, key, value and len(value))
        assert there <= set(history.writes)
        check_usage(store, bucket, where)
        # Space: after the sweep every file has an owner, and new writes work.
        store.reclaimer.sweep_files()
        store.collect_all()
        store.collect_all()
        await store.put(bucket, "after", b"crash")
        for key in store.keys(bucket):
            await store.engine.delete_object(bucket, key)
        for upload in store.engine.list_uploads(bucket, "", "", "", 1000):
            await store.engine.abort_upload(bucket, upload.key, upload.id)
        store.collect_all()
        store.collect_all()
        assert list(store.engine.store.files(1 << 23)) == [], where
        quotas = store.engine.quotas
        assert quotas.owners(bucket) == {"me": (0, 0)}, where
        assert {u and u.used for u in quotas.prefixes(bucket).values()} <= {(0, 0)}, where

    run(local_store(folder), look)


def check_usage(store: Store, bucket: Bucket, where: str) -> None:
    """Counters are those of a listing, also of prefixes that were half counted in the crash."""
    engine = store.engine
    reader = engine.catalog.reader()
    assert count_tree(reader, bucket.tree) == engine.usage(bucket), where
    assert engine.usage(bucket)[1] <= QUOTA_BYTES, where
    assert list(check_counters(reader, bucket.tree)) == [], where
    count_on(engine.catalog, engine.store)
    assert reader.uncounted_trees() == [], where
    assert list(check_counters(reader, bucket.tree)) == [], where


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_acknowledged_write_is_lost_and_none_is_half_there(tmp_path: Path, seed: int) -> None:
    recording, history = record(tmp_path / "live", seed)
    end = len(recording)
    assert end > 100
    points = [*sorted(random.Random(seed).sample(range(1, end), min(POINTS, end - 1))), end]
    for point in points:
        target = tmp_path / f"crash-{point}"
        target.mkdir()
        crash_image(recording.log, point, seed, str(target))
        check(target, history, point, f"seed {seed}, crash at operation {point} of {end}")
    assert any(None not in history.allowed(key, end) for key in history.writes)


@pytest.mark.timeout(300)
def test_a_rebuild_after_losing_power_and_catalog_finds_what_was_synced(tmp_path: Path) -> None:
    recording, history = record(tmp_path / "live", 3)
    target = tmp_path / "crash"
    target.mkdir()
    crash_image(recording.log, len(recording), 3, str(target))
    prepare(str(target))  # redo rows are written back while there is a catalog
    for path in target.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(target)).damaged == []
    check(target, history, len(recording), "rebuilt")
