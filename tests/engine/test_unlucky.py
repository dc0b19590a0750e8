"""Disks that fail and operators without luck: what was acknowledged is still there afterwards."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.blobs.blobs import Blob, unpack_blob
from neve.catalog.catalog import ObjectRow
from neve.engine.backup import backup, restore
from neve.engine.conditions import NO_CONDITIONS
from neve.engine.rebuild import rebuild
from neve.engine.store import CATALOG, open_engine, prepare
from neve.engine.write import PutObject, SmallWriter
from neve.errors import StoreRefused
from neve.testing.crash import crash_image
from neve.testing.disks import Recording, RecordingDisk
from neve.testing.engine import LocalShared, Store, md5, on_folder, pattern, run
from neve.testing.vfs import RecordingVFS

MIB = 1 << 20
EXCLUDED = {"versioning": "Enabled", "versioning_excluded": ["k"]}
SEEDS = 12
"""Power cuts tried of one moment."""

DIE_BEFORE_THE_END = """
import os, signal, sys
from neve.engine import rebuild
rebuild.Rebuilder._finish = lambda self: os.kill(os.getpid(), signal.SIGKILL)
rebuild.rebuild(sys.argv[1])
"""


DIE_WHILE_RESTORING = """
import os, signal, sys
from neve.engine import backup
backup.restore(sys.argv[1], sys.argv[2], lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
"""


async def make_bucket(store: Store) -> None:
    await store.engine.create_bucket("bucket", "me", "r")


def contents(folder: Path) -> dict[str, bytes]:
    async def look(store: Store) -> dict[str, bytes]:
        bucket = store.engine.bucket("bucket")
        return {key: store.get(bucket, key) for key in store.keys(bucket)}

    found: dict[str, bytes] = on_folder(folder, look)
    return found


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("segments/*/*.seg"))


def after_power_cuts(
    tmp_path: Path, scenario: Callable[[Store], Coroutine[Any, Any, Any]]
) -> list[Path]:
    """Folders as power cuts leave them that come right after the scenario, in a store with an empty
    bucket."""
    live, name = tmp_path / "live", f"unlucky-{tmp_path.name}"
    live.mkdir()
    on_folder(live, make_bucket)
    recording = Recording(str(live))
    disk, keep = RecordingDisk(recording), RecordingVFS(name, recording)
    ended = 0

    async def whole(store: Store) -> None:
        nonlocal ended
        await scenario(store)
        ended = len(recording)

    prepare(str(live), disk=disk, vfs=name)
    shared = LocalShared()
    run(Store(open_engine(str(live), shared, disk=disk, vfs=name), shared), whole)
    del keep
    folders = [tmp_path / f"cut{seed}" for seed in range(SEEDS)]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        crash_image(recording.log, ended, seed, str(folder))
    return folders


def test_a_rebuild_killed_half_way_leaves_no_catalog_to_start_on(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        await make_bucket(store)
        await store.put(store.engine.bucket("bucket"), "key", b"kept")

    on_folder(tmp_path, fill)
    there = {path: path.read_bytes() for path in segment_files(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", DIE_BEFORE_THE_END, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    # A server on half a catalog would hand out the ids of segments anew and then free those.
    with pytest.raises(StoreRefused, match="neve rebuild"):
        prepare(str(tmp_path))
    assert {path: path.read_bytes() for path in segment_files(tmp_path)} == there
    assert rebuild(str(tmp_path)).damaged == []
    assert contents(tmp_path) == {"key": b"kept"}
    assert not list(tmp_path.glob("*unfinished*"))


def test_a_restore_killed_half_way_leaves_no_catalog_to_start_on(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        await make_bucket(store)
        for n in range(3):
            await store.put(store.engine.bucket("bucket"), f"k{n}", pattern(3000, n))

    (tmp_path / "live").mkdir()
    on_folder(tmp_path / "live", fill)
    prepare(str(tmp_path / "live"))
    backup(str(tmp_path / "live"), str(tmp_path / "copy"))
    arguments = [str(tmp_path / "copy"), str(tmp_path / "restored")]
    killed = subprocess.run([sys.executable, "-c", DIE_WHILE_RESTORING, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "restored").iterdir())
    with pytest.raises(StoreRefused):
        prepare(str(tmp_path / "restored"))
    restore(str(tmp_path / "copy"), str(tmp_path / "again"))
    assert contents(tmp_path / "again") == {f"k{n}": pattern(3000, n) for n in range(3)}
    assert not list((tmp_path / "again").glob("*unfinished*"))


def test_compaction_keeps_bytes_whose_record_is_damaged(tmp_path: Path) -> None:
    async def fill(store: Store) -> Blob:
        await make_bucket(store)
        bucket = store.engine.bucket("bucket")
        rows = [await store.put(bucket, f"k{n}", pattern(20_000, n)) for n in range(6)]
        for n in range(5):
            await store.engine.delete_object(bucket, f"k{n}")
        return unpack_blob(rows[5].blob)

    async def compact(store: Store) -> None:
        store.reclaimer.compact()
        store.collect_all()

    blob: Blob = on_folder(tmp_path, fill)
    prepare(str(tmp_path))  # Else the redo rows would mend what is damaged now.
    [path] = segment_files(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"nREC", 0, blob.offset) + 16] ^= 1
    path.write_bytes(data)
    on_folder(tmp_path, compact)
    assert contents(tmp_path) == {"k5": pattern(20_000, 5)}


def test_a_correction_in_a_large_group_survives_the_power(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        await store.put(bucket, "gone", b"brief")
        # Its record gets a seq above the object's: after the group was synced, as it is large.
        deletion = store.engine.delete_object(bucket, "gone")
        await asyncio.gather(deletion, store.put(bucket, "other", pattern(200_000)))

    for folder in after_power_cuts(tmp_path, scenario):
        prepare(str(folder))
        for path in folder.glob("catalog.db*"):
            path.unlink()
        assert rebuild(str(folder)).damaged == []
        assert list(contents(folder)) == ["other"], folder


def test_a_freed_segment_does_not_come_back_with_the_power(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        await store.put(bucket, "k1", b"brief")
        await store.put(bucket, "k2", b"brief")
        store.engine.store.leave_segment(0)
        await store.engine.delete_object(bucket, "k1")
        await store.engine.delete_object(bucket, "k2")
        assert store.reclaimer.compact()
        store.collect_all()
        await store.put(bucket, "key", b"kept")

    for folder in after_power_cuts(tmp_path, scenario):
        prepare(str(folder))
        assert contents(folder) == {"key": b"kept"}
    assert "older than the segments" not in caplog.text


def test_uploads_go_on_after_an_older_catalog_was_put_back(tmp_path: Path) -> None:
    async def put(store: Store, *keys: str) -> None:
        for key in keys:
            await store.put(store.engine.bucket("bucket"), key, pattern(2 * MIB))

    async def fill(store: Store) -> None:
        await make_bucket(store)
        await put(store, "first")

    on_folder(tmp_path, fill)
    shutil.copyfile(tmp_path / CATALOG, tmp_path / "copy")
    on_folder(tmp_path, lambda store: put(store, "second", "third"))
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    os.rename(tmp_path / "copy", tmp_path / CATALOG)
    newer = {path: path.read_bytes() for path in tmp_path.glob("files/*/*/*")}
    # Processes of this run have the epochs of those that wrote the files.
    on_folder(tmp_path, lambda store: put(store, "second again", "third again"))
    assert set(contents(tmp_path)) == {"first", "second again", "third again"}
    assert all(path.read_bytes() == data for path, data in newer.items())


@pytest.mark.parametrize("options", [{}, EXCLUDED], ids=["plain", "excluded"])
def test_a_write_that_was_under_way_for_long_survives_a_rebuild(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r", options)
        await store.put(bucket, "key", b"first")
        slow = put_object(bucket.tree, b"second")
        slow.seq -= 60_000_000
        slow.records = [slow.records[0]._replace(seq=slow.seq)]
        await store.engine.delete_object(bucket, "key")
        row: ObjectRow = await store.engine.committer.submit(slow)
        assert row.seq > slow.seq

    on_folder(tmp_path, scenario)
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(tmp_path)).damaged == []
    assert contents(tmp_path) == {"key": b"second"}


def put_object(tree: int, data: bytes) -> PutObject:
    about = ("bucket", tree, "key", SmallWriter(data), md5(data))
    return PutObject(*about, b"", None, NO_CONDITIONS)
