"""What Zarr stores hold, against stores that the zarr library wrote."""

import json
from pathlib import Path
from typing import Any

import pytest

from neve.panel.reading import zarrs

numpy = pytest.importorskip("numpy")
zarr = pytest.importorskip("zarr")


def read(folder: Path) -> zarrs.Store | None:
    def fetch(key: str) -> bytes | None:
        file = folder / key
        return file.read_bytes() if file.is_file() else None

    def children(below: str) -> list[str]:
        return sorted(each.name for each in (folder / below).iterdir() if each.is_dir())

    return zarrs.read(fetch, children)


def make(folder: Path, version: int, consolidated: bool) -> None:
    root = zarr.open_group(folder, mode="w", zarr_format=version, attributes={"a": 1, "b": 2})
    names: Any = {"dimension_names": ("time", "lat")} if version == 3 else {}
    t = root.create_array(
        "t", shape=(10, 4), chunks=(5, 4), dtype="float32", fill_value=float("nan"), **names
    )
    if version == 2:
        t.attrs["_ARRAY_DIMENSIONS"] = ["time", "lat"]
    inner = root.create_group("inner")
    inner.create_array("mask", shape=(7,), chunks=(7,), dtype="bool")
    if version == 3:
        inner.create_array("s", shape=(8, 8), chunks=(2, 2), shards=(4, 4), dtype="int16")
    if consolidated:
        zarr.consolidate_metadata(folder, zarr_format=version)


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_tree_is_the_one_that_was_written(tmp_path: Path, version: int, consolidated: bool) -> None:
    make(tmp_path / "s", version, consolidated)
    store = read(tmp_path / "s")
    assert store is not None
    assert (store.version, store.consolidated, store.cut) == (version, consolidated, False)
    found = {node.path: node for node in store.nodes}
    assert next(iter(found)) == "" and found[""].shape is None and found[""].attributes == 2
    t = found["t"]
    assert (t.shape, t.type, t.chunks) == ((10, 4), "float32", (5, 4))
    assert (t.dimensions, t.bytes) == (("time", "lat"), 160)
    assert (found["inner/mask"].type, found["inner/mask"].bytes) == ("bool", 7)
    assert found["inner/mask"].depth == 2 and found["inner"].shape is None
    if version == 3:
        assert (found["inner/s"].chunks, found["inner/s"].shards) == ((2, 2), (4, 4))


def test_what_is_no_store_is_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    for text in ("", "[]", "nonsense", '{"zarr_format": 3', "[" * 100_000):
        (tmp_path / "zarr.json").write_text(text)
        assert read(tmp_path) is None


@pytest.mark.parametrize(
    "document",
    [
        {"node_type": "array", "shape": "x", "chunk_grid": 5, "codecs": {"a": 1}, "data_type": []},
        {"node_type": "array", "shape": [1, "2", None], "dimension_names": 5},
        {"consolidated_metadata": {"metadata": {"a": 5, "b": {"node_type": "array"}}}},
        {"consolidated_metadata": []},
    ],
)  # fmt: skip
def test_odd_metadata_is_shown_as_far_as_it_goes(tmp_path: Path, document: Any) -> None:
    (tmp_path / "zarr.json").write_text(json.dumps(document))
    store = read(tmp_path)
    assert store is not None
    assert all(node.bytes is None or node.bytes >= 0 for node in store.nodes)


def test_store_of_many_arrays_without_consolidated_metadata_is_cut(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "s", mode="w")
    for number in range(zarrs.WALKED_MAX + 5):
        root.create_array(f"a{number}", shape=(1,), chunks=(1,), dtype="int8")
    store = read(tmp_path / "s")
    assert store is not None and store.cut and len(store.nodes) == zarrs.WALKED_MAX
