"""Buckets: creating, deleting and telling them things. Every change holds at once everywhere."""

from collections.abc import Callable

from neve.blobs.blobs import Record, unpack_blob
from neve.catalog.catalog import BucketRow, Transaction
from neve.clock import now_us
from neve.engine import quota, records
from neve.engine.commit import UNTOLD, Batch, Command, release_shared
from neve.engine.manifests import decode_pieces
from neve.errors import (
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    NoSuchBucket,
)


class CreateBucket(Command):
    """Make a bucket with an empty root tree."""

    __slots__ = ("name", "options", "owner", "region")

    def __init__(self, name: str, owner: str, region: str, options: bytes = b"") -> None:
        self.name = name
        self.owner = owner
        self.region = region
        self.options = options
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> BucketRow:
        there = txn.bucket(self.name)
        if there is not None:
            if there.owner == self.owner:
                raise BucketAlreadyOwnedByYou(BucketName=self.name)
            raise BucketAlreadyExists(BucketName=self.name)
        options = quota.with_default(self.options, txn.setting(quota.DEFAULT))
        tree = txn.create_tree()
        row = BucketRow(self.name, tree, self.owner, batch.now, self.region, None, options)
        txn.put_bucket(row)
        batch.change_bucket(txn, self.name, row)
        return row


class ChangeBucket(Command):
    """Replace fields of a bucket's row by what `change` makes of it."""

    __slots__ = ("change", "name")

    def __init__(self, name: str, change: Callable[[BucketRow], BucketRow]) -> None:
        self.name = name
        self.change = change
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> BucketRow:
        there = txn.bucket(self.name)
        if there is None:
            raise NoSuchBucket(BucketName=self.name)
        row = self.change(there)
        txn.put_bucket(row)
        batch.change_bucket(txn, self.name, row)
        return row


class DeleteBucket(Command):
    """Remove an empty bucket; uploads in progress go with it, as on AWS."""

    __slots__ = ("name",)
    frees = True

    def __init__(self, name: str, tree: int) -> None:
        self.name = name
        head = records.encode((name, tree))
        self.records = [Record(records.BUCKET_GONE, now_us(), head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> None:
        there = txn.bucket(self.name)
        if there is None:
            raise NoSuchBucket(BucketName=self.name)
        if txn.scan(there.tree, "", None, 1) or txn.all_versions(there.tree, "", 0, 1):
            raise BucketNotEmpty(BucketName=self.name)
        while uploads := txn.uploads(there.tree, "", "", "", 1000):
            for upload in uploads:
                delete_upload(txn, batch, upload.id)
        batch.forget(txn, there.tree)
        txn.delete_bucket(self.name)
        txn.delete_tree(there.tree)
        batch.change_bucket(txn, self.name, None)
        # Newer than every record of the bucket: none is told any more from here on.
        batch.amend(self, 0, records.BUCKET_GONE, now_us())


class TellBucket(Command):
    """Append the record of a bucket as it now is, for a later rebuild; changes nothing.

    If it has changed meanwhile, whoever changed it tells it.
    """

    __slots__ = ("row",)

    def __init__(self, row: BucketRow) -> None:
        self.row = row
        self.records = [bucket_record(row)]

    def apply(self, txn: Transaction, batch: Batch) -> None:
        if txn.bucket(self.row.name) == self.row:
            txn.put_setting(UNTOLD + self.row.name, None)
        else:
            batch.amend(self, 0, records.VOID, 0)


def bucket_record(row: BucketRow) -> Record:
    """The record that tells a bucket."""
    return Record(records.BUCKET, now_us(), records.bucket_head(row), b"", 0)


def delete_upload(txn: Transaction, batch: Batch, upload: str) -> None:
    """Remove an upload; the bytes of its parts become garbage."""
    after = 0
    while parts := txn.parts(upload, after, 1000):
        for part in parts:
            for piece in decode_pieces(part.pieces):
                blob = unpack_blob(piece.blob)
                release_shared(txn, blob.tier, blob.id, batch.now)
        after = parts[-1].number
    txn.delete_upload(upload)
