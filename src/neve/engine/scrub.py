"""Scrub: walk every row, read every byte it refers to, compare digests. Findings stay until solved.

One slice per call, so that the steward keeps the pace; the place reached survives a restart. A
finding is a setting `scrub/finding/<tree>/<key>`: it is removed only when the object reads well
again or is gone.
"""

import logging
from typing import Any, NamedTuple

import msgspec

from neve.blobs.blobs import MANIFEST, BlobStore, unpack_blob
from neve.catalog.catalog import Catalog, ObjectRow, Reader, Transaction
from neve.clock import now_us
from neve.engine.manifests import decode_manifest
from neve.engine.reclaim import change
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


class Finding(NamedTuple):
    """An object that does not read as it was written."""

    tree: int
    key: str
    kind: str
    """`corrupt`, `missing` or `usage`."""
    detail: str
    at_us: int


class Scrubber:
    """Checks a store slice by slice in one process (the steward)."""

    def __init__(self, catalog: Catalog, store: BlobStore) -> None:
        self._catalog = catalog
        self._store = store
        self._reader = catalog.reader()

    def place(self) -> Place:
        stored = self._reader.setting(PLACE)
        return Place(*msgspec.msgpack.decode(stored)) if stored else Place()

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
        start = place.key if tree == place.tree else ""
        rows = self._reader.objects(tree, start, ROWS_PER_SLICE)
        read = 0
        for row in rows:
            self._check(row)
            place = place._replace(
                tree=tree,
                key=row.key + "\0",
                objects=place.objects + 1,
                bytes=place.bytes + row.size,
            )
            read += row.size
            if read >= bytes_max:
                break
        if not rows:
            place = place._replace(tree=tree + 1, key="")
        self._note(place)
        return False

    def _note(self, place: Place) -> None:
        packed = msgspec.msgpack.encode(place)
        self._catalog.transact([lambda txn: txn.put_setting(PLACE, packed)])

    def _check(self, row: ObjectRow) -> None:
        name = f"{FINDING}{row.tree}/{row.key}"
        try:
            self._verify(row)
        except (BlobCorrupt, BlobMissing) as error:
            current = self._reader.object(row.tree, row.key)
            if current is None or current.blob != row.blob:
                return  # replaced while we read: those bytes are nobody's any more
            kind = "missing" if isinstance(error, BlobMissing) else "corrupt"
            finding = Finding(row.tree, row.key, kind, str(error), now_us())
            log.error("%s object %r in tree %d: %s", kind, row.key, row.tree, error)
            self._set(name, msgspec.msgpack.encode(finding))
        else:
            if self._reader.setting(name) is not None:
                self._set(name, None)

    def _forget_gone(self) -> None:
        """Drop the findings about objects that were deleted since."""
        for name, value in self._reader.settings(FINDING):
            finding = Finding(*msgspec.msgpack.decode(value))
            if self._reader.object(finding.tree, finding.key) is None:
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
        return [found for tree in self._reader.trees() if (found := self._count(tree))]

    def _count(self, tree: int) -> Finding | None:
        def count(txn: Transaction) -> tuple[tuple[int, int], tuple[int, int]]:
            return count_tree(txn, tree), txn.usage(tree)

        counted, noted = change(self._catalog, count)
        if counted == noted:
            return None
        detail = f"counted {counted[0]} objects, {counted[1]} bytes; noted {noted[0]}, {noted[1]}"
        return Finding(tree, "", "usage", detail, now_us())


def count_tree(reader: Reader, tree: int) -> tuple[int, int]:
    """(objects, bytes) of a tree by listing all of it."""
    objects = size = 0
    start = ""
    while rows := reader.scan(tree, start, None, 5000):
        objects += len(rows)
        size += sum(row[1] for row in rows)
        start = rows[-1][0] + "\0"
    return objects, size


def findings(reader: Reader) -> list[Finding]:
    """All open findings."""
    found: list[Any] = [msgspec.msgpack.decode(value) for _, value in reader.settings(FINDING)]
    return [Finding(*fields) for fields in found]
