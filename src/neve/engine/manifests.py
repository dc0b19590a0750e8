"""Manifests: the parts of a multipart object, kept as one immutable row of the catalog."""

from collections import OrderedDict
from typing import NamedTuple

from neve.blobs.blobs import Blob, unpack_blob
from neve.engine.records import decode, encode

CACHED_PARTS_MAX = 50_000


class Piece(NamedTuple):
    """A range of a blob: `length` bytes from `start`."""

    blob: bytes
    start: int
    length: int


class Part(NamedTuple):
    """A part as it went into the object."""

    number: int
    size: int
    etag: str
    checksum: str | None
    pieces: list[Piece]


class Manifest(NamedTuple):
    """All parts in order, and the upload they came from."""

    upload: str
    parts: list[Part]


def encode_pieces(pieces: list[Piece]) -> bytes:
    return encode([tuple(piece) for piece in pieces])


def decode_pieces(data: bytes) -> list[Piece]:
    return [Piece._make(fields) for fields in decode(data)]


def encode_manifest(manifest: Manifest) -> bytes:
    """[upload, [[number, size, etag, checksum, [[blob, start, length], …]], …]] in msgpack."""
    return encode(manifest)


def decode_manifest(data: bytes) -> Manifest:
    upload, parts = decode(data)
    return Manifest(
        upload,
        [
            Part(number, size, etag, checksum, [Piece._make(piece) for piece in pieces])
            for number, size, etag, checksum, pieces in parts
        ],
    )


def blobs_of(manifest: Manifest) -> list[Blob]:
    """Every blob the manifest owns, one entry for each piece."""
    return [unpack_blob(piece.blob) for part in manifest.parts for piece in part.pieces]


def pieces_between(pieces: list[Piece], start: int, stop: int) -> list[Piece]:
    """The pieces that make up bytes [start, stop) of the pieces laid end to end."""
    found = []
    at = 0
    for piece in pieces:
        if at >= stop:
            break
        low, high = max(start - at, 0), min(stop - at, piece.length)
        if low < high:
            found.append(Piece(piece.blob, piece.start + low, high - low))
        at += piece.length
    return found


class ManifestCache:
    """Decoded manifests by id, bounded by their total number of parts."""

    def __init__(self) -> None:
        self._manifests: OrderedDict[int, Manifest] = OrderedDict()
        self._parts = 0

    def get(self, id: int) -> Manifest | None:
        manifest = self._manifests.get(id)
        if manifest is not None:
            self._manifests.move_to_end(id)
        return manifest

    def put(self, id: int, manifest: Manifest) -> None:
        if id in self._manifests:
            return
        self._manifests[id] = manifest
        self._parts += len(manifest.parts)
        while self._parts > CACHED_PARTS_MAX and len(self._manifests) > 1:
            _, dropped = self._manifests.popitem(last=False)
            self._parts -= len(dropped.parts)
