"""The scientist's recipe with current xarray, zarr 3 and s3fs."""

import os
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import s3fs
import xarray as xr

from neve.testing.server import LiveServer

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def s3(live_server: LiveServer) -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        anon=False,
        key=live_server.access_key,
        secret=live_server.secret_key,
        use_ssl=False,
        client_kwargs={"endpoint_url": live_server.endpoint},
        skip_instance_cache=True,
    )


@pytest.fixture
def reader(live_server: LiveServer) -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        anon=True,
        use_ssl=False,
        client_kwargs={"endpoint_url": live_server.endpoint},
        skip_instance_cache=True,
    )


def open_netcdf(path: str) -> xr.Dataset:
    dataset = xr.open_dataset(path)
    for variable in dataset.variables.values():
        variable.encoding.clear()
    return dataset


@pytest.mark.parametrize("file", ["A1B_north_america.nc", "ostia_monthly.nc"])
def test_recipe(
    s3: s3fs.S3FileSystem,
    reader: s3fs.S3FileSystem,
    bucket: str,
    publish: Callable[[str], None],
    netcdf: Callable[[str], str],
    file: str,
) -> None:
    source = open_netcdf(netcdf(file))
    store = s3fs.S3Map(root=f"{bucket}/test.zarr", s3=s3, check=False)
    source.chunk().to_zarr(store=store, mode="w", consolidated=True)
    publish(bucket)
    anonymous = s3fs.S3Map(root=f"{bucket}/test.zarr", s3=reader, check=False)
    xr.testing.assert_identical(xr.open_zarr(store=anonymous).load(), source.load())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_many_chunks_overwrite_append_and_region(
    s3: s3fs.S3FileSystem, bucket: str, zarr_format: int
) -> None:
    store = s3fs.S3Map(root=f"{bucket}/many.zarr", s3=s3, check=False)
    data = np.random.default_rng(1).normal(size=(60, 20, 20))
    first = xr.Dataset({"t": (("time", "y", "x"), data[:40])}).chunk(time=2, y=10)
    first.to_zarr(store=store, mode="w", zarr_format=zarr_format, consolidated=True)
    first.to_zarr(store=store, mode="w", zarr_format=zarr_format, consolidated=True)
    second = xr.Dataset({"t": (("time", "y", "x"), data[40:])}).chunk(time=2, y=10)
    second.to_zarr(store=store, append_dim="time", zarr_format=zarr_format, consolidated=True)
    data[4:8] = 0
    patch = xr.Dataset({"t": (("time", "y", "x"), data[4:8])}).chunk(time=2, y=10)
    patch.to_zarr(store=store, region={"time": slice(4, 8)}, zarr_format=zarr_format)
    np.testing.assert_array_equal(xr.open_zarr(store=store)["t"].values, data)


def test_files_on_the_file_system(
    s3: s3fs.S3FileSystem, bucket: str, netcdf: Callable[[str], str], tmp_path
) -> None:
    path = netcdf("ostia_monthly.nc")
    s3.put(path, f"{bucket}/nc/ostia.nc")
    assert s3.ls(f"{bucket}/nc") == [f"{bucket}/nc/ostia.nc"]
    assert s3.info(f"{bucket}/nc/ostia.nc")["size"] == os.path.getsize(path)
    with s3.open(f"{bucket}/nc/ostia.nc") as stream:
        remote = xr.open_dataset(stream, engine="h5netcdf").load()
    xr.testing.assert_identical(remote, xr.open_dataset(path).load())
    s3.cp(f"{bucket}/nc/ostia.nc", f"{bucket}/copy.nc")
    s3.get(f"{bucket}/copy.nc", str(tmp_path / "copy.nc"))
    assert (tmp_path / "copy.nc").read_bytes() == open(path, "rb").read()
    assert sorted(s3.find(bucket)) == [f"{bucket}/copy.nc", f"{bucket}/nc/ostia.nc"]
    s3.rm(f"{bucket}/nc", recursive=True)
    assert s3.find(bucket) == [f"{bucket}/copy.nc"]


def test_large_file_is_written_in_parts(s3: s3fs.S3FileSystem, bucket: str) -> None:
    data = bytes(range(256)) * 60_000
    with s3.open(f"{bucket}/large", "wb", block_size=5 << 20) as stream:
        for start in range(0, len(data), 1_000_000):
            stream.write(data[start : start + 1_000_000])
    assert s3.cat(f"{bucket}/large") == data
    assert s3.cat_file(f"{bucket}/large", start=-10) == data[-10:]
    ranges = s3.cat_ranges([f"{bucket}/large"] * 3, [0, 100, 7_000_000], [10, 300, 7_000_100])
    assert ranges == [data[:10], data[100:300], data[7_000_000:7_000_100]]


def test_denied_and_absent_are_told_apart(
    s3: s3fs.S3FileSystem, reader: s3fs.S3FileSystem, bucket: str, publish: Callable[[str], None]
) -> None:
    s3.pipe(f"{bucket}/there", b"x")
    with pytest.raises(PermissionError):
        reader.cat(f"{bucket}/there")
    publish(bucket)
    assert reader.cat(f"{bucket}/there") == b"x"
    with pytest.raises(FileNotFoundError):
        reader.cat(f"{bucket}/absent")
    with pytest.raises(PermissionError):
        reader.pipe(f"{bucket}/mine", b"x")


def test_mapper_of_the_portal(s3: s3fs.S3FileSystem, bucket: str) -> None:
    mapper = s3.get_mapper(f"s3://{bucket}/name_tas_stations.zarr", check=False, create=False)
    mapper["a/b"] = b"1"
    assert "a/b" in mapper
    assert "a/c" not in mapper
    assert list(mapper) == ["a/b"]
    del mapper["a/b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(mapper) == []
