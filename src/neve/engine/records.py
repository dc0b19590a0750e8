"""Heads of segment records: what a lost catalog is rebuilt from. All msgpack arrays.

kind          head
VOID          anything; the write was refused and never happened
OBJECT        [tree, key, etag, mtime_us, meta, checksum]; the data is the object
OBJECT_AT     the same + [size, packed blob, manifest or nil]; the data is elsewhere
DELETE        [tree, key]
BUCKET        the fields of a BucketRow
BUCKET_GONE   [name, tree]
MARKER        [tree, key, version, owner, mtime_us]: a delete marker; its rank unless that is 0
SETTING       [name, value or nil]; nil: it is gone

Versions: OBJECT and OBJECT_AT end with [version, owner, rank] unless all three are empty. Rank is
0 but for a version that is not the newest, told anew or come late from another store: its place
among the versions, which else is the seq of the record. DELETE ends with the version that is gone
for ever; it may have the head of a MARKER, of which only that counts.

A record counts from the commit of its batch; of several records for one version of one key the
highest seq holds.
"""

from typing import Any, NamedTuple

import msgspec

from neve.catalog.catalog import BucketRow

VOID, OBJECT, OBJECT_AT, DELETE, BUCKET, BUCKET_GONE, MARKER = range(7)
SETTING = 16

OF_VERSIONS = (OBJECT, OBJECT_AT, DELETE, MARKER)
"""Kinds of records that are about a version of a key."""

_VERSION_AT = {OBJECT: 6, OBJECT_AT: 9, DELETE: 2, MARKER: 2}

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


def object_head(
    tree: int,
    key: str,
    etag: str,
    mtime_us: int,
    meta: bytes,
    checksum: str | None,
    version: str = "",
    owner: str = "",
    rank: int = 0,
) -> bytes:
    """Head of an OBJECT record."""
    fields = (tree, key, etag, mtime_us, meta, checksum)
    if version or owner or rank:
        return encode((*fields, version, owner, rank))
    return encode(fields)


def object_at_head(
    tree: int,
    key: str,
    etag: str,
    mtime_us: int,
    meta: bytes,
    checksum: str | None,
    size: int,
    blob: bytes,
    manifest: bytes | None,
    version: str = "",
    owner: str = "",
    rank: int = 0,
) -> bytes:
    """Head of an OBJECT_AT record."""
    fields = (tree, key, etag, mtime_us, meta, checksum, size, blob, manifest)
    if version or owner or rank:
        return encode((*fields, version, owner, rank))
    return encode(fields)


def delete_head(tree: int, key: str, version: str) -> bytes:
    """Head of a DELETE record."""
    return encode((tree, key, version) if version else (tree, key))


def marker_head(
    tree: int, key: str, version: str, owner: str, mtime_us: int, rank: int = 0
) -> bytes:
    """Head of a MARKER record."""
    fields = (tree, key, version, owner, mtime_us)
    return encode((*fields, rank) if rank else fields)


class Told(NamedTuple):
    """Which version of which key a record is about."""

    version: str
    owner: str
    rank: int
    """0: the seq of the record."""


def told_version(kind: int, fields: list[Any]) -> Told:
    """The version in the fields of an OBJECT, OBJECT_AT, DELETE or MARKER record."""
    rest = fields[_VERSION_AT[kind] :]
    if not rest:
        return _NULL
    if kind in (DELETE, MARKER):
        rank = rest[3] if kind == MARKER and len(rest) > 3 else 0
        return Told(rest[0], rest[1] if len(rest) > 1 else "", rank)
    return Told(*rest[:3])


def bucket_head(row: BucketRow) -> bytes:
    """Head of a BUCKET record."""
    return encode(tuple(row))


def parse_head(head: bytes) -> list[Any]:
    """The fields of any head. Raises: msgspec.DecodeError."""
    fields: list[Any] = decode(head)
    return fields


_NULL = Told("", "", 0)
