"""How programs read what a page shows: lines to copy, with endpoint, names and flags filled in.

The access key is the visitor's own; its secret is a word to replace, since no page has secrets.
What everybody may read is read without keys. All names are quoted as the language wants them:
a key that holds code is still a key.
"""

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from starlette.responses import Response

from neve.panel.pages.objects import kinds, names
from neve.panel.pages.objects.openness import is_public
from neve.panel.pages.objects.subject import subject_of
from neve.panel.routing import get
from neve.panel.visit import Visit

SECRET = "YOUR-SECRET-KEY"  # stands where theirs belongs
ALIAS = "neve"
_NETCDF = frozenset((".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5"))


class Snippet(NamedTuple):
    """Lines to copy."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be read, and as whom."""

    url: str
    """Of the server."""
    region: str
    bucket: str
    key: str
    """An object, or a folder, which ends in `/` or is ''."""
    access_key: str
    """'' for what everybody may read."""
    kind: str = ""
    """What it is, as in `kinds`."""

    @property
    def folder(self) -> bool:
        """Whether it is one."""
        return not self.key or self.key.endswith("/")

    @property
    def path(self) -> str:
        """Bucket and key, without a slash at the end."""
        return f"{self.bucket}/{self.key}".rstrip("/")

    @property
    def file(self) -> str:
        """What a copy of it is called."""
        return names.last_name(self.key).replace("/", "_").rstrip("\0") or "object"


def of_object(visit: Visit) -> Response:
    """How to read an object."""
    subject = subject_of(visit)
    visit.s3.head(subject.bucket, subject.key, subject.version)
    place = _place(visit, subject.bucket, subject.key, kinds.of_file(subject.key))
    return visit.page(
        "objects/code.html",
        subject=subject,
        here="code",
        crumbs=subject.crumbs,
        snippets=snippets_of(place),
        place=place,
        secret=SECRET,
    )


def of_folder(visit: Visit) -> Response:
    """How to read a folder, a Zarr store or an Icechunk repository."""
    bucket, folder = names.bucket_of(visit), visit.query("prefix")
    folder = folder[: folder.rfind("/") + 1]
    kind = kinds.of_folder(visit.s3, bucket, folder)
    if not kind and kinds.has_zarr_json(visit.s3, bucket, folder):
        kind = kinds.ZARR
    place = _place(visit, bucket, folder, kind)
    return visit.page(
        "objects/code.html",
        subject=None,
        here="code",
        crumbs=names.crumbs(bucket, folder),
        snippets=snippets_of(place),
        place=place,
        secret=SECRET,
    )


def _place(visit: Visit, bucket: str, key: str, kind: str) -> Place:
    public = is_public(visit, bucket, f"{key}x" if not key or key.endswith("/") else key)
    region = visit.panel.settings.region
    return Place(visit.s3_url, region, bucket, key, "" if public else visit.user, kind)


def snippets_of(place: Place) -> list[Snippet]:
    """What is offered for it, the most likely first."""
    if place.kind == kinds.ICECHUNK:
        first = [Snippet("Icechunk + xarray", _icechunk(place))]
    elif place.kind == kinds.ZARR:
        first = [
            Snippet("xarray", _xarray_zarr(place)),
            Snippet("zarr", _zarr(place)),
            Snippet("zarr + obstore", _zarr_obstore(place)),
        ]
    elif place.folder:
        first = [Snippet("s3fs", _s3fs_list(place)), Snippet("obstore", _obstore_list(place))]
    else:
        first = [Snippet("s3fs", _s3fs_read(place)), Snippet("obstore", _obstore_get(place))]
        if kinds.ending(place.key) in _NETCDF:
            first.insert(0, Snippet("xarray", _xarray_file(place)))
    tools = [
        Snippet("neve", _neve(place)),
        Snippet("mc", _mc(place)),
        Snippet("awscli", _aws(place)),
    ]
    return first + tools + ([] if place.folder else [Snippet("curl", _curl(place))])


# Python.


def _literal(text: str) -> str:
    """A text in the source of a program, in double quotation marks where that is plain."""
    return f'"{text}"' if text.isprintable() and not set(text) & set('"\\') else repr(text)


def _options(place: Place) -> str:
    """The arguments of s3fs."""
    lines = (
        ['    "anon": True,']
        if not place.access_key
        else [f'    "key": {_literal(place.access_key)},', f'    "secret": "{SECRET}",']
    )
    lines += [
        f'    "endpoint_url": {_literal(place.url)},',
        f'    "client_kwargs": {{"region_name": {_literal(place.region)}}},',
        '    "config_kwargs": {"s3": {"addressing_style": "path"}},',
    ]
    return "\n".join(["options = {", *lines, "}"])


def _xarray_zarr(place: Place) -> str:
    return (
        f"import xarray as xr\n\n{_options(place)}\n"
        f"data = xr.open_zarr({_literal('s3://' + place.path)}, storage_options=options)\n"
        "print(data)"
    )


def _zarr(place: Place) -> str:
    return (
        f"import zarr\n\n{_options(place)}\n"
        f'store = zarr.open({_literal("s3://" + place.path)}, mode="r", storage_options=options)\n'
        "print(store.info)"
    )


def _xarray_file(place: Place) -> str:
    return (
        f"import s3fs\nimport xarray as xr\n\n{_options(place)}\n"
        "files = s3fs.S3FileSystem(**options)\n"
        f"with files.open({_literal(place.path)}) as file:\n"
        "    data = xr.open_dataset(file)\n"
        "    print(data)"
    )


def _s3fs_read(place: Place) -> str:
    return (
        f"import s3fs\n\n{_options(place)}\n"
        "files = s3fs.S3FileSystem(**options)\n"
        f'with files.open({_literal(place.path)}, "rb") as file:\n'
        "    content = file.read()\n"
        'print(len(content), "bytes")'
    )


def _s3fs_list(place: Place) -> str:
    return (
        f"import s3fs\n\n{_options(place)}\n"
        "files = s3fs.S3FileSystem(**options)\n"
        f"for name in files.ls({_literal(place.path)}):\n"
        "    print(name)"
    )


def _obstore(place: Place, prefix: str) -> str:
    lines = [f"    {_literal(place.bucket)},"]
    lines += [f"    prefix={_literal(prefix)},"] if prefix else []
    lines += [f"    endpoint={_literal(place.url)},", f"    region={_literal(place.region)},"]
    if place.access_key:
        lines += [
            f"    access_key_id={_literal(place.access_key)},",
            f'    secret_access_key="{SECRET}",',
        ]
    else:
        lines.append("    skip_signature=True,")
    lines.append("    virtual_hosted_style_request=False,")
    if place.url.startswith("http:"):
        lines.append('    client_options={"allow_http": True},')
    return "\n".join(["store = S3Store(", *lines, ")"])


def _obstore_get(place: Place) -> str:
    return (
        f"import obstore\nfrom obstore.store import S3Store\n\n{_obstore(place, '')}\n"
        f"content = obstore.get(store, {_literal(place.key)}).bytes()\n"
        'print(len(content), "bytes")'
    )


def _obstore_list(place: Place) -> str:
    prefix = _literal(place.key.rstrip("/"))
    return (
        f"import obstore\nfrom obstore.store import S3Store\n\n{_obstore(place, '')}\n"
        f"found = obstore.list_with_delimiter(store, {prefix})\n"
        'for name in [*found["common_prefixes"], *(each["path"] for each in found["objects"])]:\n'
        "    print(name)"
    )


def _zarr_obstore(place: Place) -> str:
    return (
        "import zarr\nfrom obstore.store import S3Store\nfrom zarr.storage import ObjectStore\n\n"
        f"{_obstore(place, place.key.rstrip('/'))}\n"
        'data = zarr.open(ObjectStore(store, read_only=True), mode="r")\n'
        "print(data.info)"
    )


def _icechunk(place: Place) -> str:
    keys = (
        f'    access_key_id={_literal(place.access_key)},\n    secret_access_key="{SECRET}",\n'
        if place.access_key
        else "    anonymous=True,\n"
    )
    plain = "    allow_http=True,\n" if place.url.startswith("http:") else ""
    return (
        "import icechunk\nimport xarray as xr\n\n"
        "storage = icechunk.s3_storage(\n"
        f"    bucket={_literal(place.bucket)},\n"
        f"    prefix={_literal(place.key.rstrip('/'))},\n"
        f"    endpoint_url={_literal(place.url)},\n"
        f"    region={_literal(place.region)},\n"
        f"{keys}{plain}"
        "    force_path_style=True,\n"
        ")\n"
        'session = icechunk.Repository.open(storage).readonly_session("main")\n'
        "data = xr.open_zarr(session.store, consolidated=False)\n"
        "print(data)"
    )


# Command lines.


def _neve(place: Place) -> str:
    if place.access_key:
        keys = f"{shlex.quote(place.access_key)} {SECRET}"
        begin = f"neve alias set {ALIAS} {shlex.quote(place.url)} {keys}"
    else:
        begin = f"printf '\\n\\n' | neve alias set {ALIAS} {shlex.quote(place.url)}"
    return f"{begin}\n{_copy('neve', place)}"


def _mc(place: Place) -> str:
    keys = f"{shlex.quote(place.access_key)} {SECRET}" if place.access_key else '"" ""'
    begin = f"mc alias set {ALIAS} {shlex.quote(place.url)} {keys} --path on"
    return f"{begin}\n{_copy('mc', place)}"


def _copy(tool: str, place: Place) -> str:
    source = shlex.quote(f"{ALIAS}/{place.bucket}/{place.key}")
    if place.folder:
        folder = shlex.quote(f"./{place.file if place.key else place.bucket}/")
        return f"{tool} cp -r {source} {folder}"
    return f"{tool} cp {source} {shlex.quote(f'./{place.file}')}"


def _aws(place: Place) -> str:
    flags = f"--endpoint-url {shlex.quote(place.url)} --region {shlex.quote(place.region)}"
    source = shlex.quote(f"s3://{place.bucket}/{place.key}")
    name = place.file if place.key else place.bucket
    more = " --recursive" if place.folder else ""
    command = f"aws s3 cp {source} {shlex.quote(f'./{name}')} {flags}{more}"
    if not place.access_key:
        return f"{command} --no-sign-request"
    return (
        f"export AWS_ACCESS_KEY_ID={shlex.quote(place.access_key)}\n"
        f"export AWS_SECRET_ACCESS_KEY={SECRET}\n{command}"
    )


def _curl(place: Place) -> str:
    url = names.url_of(place.url, place.bucket, place.key)
    out = f"curl --fail --output {shlex.quote(f'./{place.file}')}"
    if not place.access_key:
        return f"{out} {shlex.quote(url)}"
    user = shlex.quote(f"{place.access_key}:{SECRET}")
    region = shlex.quote(f"aws:amz:{place.region}:s3")
    header = "--header 'x-amz-content-sha256: UNSIGNED-PAYLOAD'"  # curl before 8 does not send it
    return f"{out} --aws-sigv4 {region} --user {user} {header} {shlex.quote(url)}"


ROUTES = [
    get("/object/{bucket}/code", of_object, public=True),
    get("/browse/{bucket}/code", of_folder, public=True),
]
