"""Counting: what a bucket is told about quotas and counted prefixes, and counters that are checked.

A prefix that is counted from now on is counted in slices, each in a transaction of its own, while
writes go on; the counter is exact for the keys that were reached at every moment, and after a crash
the steward goes on where it stood. A quota of the prefix holds once all of it was reached.
"""

from collections.abc import Iterator

from neve.blobs.blobs import BlobStore
from neve.catalog.catalog import BucketRow, Catalog, ObjectRow, PrefixRow, Reader, Transaction
from neve.engine import quota
from neve.engine.buckets import ChangeBucket
from neve.engine.commit import Batch, Command
from neve.engine.quota import BucketQuota, Used
from neve.engine.versions import walk
from neve.errors import NoSuchBucket

WALK_ROWS = 5000


class SetQuota(ChangeBucket):
    """Give a bucket a quota, and its counted prefixes their counters."""

    __slots__ = ("limits",)

    def __init__(self, name: str, limits: BucketQuota | None) -> None:
        self.limits = limits

        def change(row: BucketRow) -> BucketRow:
            return row._replace(options=quota.with_quota(row.options, limits))

        super().__init__(name, change)

    def apply(self, txn: Transaction, batch: Batch) -> BucketRow:
        there = txn.bucket(self.name)
        if there is None:
            raise NoSuchBucket(BucketName=self.name)
        wanted = self.limits.prefixes if self.limits is not None else {}
        counted = {row.prefix for row in txn.prefixes(there.tree)}
        for prefix in counted - set(wanted):
            txn.delete_prefix(there.tree, prefix)
        for prefix in set(wanted) - counted:
            # Of the keys below the prefix itself none lies under it.
            txn.put_prefix(PrefixRow(there.tree, prefix, prefix, 0, 0))
        return super().apply(txn, batch)


class CountPrefixes(Command):
    """Count the next slice of a bucket's prefixes; the result is whether there is more."""

    __slots__ = ("name", "tree")
    frees = True

    def __init__(self, name: str, tree: int) -> None:
        self.name = name
        self.tree = tree
        self.records = []

    def apply(self, txn: Transaction, batch: Batch) -> bool:
        batch.bucket(txn, self.name, self.tree)
        return batch.guard is not None and batch.guard.count_on(txn, self.tree)


def count_on(catalog: Catalog, store: BlobStore) -> int:
    """Go on with what a crash has left half counted; the number of slices. For the steward."""
    reader = catalog.reader()
    names = {row.tree: row.name for row in reader.buckets()}
    slices = 0
    for tree in reader.uncounted_trees():
        more = True
        while more and tree in names:
            batch = Batch(store)
            command = CountPrefixes(names[tree], tree)
            command.batch = batch
            # The bucket may have been deleted meanwhile: then nothing is left to count.
            more = catalog.transact([command.run, batch.finish])[0] is True
            slices += 1
        catalog.sync()
    return slices


def check_counters(reader: Reader, tree: int) -> Iterator[str]:
    """A sentence for each counter by owner or prefix that differs from a walk over all of the tree.

    Call it inside one snapshot or transaction.
    """
    owned: dict[str, Used] = {}
    prefixes = reader.prefixes(tree)
    under = [Used(0, 0)] * len(prefixes)
    for row in walk(reader, tree, WALK_ROWS):
        if not row.etag:
            continue
        if row.owner:
            owned[row.owner] = _more(owned.get(row.owner, Used(0, 0)), row)
        for index, prefix in enumerate(prefixes):
            reached = prefix.upto is None or row.key < prefix.upto
            if reached and row.key.startswith(prefix.prefix):
                under[index] = _more(under[index], row)
    noted = {other: Used(objects, size) for other, objects, size in reader.owners(tree)}
    for other in sorted(owned.keys() | noted.keys()):
        nothing = Used(0, 0)
        yield from _differs(f"owner {other}", owned.get(other, nothing), noted.get(other, nothing))
    for prefix, counted in zip(prefixes, under, strict=True):
        yield from _differs(f"prefix {prefix.prefix}", counted, Used(prefix.objects, prefix.bytes))


def _more(used: Used, row: ObjectRow) -> Used:
    return Used(used.objects + 1, used.bytes + row.size)


def _differs(what: str, counted: Used, noted: Used) -> Iterator[str]:
    if counted != noted:
        yield (
            f"{what}: counted {counted.objects} objects, {counted.bytes} bytes;"
            f" noted {noted.objects}, {noted.bytes}"
        )


def stored(reader: Reader) -> tuple[int, int]:
    """Return (current objects, bytes of all versions) of the store."""
    sums = [reader.usage(row.tree) for row in reader.buckets()]
    return sum(objects for objects, _ in sums), sum(size for _, size in sums)
