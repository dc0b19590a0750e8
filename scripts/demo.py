"""The scientist's recipe on a fresh store, with real climate data; leaves the server running.

usage: python scripts/demo.py [--address HOST:PORT] [--exit]
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import iris_sample_data
import s3fs
import xarray as xr

from neve.testing.live import LiveServer

BUCKET = "portail-ing"
DATASETS = {
    "air_temperature_a1b": "A1B_north_america.nc",
    "sea_surface_temperature": "ostia_monthly.nc",
    "ocean_profiles": "atlantic_profiles.nc",
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{BUCKET}/*"],
        },
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": [f"arn:aws:s3:::{BUCKET}"],
        },
    ],
}


def main() -> None:
    """Run the tour."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="127.0.0.1:0", help="where to serve S3")
    parser.add_argument("--exit", action="store_true", help="stop at the end of the tour")
    options = parser.parse_args()
    # The recipe asks for consolidated metadata; zarr 3 says each time that it is an extension.
    warnings.filterwarnings("ignore", message="Consolidated metadata")
    with tempfile.TemporaryDirectory(prefix="neve-demo-") as folder:
        server = LiveServer(Path(folder, "data"), keys=None)
        server.address = options.address
        with server:
            tour(server)
            if options.exit:
                return
            invite(server)
            try:
                server.wait(None)
            except KeyboardInterrupt:
                print("\nStopping; the store of the demonstration is removed.")


def tour(server: LiveServer) -> None:
    """Write datasets with keys, open the bucket to readers, read them back without keys."""
    print(f"A fresh store is served at {server.endpoint}.")
    s3 = s3fs.S3FileSystem(
        anon=False,
        key=server.access_key,
        secret=server.secret_key,
        use_ssl=False,
        client_kwargs={"endpoint_url": server.endpoint},
    )
    s3.mkdir(BUCKET)
    for name, file in DATASETS.items():
        source = open_source(file)
        store = s3fs.S3Map(root=f"{BUCKET}/{name}.zarr", s3=s3, check=False)
        with timed(f"write {name}.zarr ({source.nbytes / 1e6:.1f} MB from {file})"):
            source.chunk().to_zarr(store=store, mode="w", consolidated=True)
    client = server.client()
    with timed("allow anonymous reading of the bucket"):
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(POLICY))
    reader = s3fs.S3FileSystem(
        anon=True, use_ssl=False, client_kwargs={"endpoint_url": server.endpoint}
    )
    for name, file in DATASETS.items():
        store = s3fs.S3Map(root=f"{BUCKET}/{name}.zarr", s3=reader, check=False)
        with timed(f"read {name}.zarr without keys"):
            there = xr.open_zarr(store=store).load()
        xr.testing.assert_identical(open_source(file).load(), there)
        print("     every value and attribute is the same as in the NetCDF file")


def open_source(file: str) -> xr.Dataset:
    """Open a NetCDF file of iris-sample-data, without the encodings that only NetCDF has."""
    dataset = xr.open_dataset(os.path.join(iris_sample_data.path, file))
    for variable in dataset.variables.values():
        variable.encoding = {
            key: value
            for key, value in variable.encoding.items()
            if key in ("dtype", "_FillValue", "scale_factor", "add_offset", "units", "calendar")
        }
    return dataset


def invite(server: LiveServer) -> None:
    """Say what to try."""
    print(f"""
The server goes on at {server.endpoint} (status page: {server.panel}).

Without keys, in Python:
  import s3fs, xarray as xr
  s3 = s3fs.S3FileSystem(anon=True, client_kwargs={{"endpoint_url": "{server.endpoint}"}})
  xr.open_zarr(s3fs.S3Map("{BUCKET}/air_temperature_a1b.zarr", s3=s3, check=False))
With mc:
  mc alias set demo {server.endpoint} {server.access_key} {server.secret_key}
  mc ls --recursive demo/{BUCKET}
With curl:
  curl '{server.endpoint}/{BUCKET}?list-type=2&delimiter=/'

Ctrl-C stops the server and removes its store.""")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what was done and how long it took."""
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:6.2f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
