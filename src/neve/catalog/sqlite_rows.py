"""The statements of the SQLite catalog: a reader and a transaction over one connection.

No rule lives here, and no connection is opened here: see `sqlite`. Every method is one snapshot.
What SQLite raises in a read leaves as a StoreFault; in a write, whoever transacts maps it.

No read transaction outlives a call: statements on the lasting cursor run to their end (`fetchall`;
writes give no rows), and a cursor of its own that is dropped early is reset at once, as CPython
counts references. The lasting cursor saves 0.5 µs a statement; nothing may nest on it.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import apsw

from neve.catalog.catalog import (
    EMPTY_SEQ_MIN,
    BucketRow,
    GarbageRow,
    ListedVersion,
    ListRow,
    ObjectRow,
    PartRow,
    SegmentRow,
    UploadRow,
    VersionRow,
)
from neve.catalog.sqlite_usage import UsageReads, UsageWrites
from neve.errors import StoreFault, StoreFull
from neve.names import prefix_end

R = TypeVar("R", bound=tuple[Any, ...])

_NO_STOP = b""
"""Sorts after every text, so that one statement serves bounded and unbounded ranges."""

_NEVER_US = 2**63 - 1

# A seek costs as much as three rows. So rows of a common prefix are read over before the listing
# seeks past it, and it reads again after as many plain keys in a row.
_SCAN_ROWS = 3
_PLAIN_ROWS = 4

_OBJECTS = (
    "SELECT tree, key, seq, size, etag, mtime_us, meta, checksum, blob, version, owner FROM object"
)
_OBJECT = _OBJECTS + " WHERE tree = ? AND key = ?"
_VERSIONS = (
    "SELECT rank, tree, key, seq, size, etag, mtime_us, meta, checksum, blob, version, owner"
    " FROM version"
)
_VERSION = _VERSIONS + " WHERE tree = ? AND key = ? AND version = ? LIMIT 1"
_NEWEST = _VERSIONS + " WHERE tree = ? AND key = ? ORDER BY rank DESC LIMIT ?"
# Both tables are in the order asked for: SQLite merges them without sorting.
_SCAN_VERSIONS = (
    "SELECT key, 0 AS rank, version, size, etag, mtime_us, checksum, owner, meta, seq AS place"
    " FROM object WHERE tree = ?1 AND key >= ?2 AND key < ?3"
    " UNION ALL SELECT key, rank, version, size, etag, mtime_us, checksum, owner, meta, rank"
    " FROM version WHERE tree = ?1 AND key >= ?2 AND key < ?3"
    " ORDER BY key, place DESC LIMIT ?4"
)
_KEY_VERSIONS = (
    "SELECT key, rank, version, size, etag, mtime_us, checksum, owner, meta"
    " FROM version WHERE tree = ? AND key = ? AND rank < ? ORDER BY rank DESC LIMIT ?"
)
_SCAN = (
    "SELECT key, size, etag, mtime_us, checksum FROM object"
    " WHERE tree = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
# The first key of every entry: after a key that holds the delimiter comes the first key above its
# common prefix. It carries keys alone, since columns of every key it touches would double its cost.
# Positions are bytes of UTF-8: SQLite's text functions stop at NUL.
# 1 tree, 2 start, 3 stop, 4 first byte after the prefix, 5 delimiter, 6 least text above it.
_SKIP = """
WITH RECURSIVE entry (key) AS (
  SELECT * FROM (
    SELECT key FROM object WHERE tree = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1)
  UNION ALL
  SELECT (
    SELECT key FROM object WHERE tree = ?1 AND key < ?3 AND key >=
      CASE instr(substr(CAST(entry.key AS BLOB), ?4), ?5) WHEN 0 THEN entry.key || char(0)
      ELSE substr(CAST(entry.key AS BLOB), 1,
        ?4 + instr(substr(CAST(entry.key AS BLOB), ?4), ?5) - 2) || ?6 END
    ORDER BY key LIMIT 1)
  FROM entry WHERE entry.key IS NOT NULL
) SELECT key FROM entry WHERE key IS NOT NULL"""
_LISTED = "SELECT key, size, etag, mtime_us, checksum FROM object WHERE tree = ? AND key = ?"

_UPLOAD = "SELECT id, tree, key, created_us, owner, meta, checksum FROM upload"
_PART = "SELECT upload, number, size, etag, mtime_us, checksum, pieces FROM part"


def store_fault(error: apsw.Error, system_errno: int = 0) -> StoreFault:
    """Return the storage fault that an error of SQLite stands for."""
    if isinstance(error, apsw.FullError) or system_errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"no room for the catalog: {error}")
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StoreFault(f"the catalog is damaged ({error}); restore it, or run `neve rebuild`")
    if isinstance(error, apsw.BusyError):
        return StoreFault("the catalog stayed locked by another process")
    return StoreFault(f"the catalog failed: {error}")


def unknown_state() -> None:
    """The state of a reader that cannot tell whether anything was committed."""


class SqliteReader(UsageReads):
    """Committed state, read over a connection of its own."""

    __slots__ = ("__weakref__", "_connection", "_run", "state")

    state: Callable[[], bytes | None]

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._run = connection.cursor().execute
        self.state = unknown_state

    def _rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._run(sql, bindings).fetchall()
        except apsw.Error as error:
            raise store_fault(error, self._connection.system_errno) from error

    def _row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any | None:
        rows = self._rows(sql, bindings)
        return rows[0] if rows else None

    def _typed(self, kind: type[R], sql: str, bindings: tuple[Any, ...] = ()) -> list[R]:
        return [tuple.__new__(kind, row) for row in self._rows(sql, bindings)]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._begin_read()
        try:
            yield
        finally:
            self._end_read()

    def bucket(self, name: str) -> BucketRow | None:
        rows = self._typed(
            BucketRow,
            "SELECT name, tree, owner, created_us, region, policy, options"
            " FROM bucket WHERE name = ?",
            (name,),
        )
        return rows[0] if rows else None

    def buckets(self) -> list[BucketRow]:
        return self._typed(
            BucketRow,
            "SELECT name, tree, owner, created_us, region, policy, options"
            " FROM bucket ORDER BY name",
        )

    def object(self, tree: int, key: str) -> ObjectRow | None:
        try:
            rows = self._run(_OBJECT, (tree, key)).fetchall()
        except apsw.Error as error:
            raise store_fault(error, self._connection.system_errno) from error
        return tuple.__new__(ObjectRow, rows[0]) if rows else None

    def scan(self, tree: int, start: str, stop: str | None, limit: int) -> list[ListRow]:
        return self._rows(_SCAN, (tree, start, _NO_STOP if stop is None else stop, limit))

    def scan_delimited(
        self, tree: int, prefix: str, delimiter: str, start: str, limit: int
    ) -> list[ListRow | str]:
        try:
            self._begin_read()
            try:
                return _Listing(self._connection.execute, tree, prefix, delimiter, limit).run(start)
            finally:
                self._end_read()
        except apsw.Error as error:
            raise store_fault(error, self._connection.system_errno) from error

    def _begin_read(self) -> None:
        self._run("BEGIN")

    def _end_read(self) -> None:
        self._run("COMMIT")

    def objects(self, tree: int, start: str, limit: int) -> list[ObjectRow]:
        return self._typed(
            ObjectRow,
            _OBJECTS + " WHERE tree = ? AND key >= ? ORDER BY key LIMIT ?",
            (tree, start, limit),
        )

    def version(self, tree: int, key: str, version: str) -> VersionRow | None:
        rows = self._version_rows(_VERSION, (tree, key, version))
        return rows[0] if rows else None

    def versions(self, tree: int, key: str, limit: int) -> list[VersionRow]:
        return self._version_rows(_NEWEST, (tree, key, limit))

    def scan_versions(
        self, tree: int, start: str, below: int, stop: str | None, limit: int
    ) -> list[ListedVersion]:
        found: list[Any] = []
        if stop is not None and start >= stop:
            return []
        if below:
            found = self._rows(_KEY_VERSIONS, (tree, start, below, limit))
            start += "\0"
        if len(found) < limit:
            bound = _NO_STOP if stop is None else stop
            found += self._rows(_SCAN_VERSIONS, (tree, start, bound, limit - len(found)))
        return [ListedVersion._make(row[:9]) for row in found]

    def all_versions(self, tree: int, start: str, below: int, limit: int) -> list[VersionRow]:
        found: list[VersionRow] = []
        if below:
            where = " WHERE tree = ? AND key = ? AND rank < ? ORDER BY rank DESC LIMIT ?"
            found = self._version_rows(_VERSIONS + where, (tree, start, below, limit))
            start += "\0"
        if len(found) < limit:
            where = " WHERE tree = ? AND key >= ? ORDER BY key, rank DESC LIMIT ?"
            found += self._version_rows(_VERSIONS + where, (tree, start, limit - len(found)))
        return found

    def _version_rows(self, sql: str, bindings: tuple[Any, ...]) -> list[VersionRow]:
        return [VersionRow(rank, ObjectRow._make(row)) for rank, *row in self._rows(sql, bindings)]

    def trees(self) -> list[int]:
        return [id for (id,) in self._rows("SELECT id FROM tree ORDER BY id")]

    def object_trees(self) -> list[int]:
        trees: set[int] = set()
        for table in ("object", "version"):
            rows = self._rows(
                f"WITH RECURSIVE found (tree) AS (SELECT min(tree) FROM {table} UNION ALL"
                f" SELECT (SELECT min(tree) FROM {table} WHERE tree > found.tree) FROM found"
                " WHERE found.tree IS NOT NULL) SELECT tree FROM found WHERE tree IS NOT NULL"
            )
            trees.update(tree for (tree,) in rows)
        return sorted(trees)

    def manifest(self, id: int) -> bytes | None:
        row = self._row("SELECT parts FROM manifest WHERE id = ?", (id,))
        return row[0] if row else None

    def manifests(self, start: int, limit: int) -> list[tuple[int, bytes]]:
        return self._rows(
            "SELECT id, parts FROM manifest WHERE id >= ? ORDER BY id LIMIT ?", (start, limit)
        )

    def upload(self, id: str) -> UploadRow | None:
        rows = self._typed(UploadRow, _UPLOAD + " WHERE id = ?", (id,))
        return rows[0] if rows else None

    def uploads(
        self, tree: int | None, prefix: str, key_after: str, id_after: str, limit: int
    ) -> list[UploadRow]:
        if key_after < prefix or not key_after:
            after: tuple[str, int, str] = (prefix, -1, "")
        elif not id_after:
            after = (key_after, _NEVER_US, "")
        else:
            last = self.upload(id_after)
            if last is not None and last.key == key_after:
                after = (key_after, last.created_us, id_after)
            else:
                after = (key_after, -1, "")
        stop = prefix_end(prefix)
        return self._typed(
            UploadRow,
            _UPLOAD
            + (" WHERE " if tree is None else " WHERE tree = ? AND ")
            + "(key, created_us, id) > (?, ?, ?) AND key < ?"
            " ORDER BY key, created_us, id LIMIT ?",
            (() if tree is None else (tree,)) + (*after, _NO_STOP if stop is None else stop, limit),
        )

    def part(self, upload: str, number: int) -> PartRow | None:
        rows = self._typed(PartRow, _PART + " WHERE upload = ? AND number = ?", (upload, number))
        return rows[0] if rows else None

    def parts(self, upload: str, after: int, limit: int) -> list[PartRow]:
        return self._typed(
            PartRow,
            _PART + " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            (upload, after, limit),
        )

    def parts_bytes(self, upload: str, without: int) -> int:
        row = self._row(
            "SELECT sum(size) FROM part WHERE upload = ? AND number <> ?", (upload, without)
        )
        return (row and row[0]) or 0

    def usage(self, tree: int) -> tuple[int, int]:
        return self._row("SELECT objects, bytes FROM tree WHERE id = ?", (tree,)) or (0, 0)

    def version_usage(self, tree: int) -> tuple[int, int]:
        return self._row("SELECT versions, markers FROM tree WHERE id = ?", (tree,)) or (0, 0)

    def segments(self) -> list[SegmentRow]:
        return [
            SegmentRow(id, bool(sealed), *rest)
            for id, sealed, *rest in self._rows(
                "SELECT id, sealed, size, live, created_us, seq_min FROM segment ORDER BY id"
            )
        ]

    def redo(self) -> list[tuple[int, int, int, bytes]]:
        return self._rows(
            "SELECT id, segment, offset, data FROM redo WHERE segment >= 0 ORDER BY id"
        )

    def redo_segments(self) -> tuple[int, list[int]] | None:
        rows = self._rows("SELECT segment, max(id) FROM redo WHERE segment >= 0 GROUP BY segment")
        return (max(id for _, id in rows), [segment for segment, _ in rows]) if rows else None

    def garbage(self, before_us: int, limit: int) -> list[GarbageRow]:
        return self._typed(
            GarbageRow,
            "SELECT id, tier, blob, at_us FROM garbage WHERE at_us < ? ORDER BY at_us, id LIMIT ?",
            (before_us, limit),
        )

    def references(self, tier: int, blob: int) -> int:
        row = self._row("SELECT count FROM reference WHERE tier = ? AND blob = ?", (tier, blob))
        return row[0] if row else 0

    def setting(self, name: str) -> bytes | None:
        row = self._row("SELECT value FROM setting WHERE name = ?", (name,))
        return row[0] if row else None

    def settings(self, prefix: str) -> list[tuple[str, bytes]]:
        stop = prefix_end(prefix)
        return self._rows(
            "SELECT name, value FROM setting WHERE name >= ? AND name < ? ORDER BY name",
            (prefix, _NO_STOP if stop is None else stop),
        )


class SqliteTransaction(SqliteReader, UsageWrites):
    """The rows as seen and changed inside the open transaction of the writer's connection."""

    __slots__ = ()

    def _begin_read(self) -> None:
        """The group's transaction is the snapshot."""

    def _end_read(self) -> None:
        """The group goes on."""

    def put_bucket(self, row: BucketRow) -> None:
        self._run("REPLACE INTO bucket VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def delete_bucket(self, name: str) -> None:
        self._run("DELETE FROM bucket WHERE name = ?", (name,))

    def create_tree(self, id: int | None = None) -> int:
        self._run("INSERT INTO tree (id, objects, bytes) VALUES (?, 0, 0)", (id,))
        return self._connection.last_insert_rowid()

    def delete_tree(self, tree: int) -> None:
        self._run("DELETE FROM tree WHERE id = ?", (tree,))
        self.delete_usage(tree)

    def put_object(self, row: ObjectRow) -> None:
        self._run("REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def delete_object(self, tree: int, key: str) -> None:
        self._run("DELETE FROM object WHERE tree = ? AND key = ?", (tree, key))

    def put_version(self, row: VersionRow) -> None:
        self._run(
            "REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (row[0], *row[1])
        )

    def delete_version(self, tree: int, key: str, rank: int) -> None:
        self._run("DELETE FROM version WHERE tree = ? AND key = ? AND rank = ?", (tree, key, rank))

    def replace_blob(self, tree: int, key: str, old: bytes, new: bytes) -> bool:
        for table in ("object", "version"):
            self._run(
                f"UPDATE {table} SET blob = ? WHERE tree = ? AND key = ? AND blob = ?",
                (new, tree, key, old),
            )
            if self._connection.changes():
                return True
        return False

    def put_manifest(self, parts: bytes) -> int:
        self._run("INSERT INTO manifest (parts) VALUES (?)", (parts,))
        return self._connection.last_insert_rowid()

    def delete_manifest(self, id: int) -> None:
        self._run("DELETE FROM manifest WHERE id = ?", (id,))

    def put_upload(self, row: UploadRow) -> None:
        self._run("REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def delete_upload(self, id: str) -> None:
        self._run("DELETE FROM upload WHERE id = ?", (id,))
        self._run("DELETE FROM part WHERE upload = ?", (id,))

    def put_part(self, row: PartRow) -> None:
        self._run("REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def add_usage(
        self, tree: int, objects: int, size: int, versions: int = 0, markers: int = 0
    ) -> None:
        self._run(
            "UPDATE tree SET objects = objects + ?, bytes = bytes + ?,"
            " versions = versions + ?, markers = markers + ? WHERE id = ?",
            (objects, size, versions, markers, tree),
        )

    def put_segment(self, row: SegmentRow) -> None:
        self._run("REPLACE INTO segment VALUES (?, ?, ?, ?, ?, ?)", row)

    def create_segment(self, created_us: int) -> int:
        self._run(
            "INSERT INTO segment (sealed, size, live, created_us, seq_min) VALUES (0, 0, 0, ?, ?)",
            (created_us, EMPTY_SEQ_MIN),
        )
        return self._connection.last_insert_rowid()

    def add_segment(self, id: int, size: int, live: int, seq_min: int | None = None) -> None:
        self._run(
            "UPDATE segment SET size = max(size, ?), live = live + ?, seq_min = min(seq_min, ?)"
            " WHERE id = ?",
            (size, live, EMPTY_SEQ_MIN if seq_min is None else seq_min, id),
        )

    def seal_segment(self, id: int) -> None:
        self._run("UPDATE segment SET sealed = 1 WHERE id = ?", (id,))

    def delete_segment(self, id: int) -> None:
        self._run("DELETE FROM segment WHERE id = ?", (id,))

    def put_redo(self, segment: int, offset: int, data: bytes) -> None:
        self._run(
            "INSERT INTO redo (segment, offset, data) VALUES (?, ?, ?)", (segment, offset, data)
        )

    def delete_redo(self, upto: int) -> None:
        # The newest row stays, emptied: it keeps ids from being given out twice.
        self._run("DELETE FROM redo WHERE id <= ? AND id < (SELECT max(id) FROM redo)", (upto,))
        self._run("UPDATE redo SET segment = -1, offset = 0, data = x'' WHERE id <= ?", (upto,))

    def add_garbage(self, tier: int, blob: int, at_us: int) -> None:
        self._run("INSERT INTO garbage (tier, blob, at_us) VALUES (?, ?, ?)", (tier, blob, at_us))

    def delete_garbage(self, ids: Sequence[int]) -> None:
        self._connection.executemany("DELETE FROM garbage WHERE id = ?", ((id,) for id in ids))

    def add_reference(self, tier: int, blob: int, count: int) -> int:
        total = self.references(tier, blob) + count
        assert total >= 0, "more owners left than there were"
        if total:
            self._run("REPLACE INTO reference VALUES (?, ?, ?)", (tier, blob, total))
        else:
            self._run("DELETE FROM reference WHERE tier = ? AND blob = ?", (tier, blob))
        return total

    def put_setting(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._run("DELETE FROM setting WHERE name = ?", (name,))
        else:
            self._run("REPLACE INTO setting VALUES (?, ?)", (name, value))


class _Listing:
    """One page of a delimited listing: alternates between reading rows and seeking past common
    prefixes, whichever is cheaper for the keys at hand."""

    __slots__ = ("_bound", "_delimiter", "_execute", "_limit", "_prefix", "_tree", "entries")

    def __init__(
        self, execute: Callable[..., Any], tree: int, prefix: str, delimiter: str, limit: int
    ) -> None:
        self._execute = execute
        self._tree = tree
        self._prefix = prefix
        self._delimiter = delimiter
        self._limit = limit
        stop = prefix_end(prefix)
        self._bound = _NO_STOP if stop is None else stop
        self.entries: list[ListRow | str] = []

    def run(self, start: str) -> list[ListRow | str]:
        at: str | None = max(self._prefix, start)
        can_skip = prefix_end(self._delimiter) is not None
        while at is not None and len(self.entries) < self._limit:
            at = self._read(at)
            if at is not None and can_skip and len(self.entries) < self._limit:
                at = self._skip(at)
        return self.entries

    def _read(self, at: str) -> str | None:
        """Go row by row; return where to seek to, or None when the page is complete."""
        entries, limit, delimiter = self.entries, self._limit, self._delimiter
        find_from, length = len(self._prefix), len(delimiter)
        common, below = "", 0
        for row in self._execute(_SCAN, (self._tree, at, self._bound, -1)):
            key: str = row[0]
            if common and key.startswith(common):
                below += 1
                if below == _SCAN_ROWS:
                    return prefix_end(common)
                continue
            if len(entries) == limit:
                return None
            cut = key.find(delimiter, find_from)
            if cut < 0:
                entries.append(row)
            else:
                common, below = key[: cut + length], 0
                entries.append(common)
        return None

    def _skip(self, at: str) -> str | None:
        """Go entry by entry; return where to read on, or None when the page is complete."""
        entries, limit, delimiter = self.entries, self._limit, self._delimiter
        find_from, length, tree = len(self._prefix), len(delimiter), self._tree
        skip = (len(self._prefix.encode()) + 1, delimiter.encode(), prefix_end(delimiter))
        plain = 0
        for (key,) in self._execute(_SKIP, (tree, at, self._bound, *skip)):
            cut = key.find(delimiter, find_from)
            if cut >= 0:
                entries.append(key[: cut + length])
                plain = 0
            elif plain == _PLAIN_ROWS:
                return str(key)
            else:
                plain += 1
                entries.extend(self._execute(_LISTED, (tree, key)))
            if len(entries) == limit:
                return None
        return None
