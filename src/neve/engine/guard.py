"""The quotas that a group of commands has to keep, and what it has added to their holders so far.

Made for a group once it touches a holder with a quota; a group that touches none has no guard. All
that it compares with is read inside the group's transaction, of which there is one at a time: so no
two writers, on whichever workers, pass a quota together.
"""

from typing import NamedTuple

from neve.catalog.catalog import BucketRow, ObjectRow, Reader
from neve.engine import quota
from neve.engine.quota import BucketQuota, Used

_NOTHING = (0, 0, 0, 0)


class _Bucket(NamedTuple):
    """A bucket with a quota, and its usage before the group."""

    name: str
    quota: BucketQuota
    used: Used


class Guard:
    """See the module. `sums` are the group's changes of usage by tree, kept by their owner."""

    def __init__(self, sums: dict[int, list[int]]) -> None:
        self._sums = sums
        self._buckets: dict[int, _Bucket] = {}

    def watch(self, reader: Reader, name: str, tree: int, limits: BucketQuota | None) -> None:
        """Keep this quota of a bucket from now on, in the place of an earlier one."""
        if limits is None:
            self._buckets.pop(tree, None)
        else:
            self._buckets[tree] = _Bucket(name, limits, stored(reader, tree))

    def admit(self, tree: int, gone: ObjectRow | None, size: int) -> None:
        """Let an object of `size` bytes come in, in the place of `gone`. Raises: QuotaExceeded."""
        bucket = self._buckets.get(tree)
        if bucket is None:
            return
        added = Used(1, size) if gone is None else Used(0, size - gone.size)
        quota.check(bucket.quota, "bucket", bucket.name, self._now(tree, bucket.used), added)

    def crossings(self) -> list[str]:
        """A sentence for each soft level that the group has crossed."""
        found = []
        for tree, bucket in self._buckets.items():
            now = self._now(tree, bucket.used)
            if quota.warns(bucket.quota, now) and not quota.warns(bucket.quota, bucket.used):
                found.append(
                    f"bucket {bucket.name} has used {quota.percent(bucket.quota, now)} % of its"
                    f" quota: {now.bytes} bytes in {now.objects} objects"
                )
        return found

    def _now(self, tree: int, before: Used) -> Used:
        objects, size, versions, _ = self._sums.get(tree, _NOTHING)
        return Used(before.objects + objects + versions, before.bytes + size)


def stored(reader: Reader, tree: int) -> Used:
    """What counts of a tree: everything stored but delete markers."""
    objects, size = reader.usage(tree)
    versions, _ = reader.version_usage(tree)
    return Used(objects + versions, size)


def guard_of(
    guard: Guard | None, sums: dict[int, list[int]], reader: Reader, row: BucketRow
) -> Guard | None:
    """The group's guard, which now keeps the quota of a bucket as well, if it has one."""
    limits = quota.of_packed(row.options)
    if limits is None and guard is None:
        return None
    guard = guard or Guard(sums)
    guard.watch(reader, row.name, row.tree, limits)
    return guard
