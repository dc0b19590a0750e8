"""Deleting objects: one key, or many in one transaction."""

from neve.blobs.blobs import Record
from neve.catalog.catalog import Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.engine.conditions import Conditions, check_conditions
from neve.errors import DomainError


class DeleteObject(Command):
    """Remove the object at a key; an absent one is fine."""

    __slots__ = ("bucket", "conditions", "key", "seq", "tree")
    frees = True

    def __init__(self, bucket: str, tree: int, key: str, conditions: Conditions) -> None:
        self.bucket = bucket
        self.tree = tree
        self.key = key
        self.conditions = conditions
        self.seq = now_us()
        head = records.encode((tree, key))
        self.records = [Record(records.DELETE, self.seq, head, b"", 0)]

    def apply(self, txn: Transaction, batch: Batch) -> bool:
        batch.bucket(txn, self.bucket, self.tree)
        return delete_one(txn, batch, self, 0, self.key, self.conditions)


def delete_one(
    txn: Transaction, batch: Batch, command: Command, index: int, key: str, conditions: Conditions
) -> bool:
    """Delete `key`, whose record is number `index` of the command; say whether it was there."""
    tree: int = command.tree  # type: ignore[attr-defined]
    old = txn.object(tree, key)
    check_conditions(conditions, old)
    if old is None:
        batch.amend(command, index, records.VOID, 0)
        return False
    if old.seq >= command.records[index].seq:
        batch.amend(command, index, records.DELETE, old.seq + 1)
    txn.delete_object(tree, key)
    batch.replaced(txn, old, None)
    return True


class DeleteObjects(Command):
    """Remove many objects; each key succeeds or is refused on its own."""

    __slots__ = ("bucket", "keys", "tree")
    frees = True

    def __init__(self, bucket: str, tree: int, keys: list[tuple[str, Conditions]]) -> None:
        self.bucket = bucket
        self.tree = tree
        self.keys = keys
        seq = now_us()
        self.records = [
            Record(records.DELETE, seq, records.encode((tree, key)), b"", 0) for key, _ in keys
        ]

    def apply(self, txn: Transaction, batch: Batch) -> list[DomainError | None]:
        batch.bucket(txn, self.bucket, self.tree)
        results: list[DomainError | None] = []
        for index, (key, conditions) in enumerate(self.keys):
            try:
                delete_one(txn, batch, self, index, key, conditions)
                results.append(None)
            except DomainError as error:
                batch.amend(self, index, records.VOID, 0)
                results.append(error)
        return results
