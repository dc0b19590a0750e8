"""What an object has beside its bytes: content type, metadata, tags, the attributes of a file.

With `--preserve` a file's times, mode and owner travel in mc's header, `x-amz-meta-mc-attrs`
(`atime:…#ns/gid:…/mode:…/mtime:…#ns/uid:…`), so that mc and Neve read what either has written.
"""

import mimetypes
import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from neve.cli.errors import UsageError

MC_ATTRS = "x-amz-meta-mc-attrs"
DEFAULT_TYPE = "application/octet-stream"
SYSTEM = (
    "cache-control", "content-disposition", "content-encoding", "content-language",
    "content-type", "expires", "x-amz-website-redirect-location",
)  # fmt: skip
"""Headers that an object keeps as it was written."""

_TYPES = {
    ".nc": "application/x-netcdf",
    ".nc4": "application/x-netcdf",
    ".zarr": DEFAULT_TYPE,
    ".zarray": "application/json",
    ".zgroup": "application/json",
    ".zattrs": "application/json",
    ".zmetadata": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown",
    ".geojson": "application/geo+json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".grib": "application/x-grib",
    ".grb2": "application/x-grib",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".wasm": "application/wasm",
}
_ENCODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz",
            "compress": "application/x-compress", "br": DEFAULT_TYPE}  # fmt: skip


def content_type_of(name: str) -> str:
    """Return the content type that the name's extension means."""
    base = name.rsplit("/", 1)[-1].lower()
    stem, extension = os.path.splitext(base)
    found = _TYPES.get(extension or stem)
    if found:
        return found
    kind, encoding = mimetypes.guess_type(base)
    if encoding:
        # The bytes are the archive: with Content-Encoding browsers would unpack it on the way.
        return _ENCODED.get(encoding, DEFAULT_TYPE)
    return kind or DEFAULT_TYPE


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with which a copy becomes what the object is."""
    return {
        name: value
        for name, value in headers.items()
        if name in SYSTEM or name.startswith("x-amz-meta-")
    }


def parse_attributes(text: str) -> dict[str, str]:
    """Return headers from mc's `--attr`: `Cache-Control=max-age=90;author=me`."""
    found = {}
    for pair in filter(None, text.split(";")):
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"{pair!r} is no attribute: write --attr 'name=value;other=value'.")
        lower = name.strip().lower()
        if lower not in SYSTEM and not lower.startswith("x-amz-"):
            lower = f"x-amz-meta-{lower}"
        found[lower] = value.strip()
    return found


def parse_tags(text: str) -> str:
    """Return `--tags`, `name=value&other=value`, as the header wants it."""
    pairs = parse_qsl(text, keep_blank_values=True)
    if text and not pairs:
        raise UsageError(f"{text!r} are no tags: write --tags 'name=value&other=value'.")
    return urlencode(pairs)


def attributes_of(state: os.stat_result) -> str:
    """Return mc's text for the times, the mode and the owner of a file."""
    return (
        f"atime:{_moment(state.st_atime_ns)}/gid:{state.st_gid}/mode:{state.st_mode}/"
        f"mtime:{_moment(state.st_mtime_ns)}/uid:{state.st_uid}"
    )


def apply_attributes(file: int, text: str) -> bool:
    """Give a file the mode and the times of mc's text; return whether it has its times.

    The owner is left alone unless root asks, and what cannot be read is passed over: it is
    metadata, which anybody may have written.
    """
    fields = dict(field.partition(":")[::2] for field in text.split("/"))
    try:
        if "mode" in fields:
            # Never more than the ordinary bits: no set-user-id out of a bucket.
            os.fchmod(file, int(fields["mode"]) & 0o777)
        if os.geteuid() == 0 and "uid" in fields and "gid" in fields:
            os.fchown(file, int(fields["uid"]), int(fields["gid"]))
        mtime = _nanoseconds(fields["mtime"])
        os.utime(file, ns=(_nanoseconds(fields.get("atime", fields["mtime"])), mtime))
    except (KeyError, ValueError, OverflowError, PermissionError):
        return False
    return True


def _moment(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}#{nanoseconds % 10**9}"


def _nanoseconds(text: str) -> int:
    seconds, _, rest = text.partition("#")
    return int(seconds) * 10**9 + int(rest or 0)
