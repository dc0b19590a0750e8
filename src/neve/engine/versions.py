"""The rules of versions: what a write or a deletion does to the other versions of its key.

Invariants, in every transaction:
- a key has a current object exactly if its newest version is not a delete marker;
- ranks of a key are unique, and the current object is newer than all of them;
- a key has at most one null version (version ''), object or marker;
- usage counts current objects, noncurrent versions, delete markers, and the bytes of all of them.

A bucket that was never told otherwise has no other versions: nothing of this module then runs but
one test of the bucket's options. Whether a write makes a version id stands in its segment record,
which is made before the transaction; when the bucket was told otherwise meanwhile the command
raises VersioningChanged, and the engine makes a new one.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from neve.catalog.catalog import ObjectRow, Reader, Transaction, VersionRow
from neve.clock import new_id
from neve.engine.commit import Batch
from neve.errors import InvalidBucketState, VersioningChanged
from neve.iam.patterns import compile_resolved, parse_pattern

ENABLED = "Enabled"
SUSPENDED = "Suspended"

STATE = "versioning"
EXCLUDED = "versioning_excluded"
EXCLUDE_FOLDERS = "versioning_exclude_folders"
LOCK = "lock"
"""Names of the bucket's options."""


class Versioning(NamedTuple):
    """What a bucket is told about versions."""

    state: str
    excluded: tuple[str, ...] = ()
    """Prefixes, with wildcards, under which objects are written as if versioning was suspended."""
    exclude_folders: bool = False
    """Whether keys that end in `/` are excluded too."""

    def keeps(self, key: str) -> bool:
        """Whether a write to the key makes a new version beside the others."""
        if self.excluded or self.exclude_folders:
            return self.state == ENABLED and not self._excludes(key)
        return self.state == ENABLED

    def _excludes(self, key: str) -> bool:
        if self.exclude_folders and key.endswith("/"):
            return True
        return any(
            compile_resolved(parse_pattern(prefix + "*", variables=False).text)(key)
            for prefix in self.excluded
        )


def version_for(versioning: Versioning | None, key: str) -> str:
    """A version id for a write to the key; '' for the null version."""
    return new_id() if versioning is not None and versioning.keeps(key) else ""


def versioning_of(options: dict[str, Any]) -> Versioning | None:
    """What the options say; None for a bucket that was never versioned."""
    state = options.get(STATE)
    if state is None:
        return None
    return Versioning(state, tuple(options.get(EXCLUDED, ())), bool(options.get(EXCLUDE_FOLDERS)))


def options_of(versioning: Versioning) -> dict[str, Any]:
    """The bucket's options that say so; None where one is to be removed."""
    return {
        STATE: versioning.state,
        EXCLUDED: list(versioning.excluded) or None,
        EXCLUDE_FOLDERS: versioning.exclude_folders or None,
    }


def check_options(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise InvalidBucketState unless a bucket with object lock keeps it and all its versions."""
    if old.get(LOCK) and not new.get(LOCK):
        raise InvalidBucketState()
    if new.get(LOCK) and versioning_of(new) != Versioning(ENABLED):
        raise InvalidBucketState()


@lru_cache(256)
def versioning_in(options: bytes) -> Versioning | None:
    """What packed options of a bucket say."""
    return versioning_of(msgspec.msgpack.decode(options))


def agreed(options: bytes, key: str, version: str) -> Versioning | None:
    """The bucket's versioning, with which the id of a write to `key` must agree.

    Raises: VersioningChanged.
    """
    versioning = versioning_in(options) if options else None
    if bool(version) != (versioning is not None and versioning.keeps(key)):
        raise VersioningChanged()
    return versioning


def find_version(reader: Reader, tree: int, key: str, version: str) -> VersionRow | None:
    """The version of that id, wherever it is; rank 0 when it is the current object."""
    current = reader.object(tree, key)
    if current is not None and current.version == version:
        return VersionRow(0, current)
    return reader.version(tree, key, version)


def walk(reader: Reader, tree: int, page: int) -> Iterator[ObjectRow]:
    """Every current object of the tree, then every noncurrent version and delete marker."""
    start = ""
    while rows := reader.objects(tree, start, page):
        yield from rows
        start = rows[-1].key + "\0"
    start, below = "", 0
    while found := reader.all_versions(tree, start, below, page):
        yield from (each.row for each in found)
        start, below = found[-1].row.key, found[-1].rank


class Place(NamedTuple):
    """Where a new version goes: what it comes after and what it takes the place of."""

    seq: int
    """The least seq it may have."""
    current: ObjectRow | None
    replaced: VersionRow | None
    """The null version, when the new one is null too."""

    @property
    def gone(self) -> ObjectRow | None:
        """The object that gives its bytes back, if there is one."""
        return self.replaced.row if self.replaced is not None and self.replaced.row.etag else None


def place_for(
    reader: Reader, tree: int, key: str, version: str, current: ObjectRow | None
) -> Place:
    """Look where a new version goes in a bucket that knows versions; writes nothing."""
    if current is not None:
        seq = current.seq + 1
    else:
        found = reader.versions(tree, key, 1)
        seq = max(found[0].rank, found[0].row.seq) + 1 if found else 0
    if version:
        return Place(seq, current, None)
    if current is not None and not current.version:
        return Place(seq, current, VersionRow(0, current))
    replaced = reader.version(tree, key, "")
    if replaced is not None:
        seq = max(seq, replaced.row.seq + 1)
    return Place(seq, current, replaced)


def put_newest(txn: Transaction, batch: Batch, place: Place, row: ObjectRow) -> None:
    """Write `row`, an object or a delete marker, as the newest version of its key."""
    current, replaced = place.current, place.replaced
    if replaced is not None:
        take_out(txn, batch, replaced)
    if current is not None and (replaced is None or replaced.rank):
        txn.put_version(VersionRow(current.seq, current))
        batch.count(row.tree, -1, 0, 1)
        if not row.etag:
            txn.delete_object(row.tree, row.key)
    if row.etag:
        txn.put_object(row)
        batch.count(row.tree, 1, row.size)
        batch.moved(row, 1)
    else:
        txn.put_version(VersionRow(row.seq, row))
        batch.count(row.tree, 0, 0, 0, 1)


def take_out(txn: Transaction, batch: Batch, found: VersionRow) -> None:
    """Remove a version and give its bytes back. Nothing takes its place: see `promote`."""
    rank, row = found
    if rank:
        txn.delete_version(row.tree, row.key, rank)
        marker = not row.etag
        batch.count(row.tree, 0, -row.size, -(not marker), -marker)
    else:
        txn.delete_object(row.tree, row.key)
        batch.count(row.tree, -1, -row.size)
    if row.etag:
        batch.moved(row, -1)
    batch.release(txn, row.blob)


def promote(txn: Transaction, batch: Batch, tree: int, key: str) -> None:
    """Make the newest version current, unless it is a marker; the key has no current object."""
    found = txn.versions(tree, key, 1)
    if not found or not found[0].row.etag:
        return
    rank, row = found[0]
    txn.delete_version(tree, key, rank)
    txn.put_object(row)
    batch.count(tree, 1, 0, -1)


def remove_version(txn: Transaction, batch: Batch, found: VersionRow) -> None:
    """Remove a version for ever; what is the newest then is current, if it is an object."""
    take_out(txn, batch, found)
    tree, key = found.row.tree, found.row.key
    if not found.rank or txn.object(tree, key) is None:
        promote(txn, batch, tree, key)
