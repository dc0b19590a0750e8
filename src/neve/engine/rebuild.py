"""Rebuild: make a new catalog from the segments alone, when the old one is lost or damaged.

Every version leaves a self-describing record in a segment (`neve.engine.records`); of several for
one version of one key the highest seq holds. In a tree with versions they are all put among the
noncurrent ones first; in the end the newest of each key becomes current, if it is an object.
What cannot come back: uploads in progress, and settings that no record tells. The old catalog, if
any, is kept aside.
"""

import logging
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from neve.blobs.blobs import FILE, MANIFEST, SEGMENT, Blob, BlobStore, Record, unpack_blob
from neve.blobs.files import epoch_of
from neve.catalog.catalog import (
    EMPTY_SEQ_MIN,
    BucketRow,
    Catalog,
    ObjectRow,
    PrefixRow,
    SegmentRow,
    Transaction,
    VersionRow,
)
from neve.clock import now_us
from neve.engine import quota, records
from neve.engine.backup import Progress, silent
from neve.engine.commit import RECORD_BYTES
from neve.engine.counting import count_on
from neve.engine.locks import COMPLIANCE, is_locked_text, lock_of, option_of
from neve.engine.manifests import blobs_of, decode_manifest
from neve.engine.recover import EPOCH, SWEEP_BEFORE
from neve.engine.scrub import count_tree, count_versions
from neve.engine.settings import SEQ
from neve.engine.store import (
    CATALOG,
    UNFINISHED,
    give_name,
    open_blobs,
    open_catalog,
    remove_catalog,
)
from neve.engine.versions import (
    ENABLED,
    LOCK,
    STATE,
    Versioning,
    find_version,
    options_of,
    walk,
)
from neve.errors import StoreFault

GROUP = 2000
OF_STANDING = (records.OBJECT, records.OBJECT_AT, records.MARKER)
"""Kinds of records that tell a version, not its end."""

log = logging.getLogger("neve.engine")


class Rebuilt(NamedTuple):
    """What a rebuild found."""

    segments: int
    buckets: int
    objects: int
    bytes: int
    damaged: list[str]
    """`bucket/key: why` of objects whose newest record is there but whose bytes are not whole, and
    `segment, offset: why` of records that cannot be read."""


class Rebuilder:
    """Fills an empty catalog from the segments of a store."""

    def __init__(
        self,
        catalog: Catalog,
        store: BlobStore,
        progress: Progress = silent,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._ids = sorted(store.segments())
        self._progress = progress
        self._deleted: dict[tuple[int, str, str], int] = {}
        self._versioned: set[int] = set()
        """Trees in which some key may have several versions."""
        self._locked: set[int] = set()
        """Trees with a record of a locked version."""
        self._bound: dict[tuple[int, str, str], tuple[int, int, bool]] = {}
        """Of a locked version: the end of COMPLIANCE; the newest record, and if it has a hold."""
        self._buckets: dict[str, tuple[int, BucketRow | None]] = {}
        self._settings: dict[str, tuple[int, bytes | None]] = {}
        self._seq_min: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._damaged: list[tuple[int, str, str]] = []
        self._unreadable: list[str] = []
        self._owned: dict[tuple[int, str], list[int]] = {}
        """(tree, owner) → objects and noncurrent versions, bytes."""

    def run(self) -> Rebuilt:
        """Scan all segments twice: first deletions and buckets, then objects."""
        total = 2 * len(self._ids)
        for index, id in enumerate(self._ids):
            self._first_pass(id)
            self._progress(index + 1, total)
        for index, id in enumerate(self._ids):
            self._second_pass(id)
            self._progress(len(self._ids) + index + 1, total)
        return self._finish()

    def _first_pass(self, id: int) -> None:
        end = 0
        for start, offset, record, length, _ in self._store.scan_segment(id):
            end = max(end, offset + length, start)
            if record.kind == records.VOID:
                continue
            self._seq_min[id] = min(self._seq_min.get(id, record.seq), record.seq)
            if not record.head:
                self._unreadable.append(f"segment {id}, offset {start}: the record cannot be read")
                continue
            fields = records.parse_head(record.head)
            if record.kind in records.OF_VERSIONS:
                told = records.told_version(record.kind, fields)
                if told.version or told.rank or record.kind == records.MARKER:
                    self._versioned.add(fields[0])
                if _tells_lock(record.kind, fields):
                    self._locked.add(fields[0])
                    self._bind((fields[0], fields[1], told.version), record.seq, fields[4])
                if record.kind == records.DELETE:
                    place = (fields[0], fields[1], told.version)
                    self._deleted[place] = max(self._deleted.get(place, 0), record.seq)
            elif record.kind == records.BUCKET:
                self._bucket(fields[0], record.seq, BucketRow._make(fields))
            elif record.kind == records.BUCKET_GONE:
                self._bucket(fields[0], record.seq, None)
            elif record.kind == records.SETTING:
                name, value = fields
                if record.seq > self._settings.get(name, (0, None))[0]:
                    self._settings[name] = (record.seq, value)
        self._sizes[id] = end

    def _bind(self, place: tuple[int, str, str], seq: int, meta: bytes) -> None:
        until, newest, held = self._bound.get(place, (0, 0, False))
        lock = lock_of(meta)
        if lock.mode == COMPLIANCE:
            until = max(until, lock.until_us)
        if seq > newest:
            newest, held = seq, lock.hold
        self._bound[place] = (until, newest, held)

    def _is_gone(self, place: tuple[int, str, str], seq: int) -> bool:
        """Whether the version with this seq was deleted. A deletion that its lock forbade then was
        refused; its record is one of a process that died before it could void it."""
        at = self._deleted.get(place, 0)
        if at < seq:
            return False
        until, _, held = self._bound.get(place, (0, 0, False))
        return not (held or at < until)

    def _bucket(self, name: str, seq: int, row: BucketRow | None) -> None:
        if seq > self._buckets.get(name, (0, None))[0]:
            self._buckets[name] = (seq, row)

    def _second_pass(self, id: int) -> None:
        group: list[tuple[Record, int, int, bool]] = []
        for _, offset, record, length, intact in self._store.scan_segment(id):
            if record.head and record.kind in OF_STANDING:
                group.append((record, offset, length, intact))
                if len(group) >= GROUP:
                    self._put(id, group)
                    group = []
        self._put(id, group)

    def _put(self, id: int, group: list[tuple[Record, int, int, bool]]) -> None:
        def put(txn: Transaction) -> None:
            for record, offset, length, intact in group:
                self._put_one(txn, id, record, offset, length, intact)

        self._change(put)

    def _put_one(
        self, txn: Transaction, id: int, record: Record, offset: int, length: int, intact: bool
    ) -> None:
        fields = records.parse_head(record.head)
        tree, key = fields[:2]
        told = records.told_version(record.kind, fields)
        if self._is_gone((tree, key, told.version), record.seq):
            return
        old = find_version(txn, tree, key, told.version)
        if old is not None and old.row.seq >= record.seq:
            return
        row = self._row(txn, id, record, offset, length, fields)
        if record.kind == records.OBJECT and not intact:
            self._damaged.append((tree, key, "its bytes do not match their digest"))
        if tree not in self._versioned:
            txn.put_object(row)
            return
        if old is not None:
            txn.delete_version(tree, key, old.rank)
        txn.put_version(VersionRow(told.rank or record.seq, row))

    def _row(
        self, txn: Transaction, id: int, record: Record, offset: int, length: int, fields: list[Any]
    ) -> ObjectRow:
        version, owner, _ = records.told_version(record.kind, fields)
        if record.kind == records.MARKER:
            tree, key, _, _, mtime_us = fields[:5]
            about = (tree, key, record.seq, 0, "", mtime_us, b"", None, b"")
            return ObjectRow(*about, version, owner)
        tree, key, etag, mtime_us, meta, checksum = fields[:6]
        if record.kind == records.OBJECT:
            size = length
            blob = Blob(SEGMENT, id, offset, length, record.digest).pack() if length else b""
        else:
            size, blob, manifest = fields[6:9]
            if manifest is not None:
                number = txn.put_manifest(manifest)
                blob = Blob(MANIFEST, number, 0, size, 0).pack()
        return ObjectRow(
            tree, key, record.seq, size, etag, mtime_us, meta, checksum, blob, version, owner
        )

    def _settle(self, tree: int) -> None:
        """Make the newest version of every key current, unless it is a delete marker."""
        reader = self._catalog.reader()
        start, below, last_key = "", 0, None
        while found := reader.all_versions(tree, start, below, GROUP):
            current = []
            for each in found:
                if each.row.key != last_key and each.row.etag:
                    current.append(each)
                last_key = each.row.key

            def put(txn: Transaction, current: list[VersionRow] = current) -> None:
                for rank, row in current:
                    txn.delete_version(row.tree, row.key, rank)
                    txn.put_object(row)

            self._change(put)
            start, below = found[-1].row.key, found[-1].rank

    def _finish(self) -> Rebuilt:
        for tree in self._versioned:
            self._settle(tree)
        trees = self._restore_trees()
        objects = size = 0
        usage: list[tuple[int, int, int, int, int]] = []
        segment_live: dict[int, int] = {}
        owners: dict[tuple[int, int], int] = {}
        used_manifests: set[int] = set()
        for tree in trees:
            counted = self._count(tree, segment_live, owners, used_manifests)
            objects += counted[0]
            size += counted[1]
            usage.append((tree, *counted))

        def put_usage(txn: Transaction) -> None:
            for counted in usage:
                txn.add_usage(*counted)
            for (tree, owner), sums in self._owned.items():
                txn.add_owned(tree, owner, *sums)

        self._change(put_usage)
        self._change(lambda txn: self._put_rest(txn, segment_live, owners, used_manifests))
        count_on(self._catalog, self._store)
        self._catalog.sync()
        names = {row.tree: row.name for row in self._catalog.reader().buckets()}
        damaged = [f"{names.get(tree, tree)}/{key}: {why}" for tree, key, why in self._damaged]
        damaged += self._unreadable
        return Rebuilt(len(self._ids), len(names), objects, size, damaged)

    def _with_versions(self, row: BucketRow) -> BucketRow:
        """The bucket, told of the versions and locks that are in it: a crash may have lost that."""
        options = msgspec.msgpack.decode(row.options) if row.options else {}
        told = dict(options)
        if row.tree in self._locked:
            told |= options_of(Versioning(ENABLED))
            told.setdefault(LOCK, option_of(None))
        elif row.tree in self._versioned:
            told.setdefault(STATE, ENABLED)
        told = {name: value for name, value in told.items() if value is not None}
        return row if told == options else row._replace(options=msgspec.msgpack.encode(told))

    def _restore_trees(self) -> list[int]:
        """Buckets as last told; a tree whose bucket no record tells gets one named after it."""
        rows = [row for _, row in self._buckets.values() if row is not None]
        known = {row.tree for row in rows}
        rows += [
            BucketRow(f"recovered-{tree}", tree, "", now_us(), "us-east-1", None, b"")
            for tree in self._catalog.reader().object_trees()
            if tree not in known
        ]
        rows = [self._with_versions(row) for row in rows]

        def put(txn: Transaction) -> None:
            for row in rows:
                txn.create_tree(row.tree)
                txn.put_bucket(row)
                limits = quota.of_packed(row.options)
                for prefix in limits.prefixes if limits is not None else ():
                    txn.put_prefix(PrefixRow(row.tree, prefix, prefix, 0, 0))

        self._change(put)
        return sorted(row.tree for row in rows)

    def _count(
        self,
        tree: int,
        segment_live: dict[int, int],
        owners: dict[tuple[int, int], int],
        used_manifests: set[int],
    ) -> tuple[int, int, int, int]:
        """What the tree holds: current objects, bytes, noncurrent versions, delete markers."""
        reader = self._catalog.reader()
        total = 0
        for row in walk(reader, tree, GROUP):
            total += row.size
            if row.owner and row.etag:
                sums = self._owned.setdefault((tree, row.owner), [0, 0])
                sums[0] += 1
                sums[1] += row.size
            if not row.blob:
                continue
            blob = unpack_blob(row.blob)
            if blob.tier == SEGMENT:
                segment_live[blob.id] = segment_live.get(blob.id, 0) + blob.length + RECORD_BYTES
                continue
            owners[blob.tier, blob.id] = owners.get((blob.tier, blob.id), 0) + 1
            files = [blob]
            if blob.tier == MANIFEST:
                used_manifests.add(blob.id)
                stored = reader.manifest(blob.id)
                files = blobs_of(decode_manifest(stored)) if stored else []
                for file in files:
                    place = (file.tier, file.id)
                    owners[place] = owners.get(place, 0) + 1
            self._check_files(row, files)
        objects, _ = count_tree(reader, tree)
        return objects, total, *count_versions(reader, tree)

    def _check_files(self, row: ObjectRow, files: list[Blob]) -> None:
        for file in files:
            try:
                self._store.span(file, 0, file.length).release()
            except StoreFault as error:
                self._damaged.append((row.tree, row.key, str(error)))

    def _put_rest(
        self,
        txn: Transaction,
        segment_live: dict[int, int],
        owners: dict[tuple[int, int], int],
        used_manifests: set[int],
    ) -> None:
        now = now_us()
        for name, (_, value) in self._settings.items():
            txn.put_setting(name, value)
        if self._settings:
            last = max(seq for seq, _ in self._settings.values())
            txn.put_setting(SEQ, str(last).encode())
        for id in self._ids:
            txn.put_segment(
                SegmentRow(
                    id,
                    True,
                    self._sizes.get(id, 0),
                    segment_live.get(id, 0),
                    now,
                    self._seq_min.get(id, EMPTY_SEQ_MIN),
                )
            )
        for (tier, id), count in owners.items():
            if count > 1:
                txn.add_reference(tier, id, count - 1)
        for id, _ in txn.manifests(0, 1 << 40):
            if id not in used_manifests:
                txn.delete_manifest(id)
        epoch = max((epoch_of(id) for tier, id in owners if tier == FILE), default=0)
        txn.put_setting(EPOCH, str(epoch + 1).encode())
        txn.put_setting(SWEEP_BEFORE, str(epoch + 2).encode())

    def _change(self, command: Callable[[Transaction], Any]) -> None:
        result = self._catalog.transact([command])[0]
        if isinstance(result, Exception):
            raise result


def _tells_lock(kind: int, fields: list[Any]) -> bool:
    """Whether the metadata say anything of a lock, be it that a hold is off."""
    return kind in (records.OBJECT, records.OBJECT_AT) and is_locked_text(fields[4])


def rebuild(folder: str, progress: Progress = silent) -> Rebuilt:
    """Make a new catalog for the store in `folder`, which nobody may be serving.

    The old catalog is renamed to `catalog.db.lost-<time>`. The new one gets its name only when it
    is whole: to a server that is started on half of one, the other segments would be garbage. So
    when this fails or is killed half-way the store has no catalog, and it can be run again.

    Raises: StoreRefused, StoreFault.
    """
    path = os.path.join(folder, CATALOG)
    move_aside(path)
    remove_catalog(os.path.join(folder, UNFINISHED))
    catalog = open_catalog(folder, name=UNFINISHED, create=True)
    try:
        store = open_blobs(folder, catalog, epoch=0)
        result = Rebuilder(catalog, store, progress).run()
        store.close()
    except BaseException:
        catalog.close()
        remove_catalog(os.path.join(folder, UNFINISHED))
        raise
    catalog.close()
    give_name(folder)
    return result


def move_aside(path: str) -> None:
    """Rename a catalog and its log out of the way."""
    aside = f"{path}.lost-{now_us()}"
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, aside + suffix)
