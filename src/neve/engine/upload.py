"""Multipart uploads: parts are files of their own, completing writes one row and moves no byte.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import hashlib
from typing import NamedTuple

from neve.blobs.blobs import MANIFEST, Blob, Record, unpack_blob
from neve.catalog.catalog import ObjectRow, PartRow, Reader, Transaction, UploadRow
from neve.clock import now_us
from neve.engine import records
from neve.engine.buckets import delete_upload
from neve.engine.commit import Batch, Command, release_shared
from neve.engine.conditions import Conditions
from neve.engine.manifests import (
    Manifest,
    Part,
    Piece,
    decode_manifest,
    decode_pieces,
    encode_manifest,
)
from neve.engine.publish import Publication
from neve.engine.versions import find_version
from neve.errors import (
    ConditionalConflict,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    NoSuchUpload,
)

PART_BYTES_MIN = 5 << 20


class WantedPart(NamedTuple):
    """A part as the completion names it."""

    number: int
    etag: str
    checksum: str | None
    """base64 as the client sent it, or None when it did not."""


class CreateUpload(Command):
    """Open an upload."""

    __slots__ = ("bucket", "row")

    def __init__(self, bucket: str, row: UploadRow) -> None:
        self.bucket = bucket
        self.row = row
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> UploadRow:
        batch.bucket(txn, self.bucket, self.row.tree)
        txn.put_upload(self.row)
        return self.row


class PutPart(Command):
    """Add a part to an upload, in the place of an earlier one with its number."""

    __slots__ = ("key", "part", "shared", "tree")

    def __init__(self, tree: int, key: str, part: PartRow, shared: bool) -> None:
        self.tree = tree
        self.key = key
        self.part = part
        self.shared = shared
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> PartRow:
        find_upload(txn, self.tree, self.key, self.part.upload)
        old = txn.part(self.part.upload, self.part.number)
        if self.shared:
            for piece in decode_pieces(self.part.pieces):
                blob = unpack_blob(piece.blob)
                txn.add_reference(blob.tier, blob.id, 1)
        txn.put_part(self.part)
        if old is not None:
            release_pieces(txn, decode_pieces(old.pieces), batch.now)
        return self.part


class PutSharedPart(PutPart):
    """Add a part that is a range of an object, as long as that object still has those bytes."""

    __slots__ = ("source",)

    def __init__(self, tree: int, key: str, part: PartRow, source: ObjectRow) -> None:
        super().__init__(tree, key, part, True)
        self.source = source

    def apply(self, txn: Transaction, batch: Batch) -> PartRow:
        found = find_version(txn, self.source.tree, self.source.key, self.source.version)
        if found is None or found.row.blob != self.source.blob:
            raise ConditionalConflict()
        return super().apply(txn, batch)


class AbortUpload(Command):
    """Forget an upload and its parts."""

    __slots__ = ("key", "tree", "upload")
    frees = True

    def __init__(self, tree: int, key: str, upload: str) -> None:
        self.tree = tree
        self.key = key
        self.upload = upload
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> None:
        find_upload(txn, self.tree, self.key, self.upload)
        delete_upload(txn, batch, self.upload)


class CompleteUpload(Publication):
    """Publish the parts as one object."""

    __slots__ = ("manifest", "row", "unused", "upload", "used")

    def __init__(
        self,
        bucket: str,
        upload: UploadRow,
        parts: list[PartRow],
        unused: list[PartRow],
        etag: str,
        checksum: str | None,
        conditions: Conditions,
        version: str = "",
        owner: str = "",
    ) -> None:
        self.bucket = bucket
        self.tree = upload.tree
        self.key = upload.key
        self.upload = upload
        self.used = parts
        self.unused = unused
        self.conditions = conditions
        self.version = version
        self.owner = owner
        self.manifest = encode_manifest(
            Manifest(
                upload.id,
                [
                    Part(p.number, p.size, p.etag, p.checksum, decode_pieces(p.pieces))
                    for p in parts
                ],
            )
        )
        self.seq = now = now_us()
        size = sum(part.size for part in parts)
        meta = upload.meta
        self.row = ObjectRow(
            self.tree, self.key, now, size, etag, now, meta, checksum, b"", version, owner
        )
        about = (self.tree, self.key, etag, now, meta, checksum)
        head = records.object_at_head(*about, size, b"", self.manifest, version, owner)
        self.records = [Record(records.OBJECT_AT, now, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> ObjectRow:
        batch.bucket(txn, self.bucket, self.tree)
        find_upload(txn, self.tree, self.key, self.upload.id)
        if all_parts(txn, self.upload.id) != sorted(self.used + self.unused, key=_number):
            raise ConditionalConflict()
        seq = self.find_place(txn, batch, self.row.size)
        id = txn.put_manifest(self.manifest)
        blob = Blob(MANIFEST, id, 0, self.row.size, 0).pack()
        for part in self.unused:
            release_pieces(txn, decode_pieces(part.pieces), batch.now)
        txn.delete_upload(self.upload.id)
        return self.publish(txn, batch, self.row._replace(seq=seq, blob=blob))


def _number(part: PartRow) -> int:
    return part.number


def find_upload(reader: Reader, tree: int, key: str, id: str) -> UploadRow:
    """The upload, which must be one to this key. Raises: NoSuchUpload."""
    row = reader.upload(id)
    if row is None or row.tree != tree or row.key != key:
        raise NoSuchUpload(UploadId=id)
    return row


def all_parts(reader: Reader, upload: str) -> list[PartRow]:
    """Every part of an upload, in order (10,000 at most)."""
    return reader.parts(upload, 0, 10_001)


def choose_parts(
    there: list[PartRow], wanted: list[WantedPart], upload: str, part_bytes_min: int
) -> tuple[list[PartRow], list[PartRow]]:
    """(parts that become the object, parts that do not).

    Raises: InvalidPartOrder, InvalidPart, EntityTooSmall.
    """
    by_number = {part.number: part for part in there}
    used: list[PartRow] = []
    previous = 0
    for want in wanted:
        if want.number <= previous:
            raise InvalidPartOrder(UploadId=upload)
        previous = want.number
        part = by_number.pop(want.number, None)
        if part is None or part.etag != want.etag or not _same_checksum(part, want):
            raise InvalidPart(UploadId=upload, PartNumber=want.number, ETag=want.etag)
        used.append(part)
    for part in used[:-1]:
        if part.size < part_bytes_min:
            raise EntityTooSmall(
                ETag=part.etag,
                MinSizeAllowed=part_bytes_min,
                PartNumber=part.number,
                ProposedSize=part.size,
            )
    return used, list(by_number.values())


def _same_checksum(part: PartRow, want: WantedPart) -> bool:
    if want.checksum is None or part.checksum is None:
        return True
    return part.checksum.split(";", 1)[1] == want.checksum


def multipart_etag(parts: list[PartRow]) -> str:
    """MD5 of the parts' MD5s, and their number."""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def completed_before(reader: Reader, row: ObjectRow | None, upload: str, etag: str) -> bool:
    """Whether `row` is what completing `upload` with these parts has already made."""
    if row is None or not row.blob or row.etag != etag:
        return False
    blob = unpack_blob(row.blob)
    if blob.tier != MANIFEST:
        return False
    stored = reader.manifest(blob.id)
    return stored is not None and decode_manifest(stored).upload == upload


def release_pieces(txn: Transaction, pieces: list[Piece], now: int) -> None:
    """Take one owner off each blob of the pieces."""
    for piece in pieces:
        blob = unpack_blob(piece.blob)
        release_shared(txn, blob.tier, blob.id, now)
