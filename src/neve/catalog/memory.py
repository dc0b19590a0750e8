"""The catalog in memory: the model that the others are compared with, and a fast one for tests.

Plain dicts, and the rules of the contract as assertions: one caller transacts at a time, and a
command that refuses has written nothing. A lock makes a group atomic for readers of other threads.
Nothing is durable; `backup` writes a file that `MemoryCatalog.restore` reads.
"""

import os
import pickle
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from neve.catalog.catalog import (
    EMPTY_SEQ_MIN,
    BucketRow,
    GarbageRow,
    ListedVersion,
    ListRow,
    ObjectRow,
    PartRow,
    Reader,
    SegmentRow,
    Transaction,
    UploadRow,
    VersionRow,
)
from neve.catalog.memory_usage import UsageReads, UsageWrites
from neve.errors import DomainError, StoreReadOnly, StoreRefused

T = TypeVar("T")

_TABLES = (
    "bucket", "tree", "object", "version", "manifest", "upload", "part", "segment", "redo",
    "garbage", "reference", "setting", "owner_usage", "prefix_usage", "last_id",
)  # fmt: skip

_ABSENT = object()


class _Tables:
    """A dict per table, the sorted keys of each tree, and what undoes the open transaction."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Any, Any]] = {table: {} for table in _TABLES}
        self.keys: dict[int, list[str]] = {}
        self.undo: list[tuple[str, Any, Any]] = []
        self.lock = threading.RLock()
        self.commits = 0

    def set(self, table: str, key: Any, row: Any) -> None:
        """Put a row, or remove it when `row` is _ABSENT, and note how it was."""
        self.undo.append((table, key, self.rows[table].get(key, _ABSENT)))
        self._apply(table, key, row)

    def roll_back(self) -> None:
        while self.undo:
            self._apply(*self.undo.pop())

    def _apply(self, table: str, key: Any, row: Any) -> None:
        rows = self.rows[table]
        if table == "object":
            self._index(key, key in rows, row is not _ABSENT)
        if row is _ABSENT:
            rows.pop(key, None)
        else:
            rows[key] = row

    def _index(self, key: tuple[int, str], was: bool, will: bool) -> None:
        keys = self.keys.setdefault(key[0], [])
        if will and not was:
            insort(keys, key[1])
        elif was and not will:
            del keys[bisect_left(keys, key[1])]

    def next_id(self, table: str) -> int:
        last: int = self.rows["last_id"].get(table, 0) + 1
        self.set("last_id", table, last)
        return last


class MemoryReader(UsageReads):
    """Reads under the lock: what a group does shows at its end."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def _get(self, table: str, key: Any) -> Any:
        with self._tables.lock:
            return self._tables.rows[table].get(key)

    def _sorted(self, table: str) -> list[Any]:
        with self._tables.lock:
            return sorted(self._tables.rows[table].items())

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._tables.lock:
            yield

    def state(self) -> bytes | None:
        return b"%d" % self._tables.commits

    def bucket(self, name: str) -> BucketRow | None:
        row: BucketRow | None = self._get("bucket", name)
        return row

    def buckets(self) -> list[BucketRow]:
        return [row for _, row in self._sorted("bucket")]

    def object(self, tree: int, key: str) -> ObjectRow | None:
        row: ObjectRow | None = self._get("object", (tree, key))
        return row

    def scan(self, tree: int, start: str, stop: str | None, limit: int) -> list[ListRow]:
        with self._tables.lock:
            keys = self._tables.keys.get(tree, [])
            first = bisect_left(keys, start)
            last = len(keys) if stop is None else bisect_left(keys, stop)
            rows = self._tables.rows["object"]
            return [_listed(rows[tree, key]) for key in keys[first : min(last, first + limit)]]

    def scan_delimited(
        self, tree: int, prefix: str, delimiter: str, start: str, limit: int
    ) -> list[ListRow | str]:
        entries: list[ListRow | str] = []
        with self._tables.lock:
            keys = self._tables.keys.get(tree, [])
            for key in keys[bisect_left(keys, max(prefix, start)) :]:
                if not key.startswith(prefix):
                    break
                cut = key.find(delimiter, len(prefix))
                entry = (
                    _listed(self._tables.rows["object"][tree, key])
                    if cut < 0
                    else key[: cut + len(delimiter)]
                )
                if not entries or entries[-1] != entry:
                    if len(entries) == limit:
                        break
                    entries.append(entry)
        return entries

    def objects(self, tree: int, start: str, limit: int) -> list[ObjectRow]:
        with self._tables.lock:
            keys = self._tables.keys.get(tree, [])
            first = bisect_left(keys, start)
            return [self._tables.rows["object"][tree, k] for k in keys[first : first + limit]]

    def version(self, tree: int, key: str, version: str) -> VersionRow | None:
        found = [v for v in self._versions(tree) if (v.row.key, v.row.version) == (key, version)]
        return found[0] if found else None

    def versions(self, tree: int, key: str, limit: int) -> list[VersionRow]:
        return [found for found in self._versions(tree) if found.row.key == key][:limit]

    def scan_versions(
        self, tree: int, start: str, below: int, stop: str | None, limit: int
    ) -> list[ListedVersion]:
        with self._tables.lock:
            shown = self.all_versions(tree, start, below, len(self._tables.rows["version"]))
            current = [VersionRow(0, row) for row in self.objects(tree, start, 1 << 40)]
            rows = [(not v.rank, v.rank or v.row.seq, v) for v in shown + current]
        wanted = [
            (row.key, -place, ListedVersion(row.key, rank, row.version, row.size, row.etag,
                                            row.mtime_us, row.checksum, row.owner, row.meta))
            for is_current, place, (rank, row) in rows
            if (stop is None or row.key < stop) and not (is_current and below and row.key == start)
        ]  # fmt: skip
        return [listed for _, _, listed in sorted(wanted, key=lambda each: each[:2])][:limit]

    def all_versions(self, tree: int, start: str, below: int, limit: int) -> list[VersionRow]:
        found = [
            each
            for each in self._versions(tree)
            if each.row.key > start or (each.row.key == start and (not below or each.rank < below))
        ]
        return found[:limit]

    def _versions(self, tree: int) -> list[VersionRow]:
        with self._tables.lock:
            rows = [row for row in self._tables.rows["version"].values() if row.row.tree == tree]
        return sorted(rows, key=lambda each: (each.row.key, -each.rank))

    def trees(self) -> list[int]:
        return [id for id, _ in self._sorted("tree")]

    def object_trees(self) -> list[int]:
        with self._tables.lock:
            trees = {tree for tree, keys in self._tables.keys.items() if keys}
            return sorted(trees | {tree for tree, _, _ in self._tables.rows["version"]})

    def manifest(self, id: int) -> bytes | None:
        row: bytes | None = self._get("manifest", id)
        return row

    def manifests(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        return [row for row in self._sorted("manifest") if row[0] >= start][:limit]

    def upload(self, id: str) -> UploadRow | None:
        row: UploadRow | None = self._get("upload", id)
        return row

    def uploads(
        self, tree: int | None, prefix: str, key_after: str, id_after: str, limit: int
    ) -> list[UploadRow]:
        last = self.upload(id_after)
        order = (last.created_us, last.id) if last and last.key == key_after else (-1, "")

        def wanted(row: UploadRow) -> bool:
            if not row.key.startswith(prefix) or tree not in (None, row.tree):
                return False
            if id_after and key_after and row.key == key_after:
                return (row.created_us, row.id) > order
            return not key_after or row.key > key_after

        rows = [row for _, row in self._sorted("upload") if wanted(row)]
        return sorted(rows, key=lambda row: (row.key, row.created_us, row.id))[:limit]

    def part(self, upload: str, number: int) -> PartRow | None:
        row: PartRow | None = self._get("part", (upload, number))
        return row

    def parts(self, upload: str, after: int, limit: int) -> list[PartRow]:
        rows = [row for _, row in self._sorted("part")]
        return [row for row in rows if row.upload == upload and row.number > after][:limit]

    def parts_bytes(self, upload: str, without: int) -> int:
        rows = [row for _, row in self._sorted("part")]
        return sum(row.size for row in rows if row.upload == upload and row.number != without)

    def usage(self, tree: int) -> tuple[int, int]:
        row = self._get("tree", tree) or (0, 0, 0, 0)
        return row[0], row[1]

    def version_usage(self, tree: int) -> tuple[int, int]:
        row = self._get("tree", tree) or (0, 0, 0, 0)
        return row[2], row[3]

    def segments(self) -> list[SegmentRow]:
        return [row for _, row in self._sorted("segment")]

    def redo(self) -> list[tuple[int, int, int, bytes]]:
        return [(id, *row) for id, row in self._sorted("redo")]

    def redo_segments(self) -> tuple[int, list[int]] | None:
        rows = self._sorted("redo")
        if not rows:
            return None
        return rows[-1][0], sorted({segment for _, (segment, _, _) in rows})

    def garbage(self, before_us: int, limit: int) -> list[GarbageRow]:
        rows = [row for _, row in self._sorted("garbage") if row.at_us < before_us]
        return sorted(rows, key=lambda row: row.at_us)[:limit]

    def references(self, tier: int, blob: int) -> int:
        return self._get("reference", (tier, blob)) or 0

    def setting(self, name: str) -> bytes | None:
        row: bytes | None = self._get("setting", name)
        return row

    def settings(self, prefix: str) -> list[tuple[str, bytes]]:
        return [row for row in self._sorted("setting") if row[0].startswith(prefix)]


class MemoryTransaction(MemoryReader, UsageWrites):
    """Writes at once, and notes how to undo it."""

    def _set(self, table: str, key: Any, row: Any = _ABSENT) -> None:
        self._tables.set(table, key, row)

    def _use_id(self, table: str, id: int) -> int:
        self._set("last_id", table, max(id, self._tables.rows["last_id"].get(table, 0)))
        return id

    def put_bucket(self, row: BucketRow) -> None:
        self._set("bucket", row.name, row)

    def delete_bucket(self, name: str) -> None:
        self._set("bucket", name)

    def create_tree(self, id: int | None = None) -> int:
        tree = self._tables.next_id("tree") if id is None else self._use_id("tree", id)
        assert self._get("tree", tree) is None, "the tree exists"
        self._set("tree", tree, (0, 0, 0, 0))
        return tree

    def delete_tree(self, tree: int) -> None:
        assert not self._tables.keys.get(tree), "the tree still holds objects"
        assert not self._versions(tree), "the tree still holds versions"
        self._set("tree", tree)
        self.delete_usage(tree)

    def put_object(self, row: ObjectRow) -> None:
        self._set("object", (row.tree, row.key), row)

    def delete_object(self, tree: int, key: str) -> None:
        self._set("object", (tree, key))

    def put_version(self, row: VersionRow) -> None:
        self._set("version", (row.row.tree, row.row.key, row.rank), row)

    def delete_version(self, tree: int, key: str, rank: int) -> None:
        self._set("version", (tree, key, rank))

    def replace_blob(self, tree: int, key: str, old: bytes, new: bytes) -> bool:
        current = self.object(tree, key)
        if current is not None and current.blob == old:
            self._set("object", (tree, key), current._replace(blob=new))
            return True
        for rank, row in self.versions(tree, key, 1 << 40):
            if row.blob == old:
                self.put_version(VersionRow(rank, row._replace(blob=new)))
                return True
        return False

    def put_manifest(self, parts: bytes) -> int:
        id = self._tables.next_id("manifest")
        self._set("manifest", id, parts)
        return id

    def delete_manifest(self, id: int) -> None:
        self._set("manifest", id)

    def put_upload(self, row: UploadRow) -> None:
        self._set("upload", row.id, row)

    def delete_upload(self, id: str) -> None:
        self._set("upload", id)
        for key in [key for key, _ in self._sorted("part") if key[0] == id]:
            self._set("part", key)

    def put_part(self, row: PartRow) -> None:
        self._set("part", (row.upload, row.number), row)

    def add_usage(
        self, tree: int, objects: int, size: int, versions: int = 0, markers: int = 0
    ) -> None:
        before = self._get("tree", tree)
        if before is not None:
            deltas = (objects, size, versions, markers)
            after = tuple(was + delta for was, delta in zip(before, deltas, strict=True))
            self._set("tree", tree, after)

    def put_segment(self, row: SegmentRow) -> None:
        self._set("segment", self._use_id("segment", row.id), row)

    def create_segment(self, created_us: int) -> int:
        id = self._tables.next_id("segment")
        self._set("segment", id, SegmentRow(id, False, 0, 0, created_us, EMPTY_SEQ_MIN))
        return id

    def add_segment(self, id: int, size: int, live: int, seq_min: int | None = None) -> None:
        row = self._get("segment", id)
        if row is not None:
            lowest = row.seq_min if seq_min is None else min(row.seq_min, seq_min)
            size = max(row.size, size)
            grown = row._replace(size=size, live=row.live + live, seq_min=lowest)
            self._set("segment", id, grown)

    def seal_segment(self, id: int) -> None:
        row = self._get("segment", id)
        if row is not None:
            self._set("segment", id, row._replace(sealed=True))

    def delete_segment(self, id: int) -> None:
        self._set("segment", id)

    def put_redo(self, segment: int, offset: int, data: bytes) -> None:
        self._set("redo", self._tables.next_id("redo"), (segment, offset, data))

    def delete_redo(self, upto: int) -> None:
        for id in [id for id, _ in self._sorted("redo") if id <= upto]:
            self._set("redo", id)

    def add_garbage(self, tier: int, blob: int, at_us: int) -> None:
        id = self._tables.next_id("garbage")
        self._set("garbage", id, GarbageRow(id, tier, blob, at_us))

    def delete_garbage(self, ids: Sequence[int]) -> None:
        for id in ids:
            self._set("garbage", id)

    def add_reference(self, tier: int, blob: int, count: int) -> int:
        total = self.references(tier, blob) + count
        assert total >= 0, "more owners left than there were"
        self._set("reference", (tier, blob), total or _ABSENT)
        return total

    def put_setting(self, name: str, value: bytes | None) -> None:
        self._set("setting", name, _ABSENT if value is None else value)


class MemoryCatalog:
    """A catalog that lives as long as the object."""

    def __init__(self) -> None:
        self._tables = _Tables()
        self._transacting = threading.Lock()
        self._closed = False

    @classmethod
    def restore(cls, path: str) -> "MemoryCatalog":
        """Return the catalog that `backup` wrote. The file must be one's own: it is a pickle."""
        catalog = cls()
        with open(path, "rb") as file:
            catalog._tables.rows, catalog._tables.keys = pickle.load(file)  # noqa: S301
        return catalog

    def reader(self) -> Reader:
        return MemoryReader(self._tables)

    def transact(self, commands: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        if self._closed:
            raise StoreReadOnly("the catalog is closed")
        assert self._transacting.acquire(blocking=False), "one caller at a time"
        tables = self._tables
        try:
            with tables.lock:
                tables.commits += 1
                try:
                    return self._run(commands)
                except BaseException:
                    tables.roll_back()
                    raise
                finally:
                    tables.undo.clear()
        finally:
            self._transacting.release()

    def _run(self, commands: Sequence[Callable[[Transaction], T]]) -> list[T | Exception]:
        transaction = MemoryTransaction(self._tables)
        results: list[T | Exception] = []
        for command in commands:
            writes = len(self._tables.undo)
            try:
                results.append(command(transaction))
            except DomainError as refused:
                assert len(self._tables.undo) == writes, "a refused command must not have written"
                results.append(refused)
        return results

    def sync(self) -> None:
        """Nothing is durable, so nothing waits."""

    def log_bytes(self) -> int:
        return 0

    def checkpoint(self, *, truncate: bool = False) -> dict[str, int]:
        return {"wal_bytes": 0, "pages": 0}

    def backup(self, path: str, progress: Callable[[int, int], Any] | None = None) -> None:
        if os.path.exists(path):
            raise StoreRefused(f"{path} exists already; back up to a new file")
        with self._tables.lock:
            data = pickle.dumps((self._tables.rows, self._tables.keys))
        with open(path, "xb") as file:
            file.write(data)
        if progress is not None:
            progress(1, 1)

    def close(self) -> None:
        self._closed = True


def _listed(row: ObjectRow) -> ListRow:
    return row.key, row.size, row.etag, row.mtime_us, row.checksum
