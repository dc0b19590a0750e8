"""A store whose catalog is gone is not served as an empty one: its bytes would be swept away."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

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
