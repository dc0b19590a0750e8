"""Versions in the engine, against a model that keeps a plain list for each key, and rebuilt."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve import errors
from neve.clock import now_us
from neve.engine import change, delete, write
from neve.engine.bucket import Bucket
from neve.engine.conditions import Conditions
from neve.engine.delete import Deleted, Deletion
from neve.engine.rebuild import rebuild
from neve.engine.scrub import Scrubber, count_tree, count_versions, findings
from neve.engine.store import prepare
from neve.testing.engine import (
    Store,
    body_bytes,
    local_store,
    memory_store,
    on_folder,
    pattern,
    run,
)

MIB = 1 << 20
Scenario = Callable[[Store, Bucket], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["local", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], Any]:
    """Run a scenario with an empty bucket whose versioning is enabled."""

    def start(scenario: Scenario) -> Any:
        async def whole(store: Store) -> Any:
            await store.engine.create_bucket("bucket", "me", "r")
            return await scenario(store, await told(store, "Enabled"))

        return (
            run(memory_store(), whole) if request.param == "memory" else on_folder(tmp_path, whole)
        )

    return start


async def told(store: Store, state: str) -> Bucket:
    await store.engine.set_bucket_option("bucket", "versioning", state)
    return store.engine.bucket("bucket")


def data_of(store: Store, bucket: Bucket, key: str, version: str) -> bytes:
    row = store.engine.head(bucket, key, version)
    return body_bytes(store.engine.read(row, 0, row.size))


def shown(store: Store, bucket: Bucket, page: int = 1000) -> list[tuple[Any, ...]]:
    """(key, version, newest, marker, owner, data, meta) of every version, by pages."""
    found: list[tuple[Any, ...]] = []
    key, version = "", None
    while True:
        listed = store.engine.list_versions(bucket, "", "", key, version, page)
        for entry in listed.entries:
            assert not isinstance(entry, str)
            each, newest = entry
            key, version = each.key, each.version
            row = store.engine.head(bucket, key, version)
            data = body_bytes(store.engine.read(row, 0, row.size))
            found.append((key, version, newest, not each.etag, row.owner, data, row.meta))
        if not listed.truncated:
            return found


def check_counters(store: Store, bucket: Bucket) -> None:
    reader = store.engine.catalog.reader()
    assert count_tree(reader, bucket.tree) == store.engine.usage(bucket)
    assert count_versions(reader, bucket.tree) == store.engine.version_usage(bucket)


def test_every_write_keeps_the_version_before(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        first = await store.put(bucket, "k", b"1")
        second = await store.put(bucket, "k", b"22")
        assert first.version
        assert second.version not in ("", first.version)
        assert store.get(bucket, "k") == b"22"
        assert data_of(store, bucket, "k", first.version) == b"1"
        assert data_of(store, bucket, "k", second.version) == b"22"
        assert store.engine.usage(bucket) == (1, 3)
        assert store.engine.version_usage(bucket) == (1, 0)
        with pytest.raises(errors.NoSuchVersion):
            store.engine.head(bucket, "k", "")
        with pytest.raises(errors.NoSuchVersion):
            store.engine.head(bucket, "other", first.version)

    play(scenario)


def test_a_deletion_makes_a_marker_and_removing_it_brings_the_object_back(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        row = await store.put(bucket, "k", b"1")
        deleted = await engine.delete_object(bucket, "k", owner="someone")
        assert (deleted.existed, deleted.marker) == (True, True)
        assert store.keys(bucket) == []
        with pytest.raises(errors.NoSuchKey) as caught:
            engine.head(bucket, "k")
        assert caught.value.marker == deleted.version
        marker = engine.head(bucket, "k", deleted.version)
        assert (marker.etag, marker.owner) == ("", "someone")
        assert engine.usage(bucket) == (0, 1)
        assert engine.version_usage(bucket) == (1, 1)
        with pytest.raises(errors.BucketNotEmpty):
            await engine.delete_bucket("bucket")
        again = await engine.delete_object(bucket, "k")
        assert again.version != deleted.version
        assert not again.existed
        for each in (again, deleted):
            gone = await engine.delete_object(bucket, "k", version=each.version)
            assert gone == Deleted(True, each.version, True)
        assert engine.head(bucket, "k") == row
        assert engine.version_usage(bucket) == (0, 0)
        assert await engine.delete_object(bucket, "k", version="none") == Deleted(False, "none")
        await engine.delete_object(bucket, "k", version=row.version)
        with pytest.raises(errors.NoSuchKey):
            engine.head(bucket, "k")
        assert engine.usage(bucket) == (0, 0)
        await engine.delete_bucket("bucket")

    play(scenario)


def test_suspended_writes_replace_only_the_null_version(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        kept = await store.put(bucket, "k", b"kept")
        bucket = await told(store, "Suspended")
        assert (await store.put(bucket, "k", b"null")).version == ""
        assert (await store.put(bucket, "k", b"null 2")).version == ""
        assert [each[1] for each in shown(store, bucket)] == ["", kept.version]
        assert await store.engine.delete_object(bucket, "k") == Deleted(True, "", True)
        assert await store.engine.delete_object(bucket, "k") == Deleted(False, "", True)
        assert [each[1:4] for each in shown(store, bucket)] == [
            ("", True, True),
            (kept.version, False, False),
        ]
        bucket = await told(store, "Enabled")
        newest = await store.put(bucket, "k", b"newest")
        assert [each[1] for each in shown(store, bucket)] == [newest.version, "", kept.version]
        bucket = await told(store, "Suspended")
        await store.put(bucket, "k", b"null 3")
        assert [each[1] for each in shown(store, bucket)] == ["", newest.version, kept.version]
        check_counters(store, bucket)

    play(scenario)


def test_what_was_there_before_versioning_is_the_null_version(play: Any) -> None:
    async def scenario(store: Store, _bucket: Bucket) -> None:
        plain = await store.engine.create_bucket("plain", "me", "r")
        old = await store.put(plain, "k", b"old")
        assert old.version == ""
        await store.engine.set_bucket_option("plain", "versioning", "Enabled")
        # A request that began before it was told so, and then one that knows.
        await store.put(plain, "k", b"new")
        await store.engine.delete_objects(plain, [Deletion("k"), Deletion("x")])
        bucket = store.engine.bucket("plain")
        assert data_of(store, bucket, "k", "") == b"old"
        assert [(each[0], each[3]) for each in shown(store, bucket)] == [
            ("k", True), ("k", False), ("k", False), ("x", True),
        ]  # fmt: skip
        check_counters(store, bucket)

    play(scenario)


def test_excluded_keys_are_as_in_a_bucket_without_versions(play: Any) -> None:
    async def scenario(store: Store, _bucket: Bucket) -> None:
        engine = store.engine
        await engine.set_bucket_option("bucket", "versioning_excluded", ["*.zarr/*/c/", "tmp"])
        await engine.set_bucket_option("bucket", "versioning_exclude_folders", True)
        bucket = engine.bucket("bucket")
        for key in ("a.zarr/x/c/0", "tmpfile", "folder/"):
            await store.put(bucket, key, b"1")
            assert (await store.put(bucket, key, b"2")).version == ""
            assert await engine.delete_object(bucket, key) == Deleted(True)
            assert await engine.delete_object(bucket, key) == Deleted(False)
        assert shown(store, bucket) == []
        assert (await store.put(bucket, "a.zarr/x/zarr.json", b"1")).version
        # A version from before the prefix was excluded must not come to light again.
        await engine.set_bucket_option("bucket", "versioning_excluded", [])
        kept = await store.put(engine.bucket("bucket"), "later", b"kept")
        await engine.set_bucket_option("bucket", "versioning_excluded", ["later"])
        bucket = engine.bucket("bucket")
        await store.put(bucket, "later", b"null")
        assert await engine.delete_object(bucket, "later") == Deleted(True, "", True)
        assert [each[1:4] for each in shown(store, bucket)][1:] == [
            ("", True, True), (kept.version, False, False),
        ]  # fmt: skip
        check_counters(store, bucket)

    play(scenario)


def test_conditions_are_about_the_current_version(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        absent = Conditions(if_none_match="*")
        first = await store.put(bucket, "k", b"1", absent)
        with pytest.raises(errors.PreconditionFailed):
            await store.put(bucket, "k", b"2", absent)
        second = await store.put(bucket, "k", b"2", Conditions(if_match=first.etag))
        with pytest.raises(errors.PreconditionFailed):
            await store.engine.delete_object(bucket, "k", Conditions(if_match=first.etag))
        await store.engine.delete_object(bucket, "k", Conditions(if_match=second.etag))
        with pytest.raises(errors.NoSuchKey):
            await store.put(bucket, "k", b"3", Conditions(if_match=second.etag))
        await store.put(bucket, "k", b"3", absent)
        assert len(shown(store, bucket)) == 4
        check_counters(store, bucket)

    play(scenario)


def test_metadata_of_an_old_version_changes_and_the_order_stays(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        rows = [await store.put(bucket, "k", b"%d" % n, meta=b"%d" % n) for n in range(4)]
        rows.append(await store.put(bucket, "k", pattern(2 * MIB)))
        rows.append(await store.put_multipart(bucket, "k", [pattern(5 * MIB), b"end"]))
        rows.append(await store.put(bucket, "k", b"newest"))
        before = [each[:6] for each in shown(store, bucket)]
        for row in rows:
            changed = await store.engine.set_object_meta(
                bucket, "k", lambda now: now.meta + b"!", row.version
            )
            assert changed.meta == row.meta + b"!"
        after = shown(store, bucket)
        assert [each[:6] for each in after] == before
        assert all(each[6].endswith(b"!") for each in after)
        with pytest.raises(errors.NoSuchVersion):
            await store.engine.set_object_meta(bucket, "k", lambda now: b"", "none")
        check_counters(store, bucket)

    play(scenario)


def test_an_old_version_is_copied(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        for number, size in enumerate((10, 2 * MIB)):
            key = f"k{number}"
            old = await store.put(bucket, key, pattern(size, number))
            await store.put(bucket, key, b"newer")
            copied = await store.engine.copy_object(old, bucket, key, meta=b"", checksum=None)
            assert store.get(bucket, key) == pattern(size, number)
            assert copied.version not in ("", old.version)
            await store.engine.delete_object(bucket, key, version=old.version)
            store.collect_all()
            assert store.get(bucket, key) == pattern(size, number)
            with pytest.raises((errors.NoSuchKey, errors.BlobMissing)):
                if size > MIB:
                    await store.engine.copy_object(old, bucket, "x", meta=b"", checksum=None)
                else:
                    store.engine.head(bucket, "x")
        check_counters(store, bucket)

    play(scenario)


def test_completing_again_finds_the_version_that_was_made(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        upload = await store.engine.create_upload(bucket, "k", "other", b"", None)
        part = await store.put_part(bucket, "k", upload, 1, b"part")
        done = await store.engine.complete_upload(bucket, "k", upload, [part])
        assert done.version
        assert done.owner == "other"
        await store.put(bucket, "k", b"newer")
        assert await store.engine.complete_upload(bucket, "k", upload, [part]) == done

    play(scenario)


class Model:
    """Every key's versions, newest first: [version, marker, data, meta]."""

    def __init__(self) -> None:
        self.keys: dict[str, list[list[Any]]] = {}

    def put(self, key: str, version: str, data: bytes | None, meta: bytes = b"") -> None:
        there = self.keys.setdefault(key, [])
        if not version:
            there[:] = [each for each in there if each[0]]
        there.insert(0, [version, data is None, data or b"", meta])

    def shown(self) -> list[tuple[Any, ...]]:
        return [
            (key, version, number == 0, marker, data, meta)
            for key in sorted(self.keys)
            for number, (version, marker, data, meta) in enumerate(self.keys[key])
        ]


async def step(store: Store, model: Model, chance: random.Random, state: str) -> None:
    """One change of the bucket, and of the model."""
    bucket, engine = store.engine.bucket("bucket"), store.engine
    key = chance.choice(("a", "b", "b/c"))
    there = model.keys.get(key, [])
    kind = chance.choice(("put", "put", "put", "large", "delete", "delete", "gone", "gone", "meta"))
    if kind in ("put", "large"):
        data = pattern(MIB if kind == "large" else chance.randrange(4000), chance.randrange(99))
        row = await store.put(bucket, key, data)
        assert bool(row.version) == (state == "Enabled")
        model.put(key, row.version, data)
    elif kind == "delete":
        deleted = await engine.delete_object(bucket, key)
        if state == "":
            model.keys.pop(key, None)
        else:
            assert deleted.version is not None
            model.put(key, deleted.version, None)
    elif there and kind == "gone":
        version = chance.choice(there)[0]
        await engine.delete_object(bucket, key, version=version)
        there[:] = [each for each in there if each[0] != version]
    elif objects := [each for each in there if not each[1]]:
        chosen = chance.choice(objects)
        chosen[3] = b"%d" % chance.randrange(99)
        await engine.set_object_meta(bucket, key, lambda _: chosen[3], chosen[0])


def compare(store: Store, model: Model) -> None:
    bucket = store.engine.bucket("bucket")
    for page in (1000, 2):
        found = [each[:4] + each[5:] for each in shown(store, bucket, page)]
        assert found == model.shown()
    visible = [key for key, there in model.keys.items() if there and not there[0][1]]
    assert store.keys(bucket) == sorted(visible)
    check_counters(store, bucket)


@pytest.mark.parametrize("seed", range(6))
def test_a_rebuild_brings_back_exactly_the_versions_there_were(tmp_path: Path, seed: int) -> None:
    """After every kind of change in every state, with compactions and restarts in between."""
    model, chance = Model(), random.Random(seed)

    async def live(store: Store) -> None:
        if not store.engine.buckets():
            await store.engine.create_bucket("bucket", "me", "r")
        state = store.engine.bucket("bucket").options.get("versioning", "")
        for _ in range(4):
            for _ in range(12):
                await step(store, model, chance, state)
            compare(store, model)
            state = chance.choice(("Enabled", "Enabled", "Suspended"))
            await told(store, state)
        compare(store, model)
        scrub(store)

    async def tidy(store: Store) -> None:
        store.reclaimer.compact()
        store.collect_all()
        store.reclaimer.sweep_files()
        compare(store, model)
        scrub(store)

    for _ in range(3):
        on_folder(tmp_path, live)
        if chance.random() < 0.6:
            on_folder(tmp_path, tidy)
        if chance.random() < 0.6:
            for path in tmp_path.glob("catalog.db*"):
                path.unlink()
            assert rebuild(str(tmp_path)).damaged == []
            on_folder(tmp_path, tidy)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_does_not_depend_on_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The clock stands still or goes back: nothing is lost, and nothing removed comes back."""
    model, chance = Model(), random.Random(seed)
    start = now_us()
    ticks = iter(range(10**6))
    for module in (write, delete, change):
        monkeypatch.setattr(module, "now_us", lambda: start - seed * next(ticks))

    async def live(store: Store) -> None:
        await store.engine.create_bucket("bucket", "me", "r")
        await told(store, "Enabled")
        for _ in range(80):
            await step(store, model, chance, "Enabled")
        compare(store, model)

    on_folder(tmp_path, live)
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(tmp_path)).damaged == []

    async def after(store: Store) -> None:
        compare(store, model)

    on_folder(tmp_path, after)


def scrub(store: Store) -> None:
    scrubber = Scrubber(store.engine.catalog, store.engine.store)
    while not scrubber.slice(MIB):
        pass
    assert findings(store.engine.catalog.reader()) == []
    assert scrubber.check_usage() == []


def test_the_scrub_finds_a_damaged_old_version(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await store.engine.create_bucket("bucket", "me", "r")
        bucket = await told(store, "Enabled")
        old = await store.put(bucket, "k", pattern(2 * MIB))
        await store.put(bucket, "k", b"newer")
        (path,) = (p for p in (tmp_path / "files").rglob("*") if p.is_file())
        data = path.read_bytes()
        path.write_bytes(b"\0" + data[1:])
        scrubber = Scrubber(store.engine.catalog, store.engine.store)
        while not scrubber.slice(MIB):
            pass
        (finding,) = findings(store.engine.catalog.reader())
        assert (finding.kind, finding.key, finding.version) == ("corrupt", "k", old.version)
        await store.engine.delete_object(bucket, "k", version=old.version)
        while not scrubber.slice(MIB):
            pass
        assert findings(store.engine.catalog.reader()) == []

    on_folder(tmp_path, scenario)


def test_writers_and_a_change_of_state_agree(tmp_path: Path) -> None:
    """Writes under way while versioning is enabled: none of them loses what was there."""

    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await asyncio.gather(
            *(store.put(bucket, "k", b"%d" % n) for n in range(5)),
            told(store, "Enabled"),
            *(store.put(bucket, "k", b"%d" % n) for n in range(5, 10)),
            store.engine.delete_object(bucket, "k"),
        )
        now = store.engine.bucket("bucket")
        found = shown(store, now)
        assert [each[3] for each in found] == [True] + [False] * (len(found) - 1)
        assert len(found) >= 6
        assert len({each[1] for each in found}) == len(found)
        check_counters(store, now)

    prepare(str(tmp_path))
    run(local_store(tmp_path), scenario)
