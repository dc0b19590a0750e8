"""The catalog seam: rows in ordered tables, changed in atomic groups. No rule of S3 lives here.

A catalog offers row primitives only; the rules (preconditions, usage, what becomes garbage) are
commands of `neve.engine`, called with a `Transaction`. Implementations: `sqlite` (the embedded
default) and `memory` (the model). One conformance suite, `neve.testing.catalog`, holds for both.

Keys of objects are `(tree, key)`. A bucket owns a root tree. Keys order by their UTF-8 bytes.
Of a key with versions, the current object is a row like any other; its noncurrent versions and its
delete markers are rows of another table. A key has a current object unless its newest version is a
delete marker.
All times are integers of microseconds since 1970 (UTC).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

EMPTY_SEQ_MIN = 2**63 - 1
"""`seq_min` of a segment without records."""


class BucketRow(NamedTuple):
    """A bucket and all that it is told. Rare and small: cached whole by the engine."""

    name: str
    tree: int
    owner: str
    """Canonical id of the owning principal."""
    created_us: int
    region: str
    policy: bytes | None
    options: bytes
    """msgpack map of the bucket's switches; empty bytes when none is set."""


class ObjectRow(NamedTuple):
    """The current object at a key."""

    tree: int
    key: str
    seq: int
    """Grows with every write to this key; its microseconds unless the clock stood still."""
    size: int
    etag: str
    """Without quotes: 32 hex digits, or `hex-N` for N parts. Empty: a delete marker."""
    mtime_us: int
    meta: bytes
    """msgpack map of header name → value, owned by the protocol layer."""
    checksum: str | None
    """`crc64nvme;FULL_OBJECT;base64` or None."""
    blob: bytes
    """A packed `neve.blobs.blobs.Blob`; empty for no bytes."""
    version: str = ""
    """Version id; empty for the null version."""
    owner: str = ""
    """Canonical id of the writer; empty for the owner of the bucket."""


class VersionRow(NamedTuple):
    """A noncurrent version or a delete marker."""

    rank: int
    """Its place among the versions of its key, the newest the greatest: the seq with which it was
    the newest. 0 where a current object is shown as a version."""
    row: ObjectRow


ListRow = tuple[str, int, str, int, str | None]
"""What a listing shows of an object: key, size, etag, mtime_us, checksum."""


class ListedVersion(NamedTuple):
    """What a listing shows of a version."""

    key: str
    rank: int
    """0 for the current object."""
    version: str
    size: int
    etag: str
    """Empty for a delete marker."""
    mtime_us: int
    checksum: str | None
    owner: str
    meta: bytes


class UploadRow(NamedTuple):
    """A multipart upload in progress."""

    id: str
    tree: int
    key: str
    created_us: int
    owner: str
    meta: bytes
    checksum: str | None
    """`crc32;COMPOSITE`, or None when none was asked for."""


class PartRow(NamedTuple):
    """An uploaded part of an upload."""

    upload: str
    number: int
    size: int
    etag: str
    mtime_us: int
    checksum: str | None
    """`crc32;base64` or None."""
    pieces: bytes
    """msgpack list of [packed blob, start, length]: the bytes of the part, in order."""


class SegmentRow(NamedTuple):
    """An append-only file of records and how much of it is still in use."""

    id: int
    sealed: bool
    size: int
    """Where the last committed batch ends in the file: what lies behind was never acknowledged."""
    live: int
    """Bytes of `size` that rows refer to."""
    created_us: int
    seq_min: int
    """No record in the segment has a smaller seq."""


class GarbageRow(NamedTuple):
    """A file or manifest that no row refers to any more."""

    id: int
    tier: int
    blob: int
    """File id or manifest id."""
    at_us: int


class PrefixRow(NamedTuple):
    """The counter of a prefix."""

    tree: int
    prefix: str
    upto: str | None
    """Of the keys under the prefix, those below this are counted so far; None: all are."""
    objects: int
    bytes: int


class Reader(Protocol):
    """Reads of committed state; each call sees the newest commit. For one thread only."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one and the same commit. Short: the log cannot shrink meanwhile."""

    def state(self) -> bytes | None:
        """Bytes that are equal only as long as nothing was committed, by any process: what was
        read since they were taken is then the newest. None when that cannot be told."""

    def bucket(self, name: str) -> BucketRow | None: ...
    def buckets(self) -> list[BucketRow]:
        """All buckets in name order."""

    def object(self, tree: int, key: str) -> ObjectRow | None: ...
    def scan(self, tree: int, start: str, stop: str | None, limit: int) -> list[ListRow]:
        """Rows with start <= key < stop (no upper bound when None), in order, at most `limit`."""

    def scan_delimited(
        self, tree: int, prefix: str, delimiter: str, start: str, limit: int
    ) -> list[ListRow | str]:
        """Entries under `prefix` from `start` on, at most `limit`, in order: a ListRow, or the text
        of a common prefix (through the first `delimiter` after `prefix`; each once) whatever the
        number of keys below it: the scan seeks past them. A common prefix counts as >= start when
        any key below it is. `delimiter` is not empty and may have many characters."""

    def objects(self, tree: int, start: str, limit: int) -> list[ObjectRow]:
        """Whole rows with key >= start, for background walks."""

    def version(self, tree: int, key: str, version: str) -> VersionRow | None:
        """The noncurrent version or delete marker of that id."""

    def versions(self, tree: int, key: str, limit: int) -> list[VersionRow]:
        """Noncurrent versions and delete markers of a key, newest first."""

    def scan_versions(
        self, tree: int, start: str, below: int, stop: str | None, limit: int
    ) -> list[ListedVersion]:
        """Current objects, noncurrent versions and delete markers with start <= key < stop, by key
        and then newest first, at most `limit`. `below`: of the key `start` only versions with a
        smaller rank; 0: all of it."""

    def all_versions(self, tree: int, start: str, below: int, limit: int) -> list[VersionRow]:
        """Noncurrent versions and delete markers with key >= start, by key and then newest first;
        `below` as in `scan_versions`. For background walks."""

    def trees(self) -> list[int]:
        """Every tree that has a usage row, in order."""

    def object_trees(self) -> list[int]:
        """Every tree that holds an object or a version, in order."""

    def manifest(self, id: int) -> bytes | None: ...
    def manifests(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        """(id, parts) with id >= start, for background walks."""

    def upload(self, id: str) -> UploadRow | None: ...
    def uploads(
        self, tree: int | None, prefix: str, key_after: str, id_after: str, limit: int
    ) -> list[UploadRow]:
        """Uploads under `prefix` ordered by (key, created_us, id), strictly after (key_after,
        id_after); an empty id_after means after every upload of key_after; an empty key_after
        means from the start; an id_after that is no upload of key_after (it was completed since)
        means from the first upload of key_after. `tree` None: of all trees."""

    def part(self, upload: str, number: int) -> PartRow | None: ...
    def parts(self, upload: str, after: int, limit: int) -> list[PartRow]:
        """Parts with number > after, in order."""

    def parts_bytes(self, upload: str, without: int) -> int:
        """Bytes of all parts of the upload but the one with number `without`."""

    def usage(self, tree: int) -> tuple[int, int]:
        """(current objects, bytes of all versions) of a tree; (0, 0) of one that does not exist."""

    def version_usage(self, tree: int) -> tuple[int, int]:
        """(noncurrent versions, delete markers) of a tree."""

    def owned(self, owner: str) -> tuple[int, int]:
        """(objects and noncurrent versions, bytes) of a principal: what it wrote into buckets of
        others, and in its own buckets what no other wrote."""

    def owners(self, tree: int) -> list[tuple[str, int, int]]:
        """(owner, objects and noncurrent versions, bytes) of everybody who has something in a tree,
        but the owner of its bucket; by owner."""

    def prefixes(self, tree: int) -> list[PrefixRow]:
        """Counters of prefixes, in order."""

    def uncounted_trees(self) -> list[int]:
        """Trees with a prefix of which not all keys are counted, in order."""

    def segments(self) -> list[SegmentRow]: ...
    def redo(self) -> list[tuple[int, int, int, bytes]]:
        """(id, segment, offset, data) in id order: appends whose segment may not be synced yet."""

    def redo_segments(self) -> tuple[int, list[int]] | None:
        """(largest id, the segments) of the redo rows, without their data; None without rows."""

    def garbage(self, before_us: int, limit: int) -> list[GarbageRow]:
        """Garbage with at_us < before_us, oldest first."""

    def references(self, tier: int, blob: int) -> int:
        """How many owners a file or manifest has beyond its first: 0 unless it was shared."""

    def setting(self, name: str) -> bytes | None: ...
    def settings(self, prefix: str) -> list[tuple[str, bytes]]: ...


class Transaction(Reader, Protocol):
    """Reads and writes inside one atomic group; reads see the group's own writes."""

    def put_bucket(self, row: BucketRow) -> None:
        """Insert or replace by name."""

    def delete_bucket(self, name: str) -> None: ...
    def create_tree(self, id: int | None = None) -> int:
        """A new tree id, never used before, with a usage row of zeros; with `id`, that one
        (a rebuild puts back what was)."""

    def delete_tree(self, tree: int) -> None:
        """Forget the tree's counters; its objects and versions must be gone already."""

    def put_object(self, row: ObjectRow) -> None:
        """Insert or replace by (tree, key)."""

    def delete_object(self, tree: int, key: str) -> None: ...
    def put_version(self, row: VersionRow) -> None:
        """Insert or replace by (tree, key, rank)."""

    def delete_version(self, tree: int, key: str, rank: int) -> None: ...
    def replace_blob(self, tree: int, key: str, old: bytes, new: bytes) -> bool:
        """Point the current object or the version of the key whose blob is `old` at `new`; say
        whether there was one."""

    def put_manifest(self, parts: bytes) -> int: ...
    def delete_manifest(self, id: int) -> None: ...
    def put_upload(self, row: UploadRow) -> None: ...
    def delete_upload(self, id: str) -> None:
        """Remove the upload and all its parts."""

    def put_part(self, row: PartRow) -> None:
        """Insert or replace by (upload, number)."""

    def add_usage(
        self, tree: int, objects: int, size: int, versions: int = 0, markers: int = 0
    ) -> None:
        """Add (maybe negative) to the tree's counters."""

    def add_owned(self, tree: int, owner: str, objects: int, size: int) -> None:
        """Add (maybe negative) to what the principal has in the tree."""

    def put_prefix(self, row: PrefixRow) -> None:
        """Insert or replace by (tree, prefix)."""

    def delete_prefix(self, tree: int, prefix: str) -> None: ...
    def put_segment(self, row: SegmentRow) -> None: ...
    def create_segment(self, created_us: int) -> int:
        """A new unsealed, empty segment (seq_min EMPTY_SEQ_MIN); ids are never used twice."""

    def add_segment(self, id: int, size: int, live: int, seq_min: int | None = None) -> None:
        """Raise the size to `size`, add to live, lower seq_min; 0 and None change nothing.
        Unknown ids are ignored (freed meanwhile)."""

    def seal_segment(self, id: int) -> None: ...
    def delete_segment(self, id: int) -> None: ...
    def put_redo(self, segment: int, offset: int, data: bytes) -> None: ...
    def delete_redo(self, upto: int) -> None:
        """Forget redo rows with id <= upto; ids are never used twice."""

    def add_garbage(self, tier: int, blob: int, at_us: int) -> None: ...
    def delete_garbage(self, ids: Sequence[int]) -> None: ...
    def add_reference(self, tier: int, blob: int, count: int) -> int:
        """Add to the count of extra owners (removed at 0); return the new count."""

    def put_setting(self, name: str, value: bytes | None) -> None:
        """Set, or remove when None."""


class Catalog(Protocol):
    """A set of tables shared by the processes of one store."""

    def reader(self) -> Reader:
        """A reader for the calling thread."""

    def transact(self, commands: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        """Call each command in order inside one transaction and commit.

        A command that raises `neve.errors.DomainError` is refused: the error is its result, and it
        must not have written before it raised (the memory catalog asserts it). Any other exception
        rolls the whole group back and is raised. Not durable before `sync`. One caller at a time.
        Raises: StoreFull, StoreFault.
        """

    def sync(self) -> None:
        """Make every committed transaction durable. Raises: StoreReadOnly once a sync failed."""

    def log_bytes(self) -> int:
        """How much the tables may grow by when the log is folded into them, at most."""

    def checkpoint(self, *, truncate: bool = False) -> dict[str, int]:
        """Fold the log into the tables, as far as readers allow; figures for the metrics
        (`wal_bytes` left, `pages` moved). For one process of the store only."""

    def backup(self, path: str, progress: Callable[[int, int], Any] | None = None) -> None:
        """Write a consistent copy of the whole catalog to a new file, while writes go on."""

    def close(self) -> None: ...
