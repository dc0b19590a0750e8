"""Heads of segment records: what a lost catalog is rebuilt from. All msgpack arrays.

kind          head
VOID          anything; the write was refused and never happened
OBJECT        [tree, key, etag, mtime_us, meta, checksum]; the data is the object
OBJECT_AT     the same + [size, packed blob, manifest or nil]; the data is elsewhere
DELETE        [tree, key]
BUCKET        the fields of a BucketRow
BUCKET_GONE   [name, tree]
SETTING       [name, value or nil]; nil: it is gone

A record counts from the commit of its batch; of several records for one key the highest seq holds.
"""

from typing import Any

import msgspec

from neve.catalog.catalog import BucketRow

VOID, OBJECT, OBJECT_AT, DELETE, BUCKET, BUCKET_GONE = range(6)
SETTING = 16

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


def object_head(
    tree: int, key: str, etag: str, mtime_us: int, meta: bytes, checksum: str | None
) -> bytes:
    """Head of an OBJECT record."""
    return encode((tree, key, etag, mtime_us, meta, checksum))


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
) -> bytes:
    """Head of an OBJECT_AT record."""
    return encode((tree, key, etag, mtime_us, meta, checksum, size, blob, manifest))


def bucket_head(row: BucketRow) -> bytes:
    """Head of a BUCKET record."""
    return encode(tuple(row))


def parse_head(head: bytes) -> list[Any]:
    """The fields of any head. Raises: msgspec.DecodeError."""
    fields: list[Any] = decode(head)
    return fields
