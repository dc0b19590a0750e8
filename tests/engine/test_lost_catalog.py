"""A store whose catalog is gone is not served as an empty one: its bytes would be swept away."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from neve.blobs.blobs import unpack_blob
from neve.catalog.catalog import Transaction
from neve.engine.rebuild import rebuild
from neve.engine.store import CATALOG, prepare
from neve.errors import StoreFull, StoreRefused
from neve.testing.engine import Store, on_folder, pattern


@pytest.mark.parametrize("size", [100, 3 << 20], ids=["segment", "file"])
@pytest.mark.parametrize("left", [None, b""], ids=["absent", "empty"])
def test_a_lost_catalog_is_refused_until_it_is_rebuilt(
    tmp_path: Path, size: int, left: bytes | None
) -> None:
    async def put(store: Store) -> None:
        await store.put(await store.engine.create_bucket("bucket", "me", "r"), "key", pattern(size))

    async def get(store: Store) -> bytes:
        return store.get(store.engine.bucket("bucket"), "key")

    on_folder(tmp_path, put)
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    if left is not None:
        (tmp_path / CATALOG).write_bytes(left)
    with pytest.raises(StoreRefused, match="neve rebuild"):
        prepare(str(tmp_path))
    assert rebuild(str(tmp_path)).damaged == []
    assert on_folder(tmp_path, get) == pattern(size)


def test_what_a_failed_transaction_refused_is_not_done_by_a_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk so full that the segment takes the records and the catalog no transaction."""

    async def scenario(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "key", b"kept")
        transact = engine.catalog.transact

        def full(commands: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
            def fail(_: Transaction) -> None:
                raise StoreFull("no room for the catalog")

            return transact([*commands, fail])

        with monkeypatch.context() as patched:
            patched.setattr(engine.catalog, "transact", full)
            with pytest.raises(StoreFull):
                await engine.delete_object(bucket, "key")
            with pytest.raises(StoreFull):
                await store.put(bucket, "key", b"newer")
            with pytest.raises(StoreFull):
                await engine.change_settings({"iam/user/ada": b"{}"}, engine.settings_seq())
        assert store.get(bucket, "key") == b"kept"

    async def after(store: Store) -> None:
        assert store.get(store.engine.bucket("bucket"), "key") == b"kept"
        assert store.engine.catalog.reader().settings("iam/") == []

    on_folder(tmp_path, scenario)
    for path in tmp_path.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(tmp_path)).damaged == []
    on_folder(tmp_path, after)


@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_a_record_that_cannot_be_read_costs_only_itself(tmp_path: Path, how: str) -> None:
    async def put(store: Store) -> Path:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for key in ("whole", "damaged" * 100):
            await store.put(bucket, key, pattern(100))
        await store.engine.delete_object(bucket, "whole")
        await store.put(bucket, "whole", b"again")
        await store.put(bucket, "last", b"last")
        row = store.engine.head(bucket, "last" if how == "cut" else "damaged" * 100)
        blob = unpack_blob(row.blob)
        path = Path(store.engine.store.segment_path(blob.id))
        with path.open("rb+") as file:
            if how == "cut":
                file.truncate(blob.offset - 3)
            else:
                file.seek(blob.offset - 3)
                file.write(b"\xff")
        return path

    async def look(store: Store) -> list[str]:
        bucket = store.engine.bucket("bucket")
        assert store.get(bucket, "whole") == b"again"
        return store.keys(bucket)

    path = on_folder(tmp_path, put)
    for catalog in tmp_path.glob("catalog.db*"):
        catalog.unlink()
    damaged = rebuild(str(tmp_path)).damaged
    assert [why.partition(", ")[0] for why in damaged] == [f"segment {int(path.stem, 16)}"]
    left = ["damaged" * 100] if how == "cut" else ["last"]
    assert on_folder(tmp_path, look) == [*left, "whole"]


def test_a_segment_with_a_record_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """It may be a deletion that a rebuild should know, or an object that is still needed."""

    async def scenario(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        row = await store.put(bucket, "key", b"data")
        blob = unpack_blob(row.blob)
        path = Path(engine.store.segment_path(blob.id))
        engine.store.leave_segment(0)
        await engine.delete_object(bucket, "key")
        with path.open("rb+") as file:
            file.seek(blob.offset - 3)
            file.write(b"\xff")
        store.reclaimer.compact()
        store.collect_all()
        assert path.exists()

    on_folder(tmp_path, scenario)
