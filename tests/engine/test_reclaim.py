"""Space comes back, and nothing that anybody needs goes with it."""

import asyncio
from pathlib import Path

import pytest

from neve.catalog.catalog import Transaction
from neve.clock import now_us
from neve.engine.backup import Hold
from neve.engine.commit import RECORD_BYTES
from neve.engine.reclaim import HOLD, change
from neve.engine.store import prepare
from neve.testing.engine import Store, body_bytes, local_store, on_folder, pattern, run

MIB = 1 << 20
SEGMENT = 256 << 10


def small_segments(folder: Path) -> Store:
    """A store whose segments hold few objects."""
    prepare(str(folder))
    store = local_store(folder)
    store.engine.store._segments._bytes_max = SEGMENT
    return store


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("segments/**/*.seg"))


def test_overwrite_loops_do_not_leak(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for round in range(60):
            for key in ("a", "b", "c"):
                await store.put(bucket, key, pattern(60_000, round))
            await store.put(bucket, "large", pattern(MIB, round))
            store.reclaimer.compact()
            store.collect_all()
        for key in ("a", "b", "c"):
            assert store.get(bucket, key) == pattern(60_000, 59)
        assert store.get(bucket, "large") == pattern(MIB, 59)
        assert len(list(store.engine.store.files(1 << 23))) == 1
        # Live: 180 kB. Each worker and the mover may hold one open segment.
        assert disk_bytes(tmp_path) < 5 * SEGMENT

    run(small_segments(tmp_path), scenario)


def test_compaction_keeps_every_live_object_and_its_version(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for number in range(200):
            await store.put(bucket, f"k{number:03}", pattern(9_000, number))
        rows = {}
        for number in range(200):
            if number % 5:
                await store.engine.delete_object(bucket, f"k{number:03}")
            else:
                rows[number] = store.engine.head(bucket, f"k{number:03}")
        before = disk_bytes(tmp_path)
        assert store.reclaimer.compact() > 0
        store.collect_all()
        assert disk_bytes(tmp_path) < before / 2
        for number, row in rows.items():
            assert store.get(bucket, f"k{number:03}") == pattern(9_000, number)
            moved = store.engine.head(bucket, f"k{number:03}")
            assert moved._replace(blob=b"") == row._replace(blob=b"")
        live = sum(segment.live for segment in store.engine.catalog.reader().segments())
        assert live == 40 * (9_000 + RECORD_BYTES)

    run(small_segments(tmp_path), scenario)


def test_a_reader_keeps_a_segment_that_is_given_up(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        data = pattern(200_000)
        row = await store.put(bucket, "k", data)
        body = store.engine.read(row, 0, row.size)
        assert not isinstance(body, bytes)
        await store.engine.delete_object(bucket, "k")
        for number in range(4):
            await store.put(bucket, f"fill{number}", pattern(200_000, number))
        store.reclaimer.compact()
        store.collect_all()
        assert body_bytes(body) == data

    run(small_segments(tmp_path), scenario)


def test_nothing_is_freed_while_a_backup_holds(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "large", pattern(2 * MIB))
        await store.engine.delete_object(bucket, "large")
        with Hold(store.engine.catalog):
            assert store.reclaimer.collect() == 0
            assert store.reclaimer.compact() == 0
        assert store.reclaimer.collect() == 1

    on_folder(tmp_path, scenario)


def test_a_forgotten_hold_ends(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "large", pattern(2 * MIB))
        await store.engine.delete_object(bucket, "large")
        past = str(now_us() - 1).encode()
        change(store.engine.catalog, lambda txn: txn.put_setting(HOLD + "dead", past))
        assert store.reclaimer.collect() == 1

    on_folder(tmp_path, scenario)


def test_garbage_waits_for_its_grace(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "large", pattern(2 * MIB))
        await store.engine.delete_object(bucket, "large")
        store.reclaimer._grace_us = 3600 * 1_000_000
        assert store.reclaimer.collect() == 0
        store.reclaimer._grace_us = 0
        assert store.reclaimer.collect() == 1

    on_folder(tmp_path, scenario)


def test_old_uploads_are_aborted_and_young_ones_kept(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        upload = await store.engine.create_upload(bucket, "mp", "me", b"", None)
        await store.put_part(bucket, "mp", upload, 1, pattern(5 * MIB))
        assert store.reclaimer.abort_uploads(60.0) == 0
        assert store.reclaimer.abort_uploads(-1.0) == 1
        store.collect_all()
        assert list(store.engine.store.files(1 << 23)) == []
        assert store.engine.list_uploads(bucket, "", "", "", 10) == []

    on_folder(tmp_path, scenario)


def test_orphans_of_a_crash_are_swept_and_nothing_else(tmp_path: Path) -> None:
    async def crash(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "large", pattern(2 * MIB))
        row = await store.put_multipart(bucket, "mp", [pattern(5 * MIB), b"tail"])
        await store.engine.copy_object(row, bucket, "copy", meta=b"", checksum=None)
        upload = await store.engine.create_upload(bucket, "open", "me", b"", None)
        await store.put_part(bucket, "open", upload, 1, pattern(MIB))
        orphan = store.engine.store.create_file()
        orphan.write(memoryview(pattern(MIB)))
        orphan.commit(True)

    on_folder(tmp_path, crash)

    async def sweep(store: Store) -> None:
        assert len(list(store.engine.store.files(1 << 23))) == 5
        assert store.reclaimer.sweep_files() == 1
        assert store.reclaimer.sweep_files() == 0
        bucket = store.engine.bucket("bucket")
        assert store.get(bucket, "large") == pattern(2 * MIB)
        assert store.get(bucket, "copy") == pattern(5 * MIB) + b"tail"
        assert len(store.engine.list_uploads(bucket, "", "", "", 10)) == 1

    on_folder(tmp_path, sweep)


def test_trimming_the_redo_log_syncs_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "k", b"data")
        reader = store.engine.catalog.reader()
        assert reader.redo()
        seen = []
        sync = store.engine.store.sync_segment
        monkeypatch.setattr(
            store.engine.store,
            "sync_segment",
            lambda segment: (seen.append((segment, bool(reader.redo()))), sync(segment)),
        )
        store.reclaimer.trim_redo()
        assert seen and all(still_there for _, still_there in seen)
        assert not reader.redo()

    on_folder(tmp_path, scenario)


def test_a_segment_of_tiny_objects_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        keys = [f"z/{number:06}/c/{number % 20}" for number in range(3_000)]
        for at in range(0, len(keys), 250):
            await asyncio.gather(*(store.put(bucket, key, b"x") for key in keys[at : at + 250]))
        rows = store.engine.catalog.reader().segments()
        assert len(rows) >= 2
        assert not any(store.reclaimer._worth(row, now_us()) for row in rows if row.sealed)

    run(small_segments(tmp_path), scenario)


def test_a_segment_that_was_never_made_holds_up_nothing(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        def killed_before_the_file(txn: Transaction) -> None:
            txn.seal_segment(txn.create_segment(now_us()))

        change(store.engine.catalog, killed_before_the_file)
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for number in range(40):
            await store.put(bucket, "same", pattern(20_000, number))
        before = len(store.engine.catalog.reader().segments())
        assert store.reclaimer.compact() > 1
        assert store.reclaimer.compact() == 0
        rows = store.engine.catalog.reader().segments()
        assert 1 not in [row.id for row in rows] and len(rows) < before
        assert store.get(bucket, "same") == pattern(20_000, 39)

    run(small_segments(tmp_path), scenario)
