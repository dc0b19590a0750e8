"""What files and folders are, as far as their names tell: badges and the choice of a preview."""

from collections.abc import Iterable

from neve.client.errors import ServerError
from neve.client.s3 import S3, Object, Prefix

ZARR = "Zarr"
ICECHUNK = "Icechunk"
LOOK_INTO = 24
"""Folders of one page that are looked into for what they are."""
LOOK_AT = 50
"""Rows of each that are looked at."""

_ZARR_NAMES = frozenset((".zgroup", ".zarray", ".zmetadata", "zarr.json"))
_FILES = {
    ".nc": "NetCDF", ".nc4": "NetCDF", ".cdf": "NetCDF", ".h5": "HDF5", ".hdf5": "HDF5",
    ".he5": "HDF5", ".grib": "GRIB", ".grib2": "GRIB", ".grb": "GRIB", ".grb2": "GRIB",
    ".tif": "TIFF", ".tiff": "TIFF", ".parquet": "Parquet", ".csv": "CSV", ".tsv": "TSV",
    ".json": "JSON", ".geojson": "GeoJSON", ".zip": "ZIP",
}  # fmt: skip
_SHOWN = frozenset(("NetCDF", "HDF5", "GRIB", "Parquet", "GeoJSON"))


def ending(key: str) -> str:
    """Return the ending of a name with its dot, in lower case."""
    name = key.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def of_file(key: str) -> str:
    """Return the badge of an object, '' for none."""
    kind = _FILES.get(ending(key), "")
    return kind if kind in _SHOWN else ""


def of_rows(folder: str, rows: Iterable[Object | Prefix]) -> str:
    """Return what a folder with these rows is: a Zarr store, an Icechunk repository, or ''."""
    names = {row.key[len(folder) :] for row in rows}
    if names & _ZARR_NAMES:
        return ZARR
    if "snapshots/" in names and names & {"refs/", "repo"}:
        return ICECHUNK
    return ""


def of_folder(s3: S3, bucket: str, folder: str) -> str:
    """Look into a folder for what it is, in one request."""
    try:
        return of_rows(folder, s3.page(bucket, folder, "/", limit=LOOK_AT).rows)
    except ServerError:  # what may not be seen gets no badge
        return ""


def has_zarr_json(s3: S3, bucket: str, folder: str) -> bool:
    """Whether a folder is a Zarr store of the third format: its file may stand far behind."""
    try:
        return s3.find(bucket, folder + "zarr.json") is not None
    except ServerError:
        return False
