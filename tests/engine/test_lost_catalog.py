"""A store whose catalog is gone is not served as an empty one: its bytes would be swept away."""

from pathlib import Path

import pytest

from neve.engine.rebuild import rebuild
from neve.engine.store import CATALOG, prepare
from neve.errors import StoreRefused
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
