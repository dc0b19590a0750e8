"""The blob seam: immutable bytes, unaware of buckets and keys. Durable only after a sync.

Two tiers on local disk: records up to 1 MiB are appended to segments shared by many objects, the
rest get a file of their own. A manifest (a list of blobs) is a row of the catalog that is referred
to like a blob, so that every object row holds one fixed-size reference.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from neve.spans import Span

SEGMENT, FILE, MANIFEST = 0, 1, 2

UNTOLD, FIRST, FOLLOWING = range(3)
"""Places of a record in its group. UNTOLD: of a store older than these marks."""

_PACK = struct.Struct("<BQQQQ")


class Blob(NamedTuple):
    """Where bytes are. Packed: u8 tier, then u64 id, offset, length, digest; little-endian."""

    tier: int
    id: int
    """Segment id, file id or manifest id."""
    offset: int
    """Of the first data byte in the segment; 0 for the other tiers."""
    length: int
    digest: int
    """XXH3-64 of the bytes; 0 for a manifest."""

    def pack(self) -> bytes:
        return _PACK.pack(*self)


def unpack_blob(packed: bytes) -> Blob:
    """The inverse of `Blob.pack`."""
    return Blob._make(_PACK.unpack(packed))


class Record(NamedTuple):
    """One self-describing entry of a segment."""

    kind: int
    seq: int
    head: bytes
    """What is needed to rebuild the catalog row; meaning belongs to the engine."""
    data: bytes | memoryview
    """The object's bytes; empty for records that only tell (deletions, manifests)."""
    digest: int
    """XXH3-64 of data."""


class Append(NamedTuple):
    """Where a group of records went."""

    segment: int
    offset: int
    """Of the first byte written."""
    raw: bytes | None
    """The exact bytes written when they are few (a redo row can hold them), else None."""
    length: int
    offsets: list[int]
    """Per record, the offset of its first data byte."""
    starts: list[int]
    """Per record, the offset of its header."""

    @property
    def end(self) -> int:
        """The offset behind the last byte written."""
        return self.offset + self.length


class Tail(NamedTuple):
    """What the header of a record says that lies at the end of a segment."""

    start: int
    """The offset of the header."""
    place: int
    """Whether its group begins with it."""
    kind: int


class FileWriter(Protocol):
    """Writes one file-tier blob. Not shared between threads at the same time."""

    def write(self, data: memoryview) -> None:
        """Append; blocks on the disk. Raises: StoreFull, StoreFault."""

    def commit(self, sync: bool) -> Blob:
        """Write what is buffered, make bytes and name durable if `sync`; return the reference."""

    def abort(self) -> None:
        """Remove the file; never raises. Also harmless after `commit` failed."""


class Buffers(Protocol):
    """Page-aligned buffers of 1 MiB, reused because fresh memory is dear."""

    def acquire(self) -> memoryview: ...
    def release(self, buffer: memoryview) -> None: ...


class BlobStore(Protocol):
    """Bytes of one store, as one process sees them.

    Threads: append, leave_segment, amend and sync_segment are for the commit thread; the rest is
    for any.
    """

    @property
    def sealed(self) -> list[int]:
        """Segments that this process has left for good, for the caller to take out of the list."""

    @property
    def buffers(self) -> Buffers:
        """The pool of memory that `FileWriter.write` takes without a copy."""

    def append(self, records: Sequence[Record], redo_bytes_max: int) -> Append:
        """Append the records, in order, to this process's open segment (one group, one segment).
        Written, not synced. `raw` is given when the group is at most `redo_bytes_max` long.
        Raises: StoreFull, StoreFault (then nothing of the group counts)."""

    def leave_segment(self, size_min: int) -> None:
        """Begin a new segment with the next append if the open one is at least so long: it can be
        compacted then."""

    def amend(self, segment: int, start: int, kind: int, seq: int) -> bytes:
        """Change kind and seq of a record just appended (a refused or reordered write); return the
        header bytes as they now stand at `start`, so that a redo row can be patched alike."""

    def sync_segment(self, segment: int) -> None:
        """Make all bytes appended to the segment (by whichever process) durable. Raises:
        StoreReadOnly once a sync failed: what the disk holds is unknown, and a second sync would
        lie; BlobMissing."""

    def replay(self, segment: int, offset: int, data: bytes) -> bool:
        """Write the bytes of a redo row to their place again; False if the segment is gone."""

    def create_file(self) -> FileWriter: ...

    def read(self, blob: Blob, start: int, stop: int) -> bytes | None:
        """The bytes [start, stop) of the blob if they are in the page cache, else None: never
        waits for the disk. Raises: BlobMissing."""

    def span(self, blob: Blob, start: int, stop: int) -> Span:
        """Open [start, stop) for streaming; bytes stay readable until closed, whatever is deleted
        meanwhile. Raises: BlobMissing."""

    def verify(self, blob: Blob) -> None:
        """Read all bytes and compare the digest. Raises: BlobCorrupt, BlobMissing."""

    def delete_file(self, id: int) -> None:
        """Remove a file; a missing one is fine."""

    def delete_segment(self, id: int) -> None:
        """Remove a segment that no process appends to; a missing one is fine."""

    def scan_segment(self, id: int) -> Any:
        """Iterate (start, data_offset, Record with data empty, length, intact) over the records of
        a segment, voided ones included, in order. `length` is that of the data; `intact` says
        whether head and data match their digests; a head that does not is given as empty. What is
        not a header is skipped: the scan goes on at the next one that proves itself. Raises:
        BlobMissing."""

    def scan_tail(self, id: int, start: int) -> list[Tail]:
        """The records of a segment from the offset `start` on, as far as their headers prove
        themselves; their bytes are not read. Raises: BlobMissing."""

    def amend_tail(self, id: int, starts: Sequence[int], kind: int) -> None:
        """Give records of a segment that nobody appends to another kind, and the seq 0. Not
        synced. Raises: BlobMissing, StoreFault."""

    def segments(self) -> Iterable[int]:
        """The ids of all segments, for walks; those made or deleted meanwhile may be missed."""

    def files(self, epoch_before: int) -> Iterable[int]:
        """The ids of all files made by processes of an epoch before this one, for the sweep of
        orphans. No process of those epochs may be alive."""

    def forget_deleted(self) -> int:
        """Let go of files that others deleted, whose space is free only then; return how many."""

    def free_bytes(self) -> int:
        """Room left for more."""

    def close(self) -> None: ...
