"""What every write that makes an object has in common: its place among the versions of the key.

A publication first looks (`find_place`: conditions, the bucket's versioning, its seq), which may
refuse it, and then writes (`publish`).
"""

from neve.catalog.catalog import ObjectRow, Transaction
from neve.clock import now_us
from neve.engine.commit import Batch, Command
from neve.engine.conditions import Conditions, check_conditions
from neve.engine.versions import Place, agreed, place_for, put_newest

LATE_US = 100_000
"""A write that took longer to its transaction (a disk that stalls) gets a new seq there: a deletion
that has gone before it must not outrank it in a rebuild. Less than `delete.IN_FLIGHT_US`."""


class Publication(Command):
    """Makes an object the newest version of its key. The record that tells it comes first."""

    __slots__ = (
        "bucket",
        "conditions",
        "current",
        "key",
        "owner",
        "place",
        "seq",
        "tree",
        "version",
    )
    bucket: str
    tree: int
    key: str
    version: str
    """The id it is to have; empty for the null version."""
    owner: str
    conditions: Conditions
    seq: int
    current: ObjectRow | None
    """What the key shows before."""
    place: Place | None
    """None in a bucket that was never versioned."""

    def find_place(self, txn: Transaction, batch: Batch, size: int) -> int:
        """Look whether an object of `size` bytes may be written, and return its seq.

        Raises: NoSuchBucket, VersioningChanged, PreconditionFailed, NoSuchKey, QuotaExceeded.
        """
        options = batch.bucket(txn, self.bucket, self.tree).options
        versioned = options or self.version
        versioning = agreed(options, self.key, self.version) if versioned else None
        current = self.current = txn.object(self.tree, self.key)
        check_conditions(self.conditions, current)
        seq = self.seq
        if versioning is None:
            self.place, gone = None, current
            least = 0 if current is None else current.seq + 1
        else:
            self.place = place_for(txn, self.tree, self.key, self.version, current)
            gone, least = self.place.gone, self.place.seq
        if batch.guard is not None:
            batch.guard.admit(txn, self.tree, self.key, self.owner, gone, size)
        now = now_us()
        if seq < now - LATE_US:
            least = max(least, now)
        if least <= seq:
            return seq
        batch.amend(self, 0, self.records[0].kind, least)
        return least

    def publish(self, txn: Transaction, batch: Batch, row: ObjectRow) -> ObjectRow:
        """Write the object; it owns its blob already."""
        if self.place is None:
            txn.put_object(row)
            batch.replaced(txn, self.current, row)
        else:
            put_newest(txn, batch, self.place, row)
        return row
