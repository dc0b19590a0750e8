"""Scrub: walk every row, read every byte it refers to, compare digests. Findings stay until solved.

One slice per call, so that the steward keeps the pace; the place reached survives a restart. A
finding is a setting `scrub/finding/<tree>/<key>`, followed by NUL and the version id if there is
one: it is removed only when the object reads well again or is gone.
"""

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from neve.blobs.blobs import MANIFEST, BlobStore, unpack_blob
from neve.catalog.catalog import Catalog, ObjectRow, Reader, Transaction, VersionRow
from neve.clock import now_us
from neve.engine.counting import check_counters
from neve.engine.manifests import decode_manifest
from neve.engine.reclaim import change
from neve.engine.versions import find_version
from neve.errors import BlobCorrupt, BlobMissing

PLACE = "scrub/place"
FINDING = "scrub/finding/"
ROWS_PER_SLICE = 200

log = logging.getLogger("neve.scrub")


class Place(NamedTuple):
    """How far the walk has come."""

    tree: int = 0
    key: str = ""
    started_us: int = 0
    objects: int = 0
    bytes: int = 0
    finished_us: int = 0
    """When the last whole walk ended; 0 for never."""
    rank: int | None = None
    """Within the noncurrent versions of the tree: that of the last one seen. None before them."""


def place_of(reader: Reader) -> Place:
    """Return how far the walk of a store has come."""
    stored = reader.setting(PLACE)
    return Place(*msgspec.msgpack.decode(stored)) if stored else Place()


class Finding(NamedTuple):
    """An object that does not read as it was written."""

    tree: int
    key: str
    kind: str
    """`corrupt`, `missing` or `usage`."""
    detail: str
    at_us: int
    version: str = ""


class Scrubber:
    """Checks a store slice by slice in one process (the steward)."""

    def __init__(self, catalog: Catalog, store: BlobStore) -> None:
        self._catalog = catalog
        self._store = store
        self._reader = catalog.reader()

    def place(self) -> Place:
        return place_of(self._reader)

    def slice(self, bytes_max: int) -> bool:
        """Check about `bytes_max` bytes from where the last slice ended; True at the end."""
        place = self.place()
        if not place.key and not place.tree:
            place = Place(started_us=now_us(), finished_us=place.finished_us)
        trees = [tree for tree in self._reader.trees() if tree >= place.tree]
        if not trees:
            self._forget_gone()
            self._note(Place(finished_us=now_us(), objects=place.objects, bytes=place.bytes))
            return True
        tree = trees[0]
        if tree != place.tree:
            place = place._replace(tree=tree, key="", rank=None)
        found = self._rows(place)
        read = 0
        for after, row in found:
            self._check(row)
            place = after._replace(objects=place.objects + 1, bytes=place.bytes + row.size)
            read += row.size
            if read >= bytes_max:
                break
        if not found and place.rank is None:
            place = place._replace(key="", rank=0)
        elif not found:
            place = place._replace(tree=tree + 1, key="", rank=None)
        self._note(place)
        return False

    def _rows(self, place: Place) -> list[tuple[Place, ObjectRow]]:
        """The rows that come next, each with the place after it."""
        tree, start, rank = place.tree, place.key, place.rank
        if rank is None:
            rows = self._reader.objects(tree, start, ROWS_PER_SLICE)
            return [(place._replace(key=row.key + "\0"), row) for row in rows]
        found = self._reader.all_versions(tree, start, rank, ROWS_PER_SLICE)
        return [(place._replace(key=row.key, rank=rank), row) for rank, row in found]

    def _note(self, place: Place) -> None:
        packed = msgspec.msgpack.encode(place)
        self._catalog.transact([lambda txn: txn.put_setting(PLACE, packed)])

    def _check(self, row: ObjectRow) -> None:
        name = _name(row.tree, row.key, row.version)
        try:
            self._verify(row)
        except (BlobCorrupt, BlobMissing) as error:
            found = find_version(self._reader, row.tree, row.key, row.version)
            if found is None or found.row.blob != row.blob:
                return  # replaced while we read: those bytes are nobody's any more
            kind = "missing" if isinstance(error, BlobMissing) else "corrupt"
            finding = Finding(row.tree, row.key, kind, str(error), now_us(), row.version)
            log.error("%s object %r in tree %d: %s", kind, row.key, row.tree, error)
            self._set(name, msgspec.msgpack.encode(finding))
        else:
            if self._reader.setting(name) is not None:
                self._set(name, None)

    def _forget_gone(self) -> None:
        """Drop the findings about objects that were deleted since."""
        for name, value in self._reader.settings(FINDING):
            finding = Finding(*msgspec.msgpack.decode(value))
            place = (finding.tree, finding.key, finding.version)
            if find_version(self._reader, *place) is None:
                self._set(name, None)

    def _set(self, name: str, value: bytes | None) -> None:
        change(self._catalog, lambda txn: txn.put_setting(name, value))

    def _verify(self, row: ObjectRow) -> None:
        if not row.blob:
            return
        blob = unpack_blob(row.blob)
        if blob.tier != MANIFEST:
            self._store.verify(blob)
            return
        stored = self._reader.manifest(blob.id)
        if stored is None:
            raise BlobMissing(f"manifest {blob.id}")
        for part in decode_manifest(stored).parts:
            for piece in part.pieces:
                self._store.verify(unpack_blob(piece.blob))

    def check_usage(self) -> list[Finding]:
        """Count every tree and compare with its counters, inside one transaction each."""
        return [found for tree in self._reader.trees() for found in self._count(tree)]

    def _count(self, tree: int) -> list[Finding]:
        def count(txn: Transaction) -> list[str]:
            counted = (*count_tree(txn, tree), *count_versions(txn, tree))
            noted = (*txn.usage(tree), *txn.version_usage(tree))
            words = "counted {} objects, {} bytes, {} versions, {} markers; noted {}, {}, {}, {}"
            wrong = [] if counted == noted else [words.format(*counted, *noted)]
            return wrong + list(check_counters(txn, tree))

        return [
            Finding(tree, "", "usage", detail, now_us()) for detail in change(self._catalog, count)
        ]


def count_tree(reader: Reader, tree: int) -> tuple[int, int]:
    """(current objects, bytes of all versions) of a tree by walking all of it."""
    objects = size = 0
    start = ""
    while rows := reader.scan(tree, start, None, 5000):
        objects += len(rows)
        size += sum(row[1] for row in rows)
        start = rows[-1][0] + "\0"
    return objects, size + sum(found.row.size for found in _noncurrent(reader, tree))


def count_versions(reader: Reader, tree: int) -> tuple[int, int]:
    """(noncurrent versions, delete markers) of a tree by walking all of it."""
    versions = markers = 0
    for found in _noncurrent(reader, tree):
        versions += bool(found.row.etag)
        markers += not found.row.etag
    return versions, markers


def _noncurrent(reader: Reader, tree: int) -> Iterator[VersionRow]:
    start, below = "", 0
    while rows := reader.all_versions(tree, start, below, 5000):
        yield from rows
        start, below = rows[-1].row.key, rows[-1].rank


def _name(tree: int, key: str, version: str) -> str:
    return f"{FINDING}{tree}/{key}" + (f"\0{version}" if version else "")


def findings(reader: Reader) -> list[Finding]:
    """All open findings."""
    found: list[Any] = [msgspec.msgpack.decode(value) for _, value in reader.settings(FINDING)]
    return [Finding(*fields) for fields in found]
