"""Deleting: one key, or many in one transaction.

Without a version id, the object goes (a bucket never versioned), or a delete marker becomes the
newest version: one with an id of its own, or, while versioning is suspended, the null version. With
a version id, that version goes for ever, and the newest of the others takes its place.

A key under an excluded prefix gets a marker only if other versions would else come to light: so
such keys leave nothing behind, as in a bucket without versions.
"""

from typing import NamedTuple

from neve.blobs.blobs import Record
from neve.catalog.catalog import BucketRow, ObjectRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.conditions import NO_CONDITIONS, Conditions, check_conditions
from neve.engine.locks import check_removable
from neve.engine.versions import (
    SUSPENDED,
    Place,
    Versioning,
    find_version,
    place_for,
    put_newest,
    remove_version,
    take_out,
    version_for,
    versioning_in,
)
from neve.errors import DomainError, VersioningChanged

IN_FLIGHT_US = 250_000
"""How much older the record of a deletion is than the request: a write that was made before it and
commits after it must outrank it in a rebuild (`publish.LATE_US`). Of what it deletes it is always
the younger."""


class Deletion(NamedTuple):
    """What is to be deleted."""

    key: str
    conditions: Conditions = NO_CONDITIONS
    version: str | None = None
    """A version id (empty: the null version) to remove for ever; None: whatever the key shows."""
    bypass: bool = False
    """Whether a retention in governance mode does not hold against the caller."""


class Deleted(NamedTuple):
    """What a deletion came to."""

    existed: bool
    """Whether an object or version went out of sight."""
    version: str | None = None
    """The id of the version that went for ever, or of the delete marker that was made."""
    marker: bool = False
    """Whether that version is a delete marker."""


class DeleteObjects(Command):
    """Delete many; each key succeeds or is refused on its own."""

    __slots__ = ("bucket", "deletions", "markers", "now", "owner", "tree")
    frees = True

    def __init__(
        self,
        bucket: str,
        tree: int,
        deletions: list[Deletion],
        versioning: Versioning | None,
        owner: str = "",
    ) -> None:
        self.bucket = bucket
        self.tree = tree
        self.deletions = deletions
        self.owner = owner
        self.now = now_us()
        self.markers = [
            None if each.version is not None or versioning is None
            else version_for(versioning, each.key)
            for each in deletions
        ]  # fmt: skip
        """The id of the marker to make; None where there is none to make."""
        self.records = [
            self._record(each, marker) for each, marker in zip(deletions, self.markers, strict=True)
        ]

    def _record(self, deletion: Deletion, marker: str | None) -> Record:
        key = deletion.key
        if marker is None:
            head = records.delete_head(self.tree, key, deletion.version or "")
            seq = self.now - IN_FLIGHT_US if deletion.version is None else self.now
            return Record(records.DELETE, seq, head, b"", 0)
        head = records.marker_head(self.tree, key, marker, self.owner, self.now)
        return Record(records.MARKER, self.now, head, b"", 0)

    def apply(self, txn: Transaction, batch: Batch) -> list[Deleted | DomainError]:
        bucket = batch.bucket(txn, self.bucket, self.tree)
        versioning = versioning_in(bucket.options) if bucket.options else None
        for each, marker in zip(self.deletions, self.markers, strict=True):
            self._check_marker(versioning, each, marker)
        results: list[Deleted | DomainError] = []
        for index in range(len(self.deletions)):
            try:
                results.append(self._delete(txn, batch, bucket, versioning, index))
            except DomainError as error:
                batch.amend(self, index, records.VOID, 0)
                results.append(error)
        return results

    def _check_marker(
        self, versioning: Versioning | None, deletion: Deletion, marker: str | None
    ) -> None:
        if deletion.version is not None:
            return
        told = versioning is not None
        if told != (marker is not None):
            raise VersioningChanged()
        if versioning is not None and versioning.keeps(deletion.key) != bool(marker):
            raise VersioningChanged()

    def _delete(
        self,
        txn: Transaction,
        batch: Batch,
        bucket: BucketRow,
        versioning: Versioning | None,
        index: int,
    ) -> Deleted:
        deletion = self.deletions[index]
        if versioning is None:
            if deletion.version:
                batch.amend(self, index, records.VOID, 0)
                return Deleted(False, deletion.version)
            return self._delete_object(txn, batch, index, deletion)
        if deletion.version is not None:
            return self._delete_version(txn, batch, index, deletion, deletion.version)
        current = txn.object(self.tree, deletion.key)
        check_conditions(deletion.conditions, current)
        marker = self.markers[index] or ""
        place = place_for(txn, self.tree, deletion.key, marker, current)
        if not marker and versioning.state != SUSPENDED and self._is_last(txn, place, deletion.key):
            return self._delete_last(txn, batch, index, place)
        return self._mark(txn, batch, index, place, marker)

    def _delete_object(
        self, txn: Transaction, batch: Batch, index: int, deletion: Deletion
    ) -> Deleted:
        """Remove the object of a bucket that was never versioned."""
        old = txn.object(self.tree, deletion.key)
        check_conditions(deletion.conditions, old)
        if old is None:
            batch.amend(self, index, records.VOID, 0)
            return Deleted(False, deletion.version)
        self._told(batch, index, old.seq + 1)
        txn.delete_object(self.tree, deletion.key)
        batch.replaced(txn, old, None)
        return Deleted(True, deletion.version)

    def _delete_version(
        self, txn: Transaction, batch: Batch, index: int, deletion: Deletion, version: str
    ) -> Deleted:
        found = find_version(txn, self.tree, deletion.key, version)
        marker = found is not None and not found.row.etag
        check_conditions(deletion.conditions, found.row if found and not marker else None)
        if found is None:
            batch.amend(self, index, records.VOID, 0)
            return Deleted(False, version)
        check_removable(found.row.meta, batch.now, bypass=deletion.bypass)
        self._told(batch, index, found.row.seq + 1)
        remove_version(txn, batch, found)
        return Deleted(True, version, marker)

    def _is_last(self, txn: Transaction, place: Place, key: str) -> bool:
        """Whether the key has no other version than the null version."""
        if place.current is not None and place.current.version:
            return False
        others = txn.versions(self.tree, key, 2)
        return all(not other.row.version for other in others)

    def _delete_last(self, txn: Transaction, batch: Batch, index: int, place: Place) -> Deleted:
        if place.replaced is None:
            batch.amend(self, index, records.VOID, 0)
            return Deleted(False)
        # No younger than it must be: see `IN_FLIGHT_US`.
        batch.amend(self, index, records.DELETE, place.seq)
        take_out(txn, batch, place.replaced)
        return Deleted(True)

    def _mark(
        self, txn: Transaction, batch: Batch, index: int, place: Place, marker: str
    ) -> Deleted:
        seq = self._told(batch, index, place.seq)
        key = self.deletions[index].key
        row = ObjectRow(self.tree, key, seq, 0, "", self.now, b"", None, b"", marker, self.owner)
        put_newest(txn, batch, place, row)
        return Deleted(place.current is not None, marker, True)

    def _told(self, batch: Batch, index: int, least: int, kind: int | None = None) -> int:
        """Give the record a seq of at least `least`, and maybe another kind; return the seq."""
        record = self.records[index]
        seq = max(record.seq, least)
        if seq != record.seq or kind not in (None, record.kind):
            batch.amend(self, index, record.kind if kind is None else kind, seq)
        return seq


class DeleteObject(DeleteObjects):
    """Delete one; an absent key is fine."""

    __slots__ = ()

    def __init__(
        self,
        bucket: str,
        tree: int,
        deletion: Deletion,
        versioning: Versioning | None,
        owner: str = "",
    ) -> None:
        super().__init__(bucket, tree, [deletion], versioning, owner)

    def apply(self, txn: Transaction, batch: Batch) -> Deleted:  # type: ignore[override]
        bucket = batch.bucket(txn, self.bucket, self.tree)
        versioning = versioning_in(bucket.options) if bucket.options else None
        self._check_marker(versioning, self.deletions[0], self.markers[0])
        return self._delete(txn, batch, bucket, versioning, 0)
