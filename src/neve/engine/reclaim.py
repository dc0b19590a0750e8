"""Giving space back: files without owners, segments with few live records, forgotten uploads.

Nothing is freed that a reader may still have to open: garbage waits `GRACE_S`, and longer while a
long read or a backup is older than it. Deleting a record twice, or after a crash in between, is
harmless: rows are removed only after the bytes are gone.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from neve.blobs.blobs import FILE, MANIFEST, SEGMENT, Blob, BlobStore, Record, unpack_blob
from neve.catalog.catalog import Catalog, ObjectRow, Reader, SegmentRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.buckets import delete_upload
from neve.engine.commit import RECORD_BYTES, Batch, release_shared
from neve.engine.manifests import blobs_of, decode_manifest, decode_pieces
from neve.engine.read import read_span
from neve.engine.recover import SWEEP_BEFORE
from neve.engine.versions import find_version, walk
from neve.engine.write import digest_of
from neve.errors import BlobCorrupt, BlobMissing

GRACE_S = 5.0
GARBAGE_PER_RUN = 2000
COMPACT_GROUP_BYTES = 4 << 20
SCAN_AGAIN_S = 3600.0
HOLD = "hold/"

log = logging.getLogger("neve.engine")


def change(catalog: Catalog, command: Callable[[Transaction], Any]) -> Any:
    """Run one command, durable. Raises: what the command raised."""
    result = catalog.transact([command])[0]
    if isinstance(result, Exception):
        raise result
    catalog.sync()
    return result


def held(reader: Reader, now: int) -> bool:
    """Whether a backup asks that nothing be freed (holds carry the time they end)."""
    return any(int(until) > now for _, until in reader.settings(HOLD))


class Reclaimer:
    """Frees space in one process of the store (the steward)."""

    def __init__(
        self,
        catalog: Catalog,
        store: BlobStore,
        *,
        oldest_read_us: Callable[[], int],
        grace_s: float = GRACE_S,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._reader = catalog.reader()
        self._oldest_read_us = oldest_read_us
        self._grace_us = int(grace_s * 1e6)
        self._looked: dict[int, int] = {}
        self.files_freed = self.segments_freed = self.bytes_moved = 0

    def replay_redo(self) -> int:
        """Write the bytes of all redo rows to their segments again, before the first trim.

        The process that trimmed before this one may have ended because a sync failed; after that
        the pages in the cache look clean although the disk does not have them.
        """
        redo = self._reader.redo()
        for _, segment, offset, data in redo:
            self._store.replay(segment, offset, data)
        return len(redo)

    def trim_redo(self) -> int:
        """Sync the segments that redo rows stand for, then forget the rows."""
        redo = self._reader.redo_segments()
        if redo is None:
            return 0
        upto, segments = redo
        for segment in segments:
            self._store.sync_segment(segment)
        change(self._catalog, lambda txn: txn.delete_redo(upto))
        return len(segments)

    def collect(self) -> int:
        """Free garbage that nobody can still be reading; the number of things freed."""
        now = now_us()
        if held(self._reader, now):
            return 0
        before = now - self._grace_us
        oldest = self._oldest_read_us()
        if oldest:
            before = min(before, oldest)
        rows = self._reader.garbage(before, GARBAGE_PER_RUN)
        for row in rows:
            if row.tier == FILE:
                self._store.delete_file(row.blob)
            elif row.tier == SEGMENT:
                self._store.delete_segment(row.blob)

        def forget(txn: Transaction) -> None:
            for row in rows:
                if row.tier == MANIFEST:
                    release_manifest(txn, row.blob, now)
            txn.delete_garbage([row.id for row in rows])

        if rows:
            change(self._catalog, forget)
            self.files_freed += sum(row.tier == FILE for row in rows)
            self.segments_freed += sum(row.tier == SEGMENT for row in rows)
        return len(rows)

    def compact(self) -> int:
        """Empty the sealed segments that are mostly dead; the number of segments given up."""
        now = now_us()
        if held(self._reader, now):
            return 0
        rows = self._reader.segments()
        self._looked = {row.id: self._looked[row.id] for row in rows if row.id in self._looked}
        done = 0
        for row in rows:
            if row.sealed and self._worth(row, now):
                done += self._empty(row, rows)
        return done

    def _worth(self, row: SegmentRow, now: int) -> bool:
        if row.live * 2 > row.size:
            return False
        return now - self._looked.get(row.id, 0) > SCAN_AGAIN_S * 1e6

    def _empty(self, row: SegmentRow, rows: list[SegmentRow]) -> int:
        """Move what is still needed out of a segment; give it up unless most of it is needed."""
        oldest = min((r.seq_min for r in rows if r.id != row.id and r.size), default=None)
        try:
            needed = list(self._needed(row, oldest))
        except CorruptSegment:
            self._looked[row.id] = now_us()
            return 0
        except BlobMissing:
            # A process that was killed between making the row and making the file. When rows refer
            # to it the scrub reports them; the others must not wait for this one.
            if row.live == 0:
                change(self._catalog, lambda txn: txn.delete_segment(row.id))
                return 1
            self._looked[row.id] = now_us()
            return 0
        if row.live == 0 or sum(n.length for n in needed) * 2 <= row.size:
            group: list[Needed] = []
            size = 0
            for need in needed:
                group.append(need)
                size += need.length
                if size >= COMPACT_GROUP_BYTES:
                    self._move(row.id, group)
                    group, size = [], 0
            if group:
                self._move(row.id, group)

            if change(self._catalog, lambda txn: _give_up(txn, row.id)):
                self._looked.pop(row.id, None)
                return 1
            log.error("segment %d is kept: rows refer to bytes without a record", row.id)
        self._looked[row.id] = now_us()
        return 0

    def _is_outdated(self, kind: int, fields: list[Any]) -> bool:
        """Whether it tells an older value of a setting: the record of the newest tells enough."""
        return kind == records.SETTING and self._reader.setting(fields[0]) != fields[1]

    def _told(self, segment: int) -> Any:
        """What a scan gives of the records that say something, and the fields of each."""
        for start, offset, record, length, intact in self._store.scan_segment(segment):
            if record.kind == records.VOID:
                continue
            if not record.head:
                log.error("a record at %d in segment %d cannot be read: it is kept", start, segment)
                raise CorruptSegment(segment)
            fields = records.parse_head(record.head)
            if not self._is_outdated(record.kind, fields):
                yield start, offset, record, length, intact, fields

    def _needed(self, row: SegmentRow, oldest: int | None) -> Any:
        for start, offset, record, length, intact, fields in self._told(row.id):
            if record.kind not in records.OF_VERSIONS:
                yield Needed(record, start, offset, 0, 0, "")
                continue
            tree, key = fields[0], fields[1]
            standing = self._standing(record, fields)
            if record.kind == records.DELETE:
                # A version that stands is not to be deleted, be its record newer or (after a crash,
                # or when the clock went back) older.
                if standing is None and oldest is not None and oldest < record.seq:
                    yield Needed(record, start, offset, 0, tree, key)
            elif standing is None or standing.seq != record.seq:
                continue
            elif record.kind == records.OBJECT:
                if length:
                    blob = unpack_blob(standing.blob)
                    if (blob.tier, blob.id, blob.offset) != (SEGMENT, row.id, offset):
                        continue
                    if not intact:
                        log.error("corrupt record of %r left in segment %d", key, row.id)
                        raise CorruptSegment(row.id)
                yield Needed(record, start, offset, length, tree, key)
            else:
                yield Needed(record, start, offset, 0, tree, key)

    def _standing(self, record: Record, fields: list[Any]) -> ObjectRow | None:
        """The row of the version that the record is about."""
        told = records.told_version(record.kind, fields)
        found = find_version(self._reader, fields[0], fields[1], told.version)
        return found.row if found is not None else None

    def _move(self, segment: int, group: "list[Needed]") -> None:
        """Append the records again, sync, and point the rows at the new place."""
        moved = []
        for need in group:
            data = self._bytes_of(segment, need) if need.length else b""
            moved.append(need.record._replace(data=data))
        append = self._store.append(moved, 0)
        self._store.sync_segment(append.segment)

        def point(txn: Transaction) -> None:
            live = 0
            for need, offset in zip(group, append.offsets, strict=True):
                if not need.length:
                    continue
                digest = need.record.digest
                old = Blob(SEGMENT, segment, need.offset, need.length, digest)
                new = Blob(SEGMENT, append.segment, offset, need.length, digest)
                if txn.replace_blob(need.tree, need.key, old.pack(), new.pack()):
                    live += need.length + RECORD_BYTES
            txn.add_segment(segment, 0, -live)
            seq_min = min(need.record.seq for need in group)
            txn.add_segment(append.segment, append.end, live, seq_min)

        change(self._catalog, point)
        self.bytes_moved += append.length

    def _bytes_of(self, segment: int, need: "Needed") -> bytes:
        blob = Blob(SEGMENT, segment, need.offset, need.length, need.record.digest)
        data = read_span(self._store.span(blob, 0, need.length))
        if digest_of(data) != need.record.digest:
            raise BlobCorrupt(f"record of {need.key!r} in segment {segment}")
        return data

    def sweep_files(self) -> int:
        """After a crash: remove files of earlier runs that no row refers to."""
        before = self._reader.setting(SWEEP_BEFORE)
        if before is None or held(self._reader, now_us()):
            return 0
        there = set(self._store.files(int(before)))
        if there:
            with self._reader.snapshot():
                there -= set(referenced_files(self._reader))
        for id in there:
            self._store.delete_file(id)
        change(self._catalog, lambda txn: txn.put_setting(SWEEP_BEFORE, None))
        self.files_freed += len(there)
        if there:
            log.info("removed %d files that an interrupted write had left", len(there))
        return len(there)

    def abort_uploads(self, older_than_s: float) -> int:
        """Abort uploads that were begun longer ago than this."""
        limit = now_us() - int(older_than_s * 1e6)
        old = [
            row for row in self._reader.uploads(None, "", "", "", 10_000) if row.created_us < limit
        ]

        def abort(txn: Transaction) -> None:
            batch = Batch(self._store)
            for row in old:
                if txn.upload(row.id) is not None:
                    delete_upload(txn, batch, row.id)

        if old:
            change(self._catalog, abort)
        return len(old)


def _give_up(txn: Transaction, id: int) -> bool:
    """Forget a segment, unless rows still refer to it: objects whose records are damaged, so that
    the scan did not see them, but whose bytes may be whole."""
    if any(row.live > 0 for row in txn.segments() if row.id == id):
        return False
    txn.delete_segment(id)
    txn.add_garbage(SEGMENT, id, now_us())
    return True


class Needed(NamedTuple):
    """A record of a segment that must outlive it."""

    record: Record
    start: int
    offset: int
    length: int
    tree: int
    key: str


class CorruptSegment(Exception):
    """A record that is or may be live does not match its digest: the segment is left as it is."""


def release_manifest(txn: Transaction, id: int, now: int) -> None:
    """Forget a manifest and take one owner off each of its blobs."""
    stored = txn.manifest(id)
    if stored is None:
        return
    for blob in blobs_of(decode_manifest(stored)):
        release_shared(txn, blob.tier, blob.id, now)
    txn.delete_manifest(id)


def referenced_files(reader: Reader) -> Any:
    """Ids of all files that rows refer to: objects, versions, manifests, parts and garbage."""
    for tree in reader.trees():
        for row in walk(reader, tree, 5000):
            if row.blob and row.blob[0] == FILE:
                yield unpack_blob(row.blob).id
    at = 0
    while manifests := reader.manifests(at, 100):
        for id, stored in manifests:
            yield from (b.id for b in blobs_of(decode_manifest(stored)) if b.tier == FILE)
            at = id + 1
    for upload in reader.uploads(None, "", "", "", 1 << 40):
        for part in reader.parts(upload.id, 0, 10_001):
            yield from (unpack_blob(piece.blob).id for piece in decode_pieces(part.pieces))
    yield from (row.blob for row in reader.garbage(1 << 62, 1 << 40) if row.tier == FILE)
