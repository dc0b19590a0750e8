"""What an object looks like, without trusting it.

What it is decides its content, not its name or its content type. Texts are shown as text whatever
they are in, images only in an `<img>` and PDF only in a frame of S3's origin, both under a content
type of ours. No more is read of an object than is shown of it.
"""

import csv
import io
import json
from dataclasses import dataclass, replace

from starlette.responses import RedirectResponse, Response

from neve.client.errors import ServerError
from neve.client.s3 import Head
from neve.panel.pages.objects import kinds, names
from neve.panel.pages.objects.subject import Subject, subject_of
from neve.panel.reading import hdf5, headers, netcdf3, texts
from neve.panel.routing import get
from neve.panel.visit import Refused, Visit

TEXT_BYTES = 256 << 10
JSON_BYTES = 1 << 20
ROWS_MAX, COLUMNS_MAX, CELL_MAX = 200, 60, 200
LINK_S = 600

_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}  # fmt: skip
_TYPES = frozenset((*_IMAGES.values(), "image/bmp", "image/webp", "image/avif", "image/svg+xml"))
_JSON = frozenset((".json", ".geojson", ".zattrs", ".zgroup", ".zarray", ".zmetadata", ".ipynb"))
_TABLES = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a page shows. `kind` says which of the others there is."""

    kind: str
    """`text`, `json`, `table`, `image`, `pdf`, `header`, `ask` (for a header), `closed` (a
    PDF that is not shown unasked), or '' for none."""
    text: str = ""
    """The text, or the link to an image or PDF."""
    rows: tuple[tuple[str, ...], ...] = ()
    cut: bool = False
    """Whether there is more."""
    why: str = ""
    """Why there is none."""
    encoding: str = ""
    """What a text is taken for when it is not UTF-8."""


def of(visit: Visit, subject: Subject, head: Head) -> Preview:
    """Return the preview of an object."""
    if not head.size:
        return Preview("", why=visit._("The object is empty."))
    stop = JSON_BYTES if kinds.ending(subject.key) in (*_JSON, ".nc", ".cdf") else TEXT_BYTES
    try:
        data = _ranged(visit, subject, 0, min(stop, head.size))
    except ServerError as error:
        return Preview("", why=visit.sentence(error))
    if data.startswith(hdf5.MAGIC):
        return _hdf5(visit, subject, head)
    if data.startswith(netcdf3.MAGIC):
        return _netcdf3(visit, subject, data)
    image = _image_type(subject, data)
    if image:
        return Preview("image", subject.link("image", type=image))
    if data.startswith(b"%PDF-"):
        return _pdf(visit, subject)
    return _text(visit, subject, head, data)


def image(visit: Visit) -> Response:
    """Send an `<img>` to the bytes, which S3 then calls an image whatever they were stored as.

    Opened by itself the link is a file to keep: an SVG could do things as a page.
    """
    subject, type = subject_of(visit), visit.query("type")
    if type not in _TYPES:
        raise Refused(400, visit._("This is not an image."))
    return RedirectResponse(shown_link(visit, subject, type, "attachment"), 303)


def shown_link(visit: Visit, subject: Subject, type: str, disposition: str) -> str:
    """Return a link to the bytes under a content type of ours; without a login the plain URL."""
    query = {"versionId": subject.version} if subject.version else {}
    if not visit.session:
        return visit.links.transport.url(subject.bucket, subject.key, query)
    query |= {"response-content-type": type, "response-content-disposition": disposition}
    return visit.links.presign("GET", subject.bucket, subject.key, LINK_S, query)


def read_text(visit: Visit, subject: Subject, size: int) -> str | None:
    """Return an object of that size as text, None when it is none."""
    if not size:
        return ""
    found = texts.decoded(_ranged(visit, subject, 0, size), whole=True)
    return found.text if found else None


def _ranged(visit: Visit, subject: Subject, start: int, stop: int) -> bytes:
    with visit.s3.get(subject.bucket, subject.key, subject.version, start, stop) as stream:
        return b"".join(stream)


def _image_type(subject: Subject, data: bytes) -> str:
    for magic, type in _IMAGES.items():
        if data.startswith(magic):
            return type
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "image/bmp"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    if kinds.ending(subject.key) == ".svg" and b"<svg" in data:
        return "image/svg+xml"
    return ""


def _pdf(visit: Visit, subject: Subject) -> Preview:
    if not visit.session:  # the type cannot be forced on a link that is not signed
        return Preview("", why=visit._("A PDF is shown to those who are logged in; download it."))
    if visit.query("show") != "1":  # it can run scripts of its own, in the browser's viewer
        return Preview("closed")
    return Preview("pdf", shown_link(visit, subject, "application/pdf", "inline"))


def _netcdf3(visit: Visit, subject: Subject, data: bytes) -> Preview:
    try:
        root = netcdf3.read(data, subject.name)
    except headers.Unreadable as error:
        return _unreadable(visit, error)
    return Preview("header", names.visible_lines(headers.dump(root)))


def _hdf5(visit: Visit, subject: Subject, head: Head) -> Preview:
    if not hdf5.is_there():
        return Preview(
            "",
            why=visit._(
                "The header of NetCDF-4 and HDF5 files is shown once h5py is installed beside the"
                " server: pip install h5py."
            ),
        )
    if visit.query("header") != "1":
        return Preview("ask")
    try:
        root = hdf5.read(
            subject.name, head.size, lambda start, stop: _ranged(visit, subject, start, stop)
        )
    except headers.Unreadable as error:
        return _unreadable(visit, error)
    return Preview("header", names.visible_lines(headers.dump(root)))


def _unreadable(visit: Visit, error: Exception) -> Preview:
    reason = names.visible(str(error))
    return Preview("", why=visit._("Its header cannot be read: %(reason)s.", reason=reason))


def _text(visit: Visit, subject: Subject, head: Head, data: bytes) -> Preview:
    cut = len(data) < head.size
    found = texts.decoded(data, whole=not cut)
    if found is None:
        return Preview("", why=visit._("There is no preview of this kind of file."))
    return replace(_text_preview(subject, found.text, cut), encoding=found.encoding)


def _text_preview(subject: Subject, text: str, cut: bool) -> Preview:
    ending = kinds.ending(subject.key)
    if not cut and (ending in _JSON or text.lstrip()[:1] in ("{", "[")):
        pretty = _pretty(text)
        if pretty:
            return _shown("json", pretty, cut)
    if ending in _TABLES:
        rows = _table(text, _TABLES[ending], cut)
        if rows:
            return Preview("table", "", rows[:ROWS_MAX], cut or len(rows) > ROWS_MAX)
    return _shown("text", text, cut)


def _shown(kind: str, text: str, cut: bool) -> Preview:
    lines = names.visible_lines(text[:TEXT_BYTES])
    return Preview(kind, lines, cut=cut or len(text) > TEXT_BYTES)


def _pretty(text: str) -> str:
    """Return a JSON document with line breaks, '' when it is none."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _table(text: str, delimiter: str, cut: bool) -> tuple[tuple[str, ...], ...]:
    """Return the first rows of a table, one more than are shown; () when it is none."""
    if cut:
        text = text[: text.rfind("\n") + 1] or text
    if not delimiter:
        first = text.partition("\n")[0]
        delimiter = max(_DELIMITERS, key=first.count)
    rows = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            cells = row[:COLUMNS_MAX] + (["…"] if len(row) > COLUMNS_MAX else [])
            rows.append(tuple(names.visible(cell[:CELL_MAX]) for cell in cells))
            if len(rows) > ROWS_MAX:
                break
    except csv.Error:
        return ()
    return tuple(rows)


ROUTES = [get("/object/{bucket}/image", image, public=True)]
