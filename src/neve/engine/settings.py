"""Settings: what the store as a whole is told (its users, groups, policies, keys), by name.

All settings that are told change in one order: `SEQ` counts the changes, a change names the count
that it has seen, and one that saw an older state is refused. So a change may be built from any
number of settings read before, and of the records of one setting the highest seq is the newest.
"""

from collections.abc import Mapping

from neve.blobs.blobs import Record
from neve.catalog.catalog import Reader, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.commit import Batch, Command
from neve.errors import ConditionalConflict

SEQ = "settings/seq"

Changes = Mapping[str, bytes | None]
"""Name → new value, None to remove it."""


def settings_seq(reader: Reader) -> int:
    """Return the count of changes so far: what a change must have seen."""
    return int(reader.setting(SEQ) or 0)


class ChangeSettings(Command):
    """Put and remove settings together, if nothing changed since `seen`.

    It goes on when the disk is full, as deleting does: somebody may have to be locked out just
    then. The reserve has room for that; without any a rebuild would not know of the change.
    """

    __slots__ = ("changes", "seen", "seq")
    frees = True

    def __init__(self, changes: Changes, seen: int) -> None:
        self.changes = dict(changes)
        self.seen = seen
        self.seq = max(now_us(), seen + 1)
        self.records = [
            Record(records.SETTING, self.seq, records.encode((name, value)), b"", 0)
            for name, value in self.changes.items()
        ]

    def apply(self, txn: Transaction, batch: Batch) -> None:
        if settings_seq(txn) != self.seen:
            raise ConditionalConflict()
        for name, value in self.changes.items():
            txn.put_setting(name, value)
        txn.put_setting(SEQ, str(self.seq).encode())
        batch.settings_changed = True
