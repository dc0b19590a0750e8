"""Versions on a disk that loses what was not synced: crash at operation N, recover, compare.

Each key is changed by one task, one change after the other. So after a crash its versions are those
after all changes that were acknowledged by then, or after one more; in their order, whole, and none
of those that were removed for ever. A catalog rebuilt from what is left in the end has the same.
"""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.catalog.catalog import ObjectRow
from neve.engine.delete import Deleted
from neve.engine.rebuild import rebuild
from neve.engine.scrub import count_tree, count_versions
from neve.engine.store import open_engine, prepare
from neve.errors import NoSuchBucket
from neve.testing.crash import crash_image
from neve.testing.disks import Recording, RecordingDisk
from neve.testing.engine import LocalShared, Store, body_bytes, local_store, pattern, run
from neve.testing.vfs import RecordingVFS

MIB = 1 << 20
POINTS = 40
KEYS = 6
STEPS = 8

State = tuple[tuple[str, bytes | None], ...]
"""(version, bytes or None for a delete marker) of a key, newest first."""


class History:
    """The states of each key, and when each was begun and acknowledged, in disk operations."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.made = 0
        self.states: dict[str, list[tuple[int, int, State]]] = {}

    def state(self, key: str) -> State:
        there = self.states.get(key)
        return there[-1][2] if there else ()

    async def change(self, key: str, work: Coroutine[Any, Any, Any], after: Any) -> None:
        """Do `work`; `after` says the new state from its result."""
        begun = len(self.recording)
        result = await work
        entry = (begun, len(self.recording), after(result, self.state(key)))
        self.states.setdefault(key, []).append(entry)

    def allowed(self, key: str, point: int) -> list[State]:
        """The states that the key may be in after a crash at `point`."""
        possible: list[State] = [()]
        for begun, acknowledged, state in self.states[key]:
            if acknowledged <= point:
                possible = [state]
            elif begun < point:
                possible.append(state)
        return possible


def put_on_top(data: bytes) -> Any:
    def after(row: ObjectRow, state: State) -> State:
        kept = tuple(each for each in state if row.version or each[0])
        return ((row.version, data), *kept)

    return after


def marked(done: Deleted, state: State) -> State:
    assert done.version is not None
    kept = tuple(each for each in state if done.version or each[0])
    return ((done.version, None), *kept)


def without(done: Deleted, state: State) -> State:
    return tuple(each for each in state if each[0] != done.version)


async def scenario(store: Store, history: History, seed: int) -> None:
    engine = store.engine
    await engine.create_bucket("bucket", "me", "r", {"versioning": "Enabled"})
    history.made = len(history.recording)

    async def life(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        key = f"k{number}"
        for step in range(STEPS):
            bucket, state = engine.bucket("bucket"), history.state(key)
            kind = chance.choice(["put", "put", "large", "multi", "delete", "gone", "gone", "meta"])
            data = pattern(MIB + 5 if kind == "large" else 2000, number * 100 + step)
            objects = [version for version, body in state if body is not None]
            if kind == "delete":
                await history.change(key, engine.delete_object(bucket, key), marked)
            elif kind == "gone" and state:
                version = chance.choice(state)[0]
                work = engine.delete_object(bucket, key, version=version)
                await history.change(key, work, without)
            elif kind == "meta" and objects:
                version = chance.choice(objects)
                work = engine.set_object_meta(bucket, key, lambda now: now.meta + b"!", version)
                await history.change(key, work, lambda _, state: state)
            elif kind == "multi":
                parts = [pattern(5 * MIB, number), pattern(10, step)]
                work = store.put_multipart(bucket, key, parts)
                await history.change(key, work, put_on_top(b"".join(parts)))
            else:
                await history.change(key, store.put(bucket, key, data), put_on_top(data))
            if number == 0 and step in (2, 5):
                state_now = "Suspended" if step == 2 else "Enabled"
                await engine.set_bucket_option("bucket", "versioning", state_now)

    await asyncio.gather(*(life(number) for number in range(KEYS)))
    store.reclaimer.trim_redo()
    engine.catalog.checkpoint()
    store.reclaimer.compact()
    store.collect_all()
    await asyncio.gather(*(life(number) for number in range(3)))


def record(folder: Path, seed: int) -> tuple[Recording, History]:
    folder.mkdir()
    recording = Recording(str(folder))
    disk, vfs = RecordingDisk(recording), f"recording-versions-{seed}"
    keep = RecordingVFS(vfs, recording)
    history = History(recording)
    prepare(str(folder), disk=disk, vfs=vfs)
    shared = LocalShared()
    store = Store(open_engine(str(folder), shared, disk=disk, vfs=vfs), shared)
    run(store, lambda store: scenario(store, history, seed))
    del keep
    return recording, history


def check(folder: Path, history: History, point: int, where: str) -> None:
    prepare(str(folder))

    async def look(store: Store) -> None:
        engine = store.engine
        try:
            bucket = engine.bucket("bucket")
        except NoSuchBucket:
            assert point < history.made, where
            return
        found: dict[str, list[tuple[str, bytes | None]]] = {}
        page = engine.list_versions(bucket, "", "", "", None, 10_000)
        for entry in page.entries:
            assert not isinstance(entry, str)
            each, newest = entry
            row = engine.head(bucket, each.key, each.version)
            data = body_bytes(engine.read(row, 0, row.size)) if each.etag else None
            assert newest == (each.key not in found), where
            found.setdefault(each.key, []).append((each.version, data))
        for key in history.states:
            state = tuple(found.get(key, ()))
            assert state in history.allowed(key, point), (where, key, [v for v, _ in state])
        visible = [key for key, state in found.items() if state[0][1] is not None]
        assert store.keys(bucket) == sorted(visible), where
        reader = engine.catalog.reader()
        assert count_tree(reader, bucket.tree) == engine.usage(bucket), where
        assert count_versions(reader, bucket.tree) == engine.version_usage(bucket), where
        store.reclaimer.sweep_files()
        store.collect_all()
        for key, versions in found.items():
            for version, _ in versions:
                await engine.delete_object(bucket, key, version=version)
        for upload in engine.list_uploads(bucket, "", "", "", 1000):
            await engine.abort_upload(bucket, upload.key, upload.id)
        store.collect_all()
        store.collect_all()
        assert list(engine.store.files(1 << 23)) == [], where
        assert engine.usage(bucket) == (0, 0), where

    run(local_store(folder), look)


@pytest.mark.timeout(300)
def test_versions_survive_losing_power(tmp_path: Path) -> None:
    seed = 4
    recording, history = record(tmp_path / "live", seed)
    end = len(recording)
    assert end > 100
    points = [*sorted(random.Random(seed).sample(range(history.made + 1, end), POINTS)), end]
    for point in points:
        target = tmp_path / f"crash-{point}"
        target.mkdir()
        crash_image(recording.log, point, seed, str(target))
        check(target, history, point, f"seed {seed}, crash at operation {point} of {end}")
    assert any(len(history.state(key)) > 2 for key in history.states)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_versions_survive_losing_power_and_catalog(tmp_path: Path, seed: int) -> None:
    recording, history = record(tmp_path / "live", seed)
    target = tmp_path / "crash"
    target.mkdir()
    crash_image(recording.log, len(recording), seed, str(target))
    prepare(str(target))  # redo rows are written back while there is a catalog
    for path in target.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(target)).damaged == []
    check(target, history, len(recording), f"seed {seed}, rebuilt")
