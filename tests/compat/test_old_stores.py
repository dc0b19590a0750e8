"""Stores as earlier releases left them are opened, and everything in them is still there.

`format-N.tar.xz` is the folder of a store that the code of catalog format N wrote and closed in
order. Such an archive is made once, by the last code before the format changed, and never again.
"""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from neve.engine.rebuild import rebuild
from neve.engine.scrub import count_tree
from neve.testing.engine import Store, on_folder, pattern

ARCHIVES = sorted(Path(__file__).parent.glob("format-*.tar.xz"))
OBJECTS = {
    "empty": b"",
    "small": pattern(700, 1),
    "overwritten": pattern(400, 3),
    "multi": pattern(600, 5) + pattern(100, 6),
    "copy": pattern(600, 5) + pattern(100, 6),
    "changed": pattern(200, 7),
}


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


async def check(store: Store) -> None:
    engine = store.engine
    assert [bucket.name for bucket in engine.buckets()] == ["data", "empty"]
    bucket = engine.bucket("data")
    assert (bucket.region, bucket.owner, bucket.versioning) == ("eu-north-1", "me", None)
    assert bucket.options == {"public_404": True}
    assert {key: store.get(bucket, key) for key in store.keys(bucket)} == OBJECTS
    assert engine.head(bucket, "changed").meta == b"\x81\xa1a\xc4\x01c"
    assert {engine.head(bucket, key)[9:] for key in OBJECTS} == {("", "")}
    assert engine.usage(bucket) == (6, sum(map(len, OBJECTS.values())))
    assert engine.usage(bucket) == count_tree(engine.catalog.reader(), bucket.tree)
    assert engine.version_usage(bucket) == (0, 0)


def test_an_old_store_is_opened(folder: Path) -> None:
    async def first(store: Store) -> None:
        await check(store)
        bucket = store.engine.bucket("data")
        (upload,) = store.engine.list_uploads(bucket, "", "", "", 9)
        parts = store.engine.list_parts(upload.id, 0, 9)[0]
        wanted: list[Any] = [(parts[0].number, parts[0].etag, None)]
        await store.engine.complete_upload(bucket, "going on", upload.id, wanted)
        assert store.get(bucket, "going on") == pattern(50, 8)
        await store.engine.delete_object(bucket, "going on")

    on_folder(folder, first)
    on_folder(folder, check)


def test_an_old_store_is_rebuilt_and_compacted(folder: Path) -> None:
    async def compact(store: Store) -> None:
        await check(store)
        store.reclaimer.compact()
        store.collect_all()
        await check(store)

    for path in folder.glob("catalog.db*"):
        path.unlink()
    result = rebuild(str(folder))
    assert (result.objects, result.damaged) == (len(OBJECTS), [])
    on_folder(folder, compact)
    on_folder(folder, check)


def test_the_objects_of_an_old_store_become_versions(folder: Path) -> None:
    async def version(store: Store) -> None:
        await store.engine.set_bucket_option("data", "versioning", "Enabled")
        bucket = store.engine.bucket("data")
        for key, data in OBJECTS.items():
            await store.put(bucket, key, b"new")
            await store.engine.delete_object(bucket, key)
            row = store.engine.head(bucket, key, "")
            assert row.size == len(data)
        assert store.engine.version_usage(bucket) == (12, 6)

    async def restore(store: Store) -> None:
        bucket = store.engine.bucket("data")
        for key, data in OBJECTS.items():
            page = store.engine.list_versions(bucket, key, "", "", None, 9)
            versions = [entry[0].version for entry in page.entries if entry[0].key == key]
            assert versions[-1] == ""
            for version in versions[:-1]:
                await store.engine.delete_object(bucket, key, version=version)
            assert store.get(bucket, key) == data

    on_folder(folder, version)
    for path in folder.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(folder)).damaged == []
    on_folder(folder, restore)
