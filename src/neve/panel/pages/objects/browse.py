"""The objects and folders of a bucket, a page at a time.

A page asks for what it shows and no more, however much a bucket holds: the next one begins after
the last key of this. Only the order by size or date needs more, and takes at most `SORTED_MAX`
rows of a folder, which the page says.
"""

import urllib.parse
from dataclasses import dataclass
from typing import NamedTuple

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.client.s3 import Object, Page, Prefix
from neve.panel.formtext import from_form
from neve.panel.pages.objects import as_of, kinds, names
from neve.panel.routing import get
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit

ROWS = 200
SORTED_MAX = 5000
BACK_MAX = 12
"""Earlier pages that a link remembers; before them comes the first."""
BACK_CHARS_MAX = 4000
ORDERS = ("name", "size", "date")


class Row(NamedTuple):
    """A line of the table."""

    key: str
    name: str
    link: str
    kind: str
    object: Object | None
    """None: a folder."""


class Column(NamedTuple):
    """The head of a column."""

    label: str
    link: str
    order: str
    """`ascending`, `descending`, or '' when it is not the one sorted by."""


@dataclass(frozen=True, slots=True)
class View:
    """What is asked for: the fields of the query."""

    bucket: str
    folder: str
    """'' or ending in `/`."""
    starts: str
    """What names in the folder begin with."""
    versions: bool
    at: str
    """The moment whose state is shown, as browsers' fields give it, in UTC; '' for now."""
    order: str
    descending: bool
    after: str
    """Where the page begins: after this key, or when sorted its number in the order."""
    after_version: str
    back: tuple[str, ...]
    """The beginnings of earlier pages, the last first."""

    @property
    def prefix(self) -> str:
        """What all keys of the page begin with."""
        return self.folder + self.starts

    @property
    def now(self) -> bool:
        """Whether what is shown is what the bucket holds now: that can be chosen and worked on."""
        return not self.versions and not self.at

    @property
    def sorted(self) -> bool:
        """Whether the order is another than the server's."""
        return self.order != "name" or self.descending

    def link(self, **changes: str) -> str:
        """Return the link to this view with some fields changed."""
        fields = {
            "prefix": self.folder,
            "starts": self.starts,
            "versions": "1" if self.versions else "",
            "at": self.at,
            "order": self.order if self.order != "name" else "",
            "desc": "1" if self.descending else "",
        } | changes
        return names.with_query(f"/browse/{self.bucket}", **fields)


def show(visit: Visit) -> Response:
    """A page of a folder."""
    view = _view(visit)
    try:
        page, total = _load(visit, view)
    except ServerError as error:
        if error.code != "AccessDenied":
            raise
        return _closed(visit, view, error)
    found = page.rows
    kind = kinds.of_rows(view.folder, found) if not view.starts else ""
    if not kind and view.folder and (page.after or view.starts or view.after):
        kind = kinds.ZARR if kinds.has_zarr_json(visit.s3, view.bucket, view.folder) else ""
    rows = _rows(visit, view, found)
    readable, versions_shown = _rights(visit, view, rows)
    return visit.page(
        "objects/browse.html",
        view=view,
        crumbs=names.crumbs(
            view.bucket, view.folder, versions="1" if view.versions else "", at=view.at
        ),
        rows=rows,
        kind=kind,
        columns=_columns(visit, view),
        classes=any(row.object and row.object.storage_class != "STANDARD" for row in rows),
        next=_next(view, page),
        previous=_previous(view),
        total=total,
        sorted_max=SORTED_MAX,
        cut=total >= SORTED_MAX,
        readable=readable,
        versions_shown=versions_shown,
    )


def _view(visit: Visit) -> View:
    folder = visit.query("prefix") or from_form(visit.query("in"))
    starts = visit.query("starts")
    cut = folder.rfind("/") + 1
    folder, starts = folder[:cut], folder[cut:] + starts
    versions = visit.query("versions") == "1"
    at = "" if versions else _moment_of(visit)
    order = visit.query("order") if not (versions or at) else "name"
    return View(
        names.bucket_of(visit),
        folder,
        starts,
        versions,
        at,
        order if order in ORDERS else "name",
        visit.query("desc") == "1" and not (versions or at),
        visit.query("after"),
        visit.query("version"),
        tuple(visit.request.query_params.getlist("back")[:BACK_MAX]),
    )


def _moment_of(visit: Visit) -> str:
    """Return the moment that is asked for. Raises: Refused when it is none."""
    text = visit.query("at").strip()
    if not text:
        return ""
    try:
        return as_of.moment(text).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise Refused(400, visit._("This is no date and time: %(text)s", text=text)) from error


def _load(visit: Visit, view: View) -> tuple[Page, int]:
    """Return the rows to show, and how many were sorted. Raises: ServerError."""
    s3 = visit.s3
    if view.versions:
        after, version = view.after, view.after_version
        return s3.version_page(view.bucket, view.prefix, "/", after, version, ROWS), 0
    if view.at:
        then = as_of.moment(view.at)
        return as_of.page(s3, view.bucket, view.prefix, view.after, then, ROWS), 0
    if not view.sorted:
        return s3.page(view.bucket, view.prefix, "/", view.after, ROWS), 0
    every: list[Object | Prefix] = []
    after = ""
    while len(every) < SORTED_MAX:
        part = s3.page(view.bucket, view.prefix, "/", after)
        every += part.rows
        after = part.after
        if not after:
            break
    every = _sorted(every, view)
    start = int(view.after) if view.after.isascii() and view.after.isdigit() else 0
    stop = start + ROWS
    return Page(every[start:stop], str(stop) if stop < len(every) else ""), len(every)


def _sorted(rows: list[Object | Prefix], view: View) -> list[Object | Prefix]:
    """Folders have neither size nor date and stay in front, in the order of their names."""
    folders: list[Object | Prefix] = [row for row in rows if isinstance(row, Prefix)]
    objects = [row for row in rows if isinstance(row, Object)]
    if view.order == "size":
        objects.sort(key=lambda row: row.size, reverse=view.descending)
    elif view.order == "date":
        objects.sort(key=lambda row: row.modified, reverse=view.descending)
    elif view.descending:
        folders.reverse()
        objects.reverse()
    return folders + objects


def _rows(visit: Visit, view: View, found: list[Object | Prefix]) -> list[Row]:
    looked = 0
    rows = []
    for each in found:
        name = names.visible(each.key[len(view.folder) :])
        if isinstance(each, Prefix):
            kind = ""
            if looked < kinds.LOOK_INTO:
                looked += 1
                kind = kinds.of_folder(visit.s3, view.bucket, each.key)
            versions = "1" if view.versions else ""
            link = names.browse_link(view.bucket, each.key, versions=versions, at=view.at)
            rows.append(Row(each.key, name, link, kind, None))
        else:
            version = "" if view.now else each.version
            link = names.object_link(view.bucket, each.key, version)
            rows.append(Row(each.key, name, link, kinds.of_file(each.key), each))
    return rows


def _columns(visit: Visit, view: View) -> dict[str, Column]:
    labels = {"name": visit._("Name"), "size": visit._("Size"), "date": visit._("Modified")}
    columns = {}
    for order, label in labels.items():
        here = order == view.order
        turned = here and not view.descending
        direction = ("descending" if view.descending else "ascending") if here else ""
        link = view.link(order="" if order == "name" else order, desc="1" if turned else "")
        columns[order] = Column(label, link if view.now else "", direction)
    return columns


def _next(view: View, page: Page) -> str:
    if not page.after:
        return ""
    start = _start(view)
    back = [start, *view.back] if start else list(view.back)
    back = back[:BACK_MAX]
    while sum(map(len, back)) > BACK_CHARS_MAX:
        back.pop()
    return _to(view, page.after, page.version, back)


def _previous(view: View) -> str:
    if not view.after:
        return ""
    if not view.back:
        return view.link()
    after, _, version = view.back[0].rpartition("\0")
    return _to(view, after, version, list(view.back[1:]))


def _start(view: View) -> str:
    """Where a page begins as one text: no key has a NUL in it."""
    return f"{view.after}\0{view.after_version}" if view.after else ""


def _to(view: View, after: str, version: str, back: list[str]) -> str:
    link = view.link(after=after, version=version)
    return "&".join([link, *(f"back={urllib.parse.quote(each)}" for each in back)])


def _rights(visit: Visit, view: View, rows: list[Row]) -> tuple[bool, bool]:
    """Whether something on the page may be read, and whether its versions may be listed."""
    key = next((row.key for row in rows if row.object), f"{view.folder}x")
    read, versions = visit.may_all(
        [
            Ask("s3:GetObject", view.bucket, key),
            Ask("s3:ListBucketVersions", view.bucket, view.folder),
        ]
    )
    return bool(read), bool(versions)


def _closed(visit: Visit, view: View, error: ServerError) -> Response:
    """What is shown of a bucket that may not be listed: a way to an object whose key is known."""
    if not visit.session and not visit.may("s3:GetObject", view.bucket, f"{view.prefix}x"):
        raise error
    return visit.page(
        "objects/closed.html",
        403,
        view=view,
        crumbs=names.crumbs(view.bucket, view.folder),
    )


ROUTES = [get("/browse/{bucket}", show, public=True)]
