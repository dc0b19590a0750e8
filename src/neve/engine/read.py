"""Reading objects: from a catalog row to bytes in hand or to open ranges of files.

Nothing here waits for the disk: bytes that are cached and few come as `bytes`, all others as spans
that the HTTP front sends. A reader is never disturbed: blobs are immutable, open descriptors keep
deleted files, and a lease keeps the files that a long answer has still to open.
"""

import os
from collections.abc import Callable

from neve.blobs.blobs import FILE, MANIFEST, SEGMENT, Blob, BlobStore, unpack_blob
from neve.catalog.catalog import ObjectRow, Reader
from neve.clock import now_us
from neve.engine.manifests import Manifest, ManifestCache, Piece, decode_manifest, pieces_between
from neve.errors import BlobCorrupt, BlobMissing
from neve.spans import LazySpan, Span, Spans

INLINE_BYTES_MAX = 128 << 10
"""Up to here a copy in memory costs less than sendfile."""


Body = bytes | Spans


class Leases:
    """Long reads in progress, so that reclaim leaves alone what they have not opened yet."""

    def __init__(self, publish: Callable[[int], None]) -> None:
        self._publish = publish
        self._active: dict[int, int] = {}
        self._next = 0

    def take(self) -> "Lease":
        self._next += 1
        self._active[self._next] = now_us()
        self._publish(min(self._active.values()))
        return Lease(self, self._next)

    def drop(self, number: int) -> None:
        self._active.pop(number, None)
        self._publish(min(self._active.values(), default=0))


class Lease:
    """Ends when told, or when the last span that needs it is gone, sent or not."""

    __slots__ = ("_leases", "_number")

    def __init__(self, leases: Leases, number: int) -> None:
        self._leases = leases
        self._number = number

    def end(self) -> None:
        self._leases.drop(self._number)

    def __del__(self) -> None:
        self.end()


def read_span(span: Span) -> bytes:
    """All bytes of a span, which is released. Waits for the disk. Raises: BlobCorrupt."""
    try:
        data = os.pread(span.fd, span.length, span.offset)
    finally:
        span.release()
    if len(data) != span.length:
        raise BlobCorrupt(f"{len(data)} bytes where {span.length} should be")
    return data


class ObjectReader:
    """Opens objects of one process; for the event loop's thread."""

    def __init__(self, store: BlobStore, leases: Leases) -> None:
        self._store = store
        self._leases = leases
        self._manifests = ManifestCache()

    def read(self, reader: Reader, row: ObjectRow, start: int, stop: int) -> Body:
        """Bytes [start, stop) of the object. Raises: BlobMissing."""
        if start >= stop:
            return b""
        blob = unpack_blob(row.blob)
        if blob.tier == SEGMENT:
            if stop - start <= INLINE_BYTES_MAX:
                data = self._store.read(blob, start, stop)
                if data is not None:
                    return data
            return [self._store.span(blob, start, stop)]
        if blob.tier == FILE:
            return [self._store.span(blob, start, stop)]
        manifest = self.manifest(reader, blob.id)
        pieces = [piece for part in manifest.parts for piece in part.pieces]
        pieces = pieces_between(pieces, start, stop)
        if len(pieces) == 1:
            return [self._open(pieces[0])]
        lease = self._leases.take()
        return [self._lazy(piece, lease) for piece in pieces]

    def manifest(self, reader: Reader, id: int) -> Manifest:
        """The decoded manifest. Raises: BlobMissing."""
        manifest = self._manifests.get(id)
        if manifest is None:
            stored = reader.manifest(id)
            if stored is None:
                raise BlobMissing(f"manifest {id} is not in the catalog")
            manifest = decode_manifest(stored)
            self._manifests.put(id, manifest)
        return manifest

    def pieces(self, reader: Reader, row: ObjectRow, start: int, stop: int) -> list[Piece]:
        """The blobs that bytes [start, stop) of an object lie in."""
        if start >= stop:
            return []
        blob = unpack_blob(row.blob)
        if blob.tier != MANIFEST:
            return [Piece(row.blob, start, stop - start)]
        manifest = self.manifest(reader, blob.id)
        return pieces_between([p for part in manifest.parts for p in part.pieces], start, stop)

    def _open(self, piece: Piece) -> Span:
        blob: Blob = unpack_blob(piece.blob)
        return self._store.span(blob, piece.start, piece.start + piece.length)

    def _lazy(self, piece: Piece, lease: Lease) -> LazySpan:
        def open_now(_lease: Lease = lease) -> Span:  # the default keeps the lease alive
            return self._open(piece)

        return LazySpan(piece.length, open_now)
