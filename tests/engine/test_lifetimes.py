"""A store over several runs: recovery, rebuild without a catalog, scrub, backup and restore."""

import os
from pathlib import Path
from typing import Any

import pytest

from neve.blobs.blobs import FILE, unpack_blob
from neve.engine.backup import DONE, backup, restore
from neve.engine.conditions import NO_CONDITIONS, Conditions
from neve.engine.rebuild import rebuild
from neve.engine.scrub import Scrubber, count_tree, findings
from neve.engine.store import CATALOG, finish, prepare
from neve.engine.write import PutObject
from neve.errors import BlobCorrupt, PreconditionFailed, StoreRefused
from neve.testing.engine import Store, local_store, md5, on_folder, pattern, run

MIB = 1 << 20
POLICY = (
    b'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    b'"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}'
)


async def fill(store: Store) -> None:
    """Every kind of object and every way to lose one."""
    engine = store.engine
    bucket = await engine.create_bucket("bucket", "me", "eu-north-1")
    gone = await engine.create_bucket("gone", "me", "r")
    await engine.set_bucket_policy("bucket", POLICY)
    await store.put(bucket, "empty", b"")
    await store.put(bucket, "small", pattern(3_000, 1), meta=b"meta")
    await store.put(bucket, "medium", pattern(300_000, 2))
    large = await store.put(bucket, "large", pattern(2 * MIB, 3))
    await store.put_multipart(bucket, "multi", [pattern(5 * MIB, 4), pattern(100, 5)])
    await engine.copy_object(large, bucket, "copy", meta=b"c", checksum="crc32;FULL_OBJECT;x")
    await store.put(bucket, "overwritten", pattern(500, 6))
    await store.put(bucket, "overwritten", pattern(700, 7))
    await store.put(bucket, "deleted", pattern(500, 8))
    await engine.delete_object(bucket, "deleted")
    await store.put(bucket, "back again", pattern(500, 9))
    await engine.delete_object(bucket, "back again")
    await store.put(bucket, "back again", pattern(600, 10))
    with pytest.raises(PreconditionFailed):
        await store.put(bucket, "small", b"refused", Conditions(if_none_match="*"))
    await store.put(gone, "k", b"1")
    await engine.delete_object(gone, "k")
    await engine.delete_bucket("gone")


def picture(store: Store) -> dict[str, Any]:
    """All that a client can see."""
    seen: dict[str, Any] = {}
    for bucket in store.engine.buckets():
        fields = (bucket.tree, bucket.owner, bucket.region, bucket.policy_document)
        seen[bucket.name] = (fields, store.engine.usage(bucket))
        for key in store.keys(bucket):
            row = store.engine.head(bucket, key)
            data = store.get(bucket, key)
            seen[f"{bucket.name}/{key}"] = (row._replace(blob=b"", seq=0), data)
    return seen


async def look(store: Store) -> dict[str, Any]:
    for bucket in store.engine.buckets():
        counted = count_tree(store.engine.catalog.reader(), bucket.tree)
        assert counted == store.engine.usage(bucket)
    return picture(store)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async def first(store: Store) -> dict[str, Any]:
        await fill(store)
        return await look(store)

    before = on_folder(tmp_path, first)
    assert len(before) == 9
    assert on_folder(tmp_path, look) == before


def test_redo_rows_repair_a_segment_that_lost_its_tail(tmp_path: Path) -> None:
    async def first(store: Store) -> dict[str, Any]:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for number in range(20):
            await store.put(bucket, f"k{number}", pattern(4_000, number))
        return await look(store)

    before = on_folder(tmp_path, first)
    for path in tmp_path.glob("segments/**/*.seg"):
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[:4096] + bytes(size - 4096))
    assert on_folder(tmp_path, look) == before


def test_an_orderly_end_is_noted(tmp_path: Path) -> None:
    assert prepare(str(tmp_path)).clean
    assert not prepare(str(tmp_path)).clean
    finish(str(tmp_path))
    assert prepare(str(tmp_path)).clean


def lose_catalog(folder: Path) -> None:
    for path in folder.glob("catalog.db*"):
        path.unlink()


@pytest.mark.parametrize("compacted", [False, True])
def test_a_lost_catalog_is_rebuilt_from_the_segments(tmp_path: Path, compacted: bool) -> None:
    async def first(store: Store) -> dict[str, Any]:
        await fill(store)
        return await look(store)

    before = on_folder(tmp_path, first)
    if compacted:

        async def compact(store: Store) -> None:
            store.reclaimer.compact()
            store.collect_all()

        on_folder(tmp_path, compact)
    lose_catalog(tmp_path)
    result = rebuild(str(tmp_path))
    assert (result.buckets, result.objects, result.damaged) == (1, 8, [])
    assert on_folder(tmp_path, look) == before

    async def after(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        store.reclaimer.sweep_files()
        for key in store.keys(bucket):
            await store.engine.delete_object(bucket, key)
        store.collect_all()
        store.collect_all()
        assert list(store.engine.store.files(1 << 23)) == []
        live = sum(segment.live for segment in store.engine.catalog.reader().segments())
        assert live == 0

    on_folder(tmp_path, after)


def test_rebuild_keeps_the_old_catalog_aside(tmp_path: Path) -> None:
    on_folder(tmp_path, fill)
    (tmp_path / CATALOG).write_bytes(b"not a database" * 1000)
    rebuild(str(tmp_path))
    assert len(list(tmp_path.glob("catalog.db.lost-*"))) >= 1


def test_rebuild_names_what_is_damaged(tmp_path: Path) -> None:
    async def first(store: Store) -> str:
        await fill(store)
        row = store.engine.head(store.engine.bucket("bucket"), "large")
        return store.engine.store.file_path(unpack_blob(row.blob).id)

    os.unlink(on_folder(tmp_path, first))
    lose_catalog(tmp_path)
    damaged = rebuild(str(tmp_path)).damaged
    assert sorted(line.split(":")[0] for line in damaged) == ["bucket/copy", "bucket/large"]


def test_scrub_finds_damage_and_forgets_it_when_solved(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        await fill(store)
        scrubber = Scrubber(store.engine.catalog, store.engine.store)
        while not scrubber.slice(MIB):
            pass
        reader = store.engine.catalog.reader()
        assert findings(reader) == []
        assert scrubber.place().objects == 8
        bucket = store.engine.bucket("bucket")
        for key in ("medium", "large"):
            blob = unpack_blob(store.engine.head(bucket, key).blob)
            path = (
                store.engine.store.file_path(blob.id)
                if blob.tier == FILE
                else store.engine.store.segment_path(blob.id)
            )
            with open(path, "r+b") as file:
                file.seek(blob.offset + blob.length // 2)
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 1]))
                os.fsync(file.fileno())
        while not scrubber.slice(MIB):
            pass
        found = {(finding.key, finding.kind) for finding in findings(reader)}
        assert found == {("medium", "corrupt"), ("large", "corrupt"), ("copy", "corrupt")}
        await store.put(bucket, "medium", b"healed")
        await store.engine.delete_object(bucket, "large")
        while not scrubber.slice(MIB):
            pass
        assert {finding.key for finding in findings(reader)} == {"copy"}
        assert scrubber.check_usage() == []

    on_folder(tmp_path, first)


def test_scrub_finds_wrong_counters(tmp_path: Path) -> None:
    async def first(store: Store) -> None:
        await fill(store)
        tree = store.engine.bucket("bucket").tree
        store.engine.catalog.transact([lambda txn: txn.add_usage(tree, 1, 1)])
        scrubber = Scrubber(store.engine.catalog, store.engine.store)
        assert [finding.kind for finding in scrubber.check_usage()] == ["usage"]

    on_folder(tmp_path, first)


def mark(folder: Path) -> None:
    (folder / "neve.json").write_text('{"format": 1, "id": "x"}')


def test_a_backup_taken_while_writing_restores_to_one_moment(tmp_path: Path) -> None:
    data, copy, fresh = tmp_path / "data", tmp_path / "backup", tmp_path / "fresh"
    data.mkdir()
    mark(data)

    async def first(store: Store) -> dict[str, Any]:
        await fill(store)
        before = await look(store)
        seen: list[tuple[int, int]] = []
        backup(str(data), str(copy), lambda done, total: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1] > 0
        bucket = store.engine.bucket("bucket")
        for key in store.keys(bucket):
            await store.engine.delete_object(bucket, key)
        await store.put(bucket, "later", b"1")
        return before

    before = on_folder(data, first)
    restore(str(copy), str(fresh))
    assert on_folder(fresh, look) == before


def test_a_second_backup_copies_only_what_is_new(tmp_path: Path) -> None:
    data, copy, fresh = tmp_path / "data", tmp_path / "backup", tmp_path / "fresh"
    data.mkdir()
    mark(data)
    on_folder(data, fill)
    first = backup(str(data), str(copy))
    assert first.copied_files == first.files > 3

    async def more(store: Store) -> dict[str, Any]:
        bucket = store.engine.bucket("bucket")
        await store.engine.delete_object(bucket, "multi")
        store.collect_all()
        await store.put(bucket, "new", pattern(MIB, 77))
        return await look(store)

    before = on_folder(data, more)
    second = backup(str(data), str(copy))
    assert second.copied_bytes < first.copied_bytes / 3
    restore(str(copy), str(fresh))
    assert on_folder(fresh, look) == before


def test_backup_and_restore_refuse_what_would_harm(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    mark(data)
    on_folder(data, fill)
    with pytest.raises(StoreRefused, match="outside"):
        backup(str(data), str(data / "inside"))
    copy.mkdir()
    (copy / "precious.txt").write_text("mine")
    with pytest.raises(StoreRefused, match="not empty"):
        backup(str(data), str(copy))
    assert (copy / "precious.txt").read_text() == "mine"
    with pytest.raises(StoreRefused, match="not a whole backup"):
        restore(str(copy), str(tmp_path / "fresh"))
    (copy / "precious.txt").unlink()
    backup(str(data), str(copy))
    with pytest.raises(StoreRefused, match="not empty"):
        restore(str(copy), str(data))
    (copy / DONE).unlink()
    with pytest.raises(StoreRefused, match="whole"):
        restore(str(copy), str(tmp_path / "fresh"))


def test_workers_started_again_never_reuse_a_file_name(tmp_path: Path) -> None:
    prepare(str(tmp_path))
    names = set()
    for _ in range(3):

        async def scenario(store: Store) -> int:
            writer = store.engine.store.create_file()
            writer.write(memoryview(b"x"))
            return writer.commit(False).id

        names.add(run(local_store(tmp_path), scenario))
    assert len(names) == 3


def test_a_copy_never_gives_damaged_bytes_a_digest_that_is_right(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        row = await store.put(bucket, "small", pattern(5_000))
        blob = unpack_blob(row.blob)
        with open(store.engine.store.segment_path(blob.id), "r+b") as file:
            file.seek(blob.offset + 100)
            file.write(b"damage")
        with pytest.raises(BlobCorrupt):
            await store.engine.copy_object(row, bucket, "copy", meta=b"", checksum=None)
        assert store.keys(bucket) == ["small"]

    on_folder(tmp_path, scenario)


def test_a_write_that_commits_after_a_younger_deletion_is_rebuilt(tmp_path: Path) -> None:
    """Both were under way at once, on two workers; the write was made first and came second."""

    async def scenario(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "key", b"old")
        about = (bucket.name, bucket.tree, "key", engine.small(b"new"), md5(b"new"), b"", None)
        write = PutObject(*about, NO_CONDITIONS)
        await engine.delete_object(bucket, "key")
        await engine.committer.submit(write)
        assert store.get(bucket, "key") == b"new"

    async def after(store: Store) -> None:
        bucket = store.engine.bucket("bucket")
        assert store.get(bucket, "key") == b"new"
        await store.engine.delete_object(bucket, "key")

    async def gone(store: Store) -> None:
        assert store.keys(store.engine.bucket("bucket")) == []

    on_folder(tmp_path, scenario)
    for look in (after, gone):
        for path in tmp_path.glob("catalog.db*"):
            path.unlink()
        assert rebuild(str(tmp_path)).damaged == []
        on_folder(tmp_path, look)
