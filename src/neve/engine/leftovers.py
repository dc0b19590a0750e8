"""What a crash left at the ends of segments: records that were appended and never committed.

A process appends a group, then commits it, then appends the next one. So behind the end that the
catalog has for a segment there is at most one group that was not voided, and nobody was ever told
of it. Start-up voids it, or else a rebuild would do what the store never did.

More than one group there means that it is the catalog that is behind, as one put back from a copy:
those records may be of acknowledged writes, which only a rebuild could bring back. Then nothing is
voided, in no segment, and no file is taken for an orphan. A catalog from `neve backup` says itself
that it is a copy: it looks like one of a run that ended in order (decision 011).
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

from neve.blobs.blobs import FIRST, SEGMENT, UNTOLD, BlobStore, Tail
from neve.catalog.catalog import Reader
from neve.engine import records
from neve.errors import BlobMissing, StoreFault

_BEHIND = (
    "segment %d holds several commits more than the catalog knows: the catalog is older than the"
    " segments. To have what is newer, stop the server now and run neve rebuild: compaction will"
    " drop it."
)
_UNTOLD = (
    "segment %d holds records of an earlier version that the catalog does not know. If an older"
    " catalog was put back, stop the server now and run neve rebuild to have what is newer. Else a"
    " crash left them, and a rebuild would do what was never acknowledged: back up the store"
    " instead."
)

log = logging.getLogger("neve.engine")


class Leftovers(NamedTuple):
    """What was found behind the ends of segments."""

    voided: int
    """Records voided."""
    behind: bool
    """Whether the catalog is older than the segments, or may be."""


def void_leftovers(reader: Reader, store: BlobStore) -> Leftovers:
    """Void what no process ended to commit; nobody else may have the store open. Durable.

    Run again after a kill inside it, it goes on. Raises: StoreFault.
    """
    found: list[tuple[int, list[int]]] = []
    for id, end in _ends(reader, store):
        try:
            tail = store.scan_tail(id, end)
        except BlobMissing:
            continue
        except StoreFault as error:
            # Whether the catalog is the older cannot be told.
            log.error("segment %d cannot be read, what a crash left stays: %s", id, error)
            return Leftovers(0, True)
        starts = _uncommitted(tail)
        if starts is None:
            log.warning(_UNTOLD if any(each.place == UNTOLD for each in tail) else _BEHIND, id)
            return Leftovers(0, True)
        if starts:
            found.append((id, starts))
    for id, starts in found:
        store.amend_tail(id, starts, records.VOID)
        store.sync_segment(id)
    return Leftovers(sum(len(starts) for _, starts in found), False)


def _ends(reader: Reader, store: BlobStore) -> Iterator[tuple[int, int]]:
    """(segment, end of what is committed) of those that processes may have appended to. One that
    the catalog does not know lost its row with the power, or the catalog is older than it."""
    rows = {row.id: row for row in reader.segments()}
    for row in rows.values():
        if not row.sealed:
            yield row.id, row.size
    garbage = {row.blob for row in reader.garbage(1 << 62, 1 << 40) if row.tier == SEGMENT}
    for id in store.segments():
        if id not in rows and id not in garbage:
            yield id, 0


def _uncommitted(tail: list[Tail]) -> list[int] | None:
    """Where the records are that are to be voided; None if they are of more than one group."""
    firsts = [index for index, each in enumerate(tail) if each.place == FIRST]
    last = firsts[-1] if firsts else 0
    # Groups before the last one are those of refused writes, voided then.
    standing = [each for each in tail if each.kind != records.VOID]
    if any(each.start < tail[last].start or each.place == UNTOLD for each in standing):
        return None
    return [each.start for each in standing]
