"""obstore (the object_store crate), on its own and under zarr 3's ObjectStore."""

import numpy as np
import obstore
import pytest
import xarray as xr
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, PreconditionError
from obstore.store import S3Store
from zarr.storage import ObjectStore

from neve.testing.server import LiveServer


@pytest.fixture
def store(live_server: LiveServer, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=live_server.endpoint,
        access_key_id=live_server.access_key,
        secret_access_key=live_server.secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def test_put_get_head_delete(store: S3Store) -> None:
    obstore.put(store, "a/b", b"0123456789", attributes={"Content-Type": "text/plain", "k": "v"})
    answer = obstore.get(store, "a/b")
    assert bytes(answer.bytes()) == b"0123456789"
    assert answer.attributes["Content-Type"] == "text/plain"
    assert obstore.head(store, "a/b")["size"] == 10
    obstore.delete(store, ["a/b", "a/absent"])
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "a/b")


def test_ranges_and_suffix(store: S3Store) -> None:
    obstore.put(store, "k", bytes(range(256)))
    assert bytes(obstore.get_range(store, "k", start=10, end=20)) == bytes(range(10, 20))
    found = obstore.get_ranges(store, "k", starts=[0, 100, 250], ends=[5, 110, 256])
    assert [bytes(each) for each in found] == [
        bytes(range(5)),
        bytes(range(100, 110)),
        bytes(range(250, 256)),
    ]
    suffix = obstore.get(store, "k", options={"range": {"suffix": 6}})
    assert bytes(suffix.bytes()) == bytes(range(250, 256))


def test_conditional_put(store: S3Store) -> None:
    first = obstore.put(store, "k", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "k", b"2", mode="create")
    second = obstore.put(store, "k", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "k", b"3", mode={"e_tag": first["e_tag"]})
    assert second["e_tag"] != first["e_tag"]
    assert bytes(obstore.get(store, "k").bytes()) == b"2"


def test_multipart_streams(store: S3Store) -> None:
    data = bytes(range(256)) * 90_000
    obstore.put(store, "large", data, use_multipart=True, chunk_size=5 << 20)
    assert b"".join(bytes(each) for each in obstore.get(store, "large").stream()) == data


def test_list_with_delimiter_and_offset(store: S3Store) -> None:
    for key in ("x/1", "x/2", "x/y/3", "x-4", "z"):
        obstore.put(store, key, b".")
    found = obstore.list_with_delimiter(store, "x")
    assert found["common_prefixes"] == ["x/y"]
    assert [row["path"] for row in found["objects"]] == ["x/1", "x/2"]
    everything = [row["path"] for batch in obstore.list(store) for row in batch]
    assert everything == ["x-4", "x/1", "x/2", "x/y/3", "z"]
    after = [row["path"] for batch in obstore.list(store, offset="x/1") for row in batch]
    assert after == ["x/2", "x/y/3", "z"]


def test_copy_rename_and_bulk_delete(store: S3Store) -> None:
    obstore.put(store, "from", bytes(2_000_000))
    obstore.copy(store, "from", "copied")
    obstore.rename(store, "from", "renamed")
    assert {row["path"] for batch in obstore.list(store) for row in batch} == {
        "copied",
        "renamed",
    }
    many = [f"many/{number}" for number in range(1200)]
    for key in many[:5]:
        obstore.put(store, key, b"")
    obstore.delete(store, [*many, "copied", "renamed"])
    assert [row for batch in obstore.list(store) for row in batch] == []


def test_signed_url(store: S3Store) -> None:
    import datetime
    import urllib.request

    obstore.put(store, "k", b"signed")
    url = obstore.sign(store, "GET", "k", datetime.timedelta(minutes=5))
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"signed"


def test_anonymous(store: S3Store, live_server: LiveServer, bucket: str, publish) -> None:
    obstore.put(store, "k", b"public")
    anonymous = S3Store(
        bucket,
        endpoint=live_server.endpoint,
        region="us-east-1",
        skip_signature=True,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    with pytest.raises(PermissionDeniedError):
        obstore.get(anonymous, "k")
    publish(bucket)
    assert bytes(obstore.get(anonymous, "k").bytes()) == b"public"
    with pytest.raises(FileNotFoundError):
        obstore.get(anonymous, "absent")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sharded", [False, True])
def test_zarr_on_obstore(store: S3Store, sharded: bool) -> None:
    data = np.random.default_rng(2).normal(size=(40, 16, 16)).astype("f4")
    source = xr.Dataset({"t": (("time", "y", "x"), data)})
    encoding = {"t": {"chunks": (5, 8, 8), "shards": (20, 16, 16) if sharded else None}}
    zarr_store = ObjectStore(store.__class__(**_options(store)))
    source.to_zarr(zarr_store, mode="w", consolidated=False, encoding=encoding)
    there = xr.open_zarr(zarr_store, consolidated=False)
    np.testing.assert_array_equal(there["t"][7:9, 3:9, 2].values, data[7:9, 3:9, 2])
    xr.testing.assert_identical(there.load(), source)


def _options(store: S3Store) -> dict[str, object]:
    """The arguments that make the same store again: zarr wants one of its own prefix."""
    return {
        "prefix": "ds.zarr",
        "config": store.config,
        "client_options": store.client_options,
    }
