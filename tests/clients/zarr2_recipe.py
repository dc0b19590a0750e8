"""Run by test_s3fs_zarr2 in .venv-zarr2: the recipe of the users' handbook, literally.

usage: zarr2_recipe.py write|read ENDPOINT ROOT FILE [KEY SECRET]
"""

import sys

import s3fs
import xarray as xr
import zarr

verb, endpoint, root, file, *keys = sys.argv[1:]
assert zarr.__version__.startswith("2.18")

if verb == "write":
    s3 = s3fs.S3FileSystem(
        anon=False,
        key=keys[0],
        secret=keys[1],
        use_ssl=False,
        client_kwargs={"endpoint_url": endpoint},
    )
    store = s3fs.S3Map(root=root, s3=s3, check=False)
    xr.open_dataset(file).chunk().to_zarr(store=store, mode="w", consolidated=True)
else:
    s3r = s3fs.S3FileSystem(anon=True, use_ssl=False, client_kwargs={"endpoint_url": endpoint})
    there = xr.open_zarr(store=s3fs.S3Map(root=root, s3=s3r, check=False))
    xr.testing.assert_identical(there.load(), xr.open_dataset(file).load())
    print("identical")
