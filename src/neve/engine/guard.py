"""The quotas that a group of commands has to keep, and what it has added to their holders so far.

Made for a group once it touches a holder with a quota; a group that touches none has no guard. All
that it compares with is read inside the group's transaction, of which there is one at a time: so no
two writers, on whichever workers, pass a quota together.

Invariant: the counter of a prefix is what lies under it at keys below `upto` (all keys once that is
None), in every commit. `count_on` moves `upto` on, over a bounded number of rows.
"""

from collections.abc import Callable

from neve.catalog.catalog import BucketRow, ObjectRow, PrefixRow, Reader, Transaction, VersionRow
from neve.engine import quota
from neve.engine.quota import BucketQuota, Quota, Used, UserQuota
from neve.names import prefix_end

SLICE_ROWS = 5000
"""Rows that one transaction counts when a prefix is counted for the first time."""
_NOTHING = (0, 0, 0, 0)

Users = dict[str, UserQuota]
NO_USERS: Users = {}


class UserBook:
    """The quotas of users as one process knows them, read anew when any setting has changed.

    Exact inside a transaction: whoever changes a setting says so before it commits (`tell`), and
    two transactions never run at once.
    """

    def __init__(self, generation: Callable[[], int], tell: Callable[[], None]) -> None:
        self._generation = generation
        self.tell = tell
        self._seen = -1
        self._users: Users = {}

    def now(self, reader: Reader) -> Users:
        """Canonical id → quota."""
        generation = self._generation()
        if generation != self._seen:
            self._users = quota.users_in(reader.settings(quota.USERS))
            self._seen = generation
        return self._users


class Prefix:
    """A counted prefix of a bucket, as the group leaves it."""

    __slots__ = ("before", "bytes", "limits", "objects", "prefix", "upto")

    def __init__(self, row: PrefixRow, limits: Quota) -> None:
        self.before = row
        self.prefix = row.prefix
        self.upto = row.upto
        self.objects = row.objects
        self.bytes = row.bytes
        self.limits = limits

    def covers(self, key: str) -> bool:
        """Whether the key is counted."""
        return key.startswith(self.prefix) and (self.upto is None or key < self.upto)

    @property
    def used(self) -> Used:
        return Used(self.objects, self.bytes)


class _Bucket:
    """A bucket that the group touches."""

    __slots__ = ("before", "limits", "name", "owner", "prefixes")

    def __init__(self, row: BucketRow) -> None:
        self.name = row.name
        self.owner = row.owner
        self.limits: BucketQuota | None = None
        self.before = Used(0, 0)
        self.prefixes: list[Prefix] = []


class Guard:
    """See the module. `sums` are the group's changes of usage by tree, kept by their owner."""

    def __init__(self, sums: dict[int, list[int]], users: Users) -> None:
        self._sums = sums
        self._users = users
        self._buckets: dict[int, _Bucket] = {}
        self._owned: dict[str, list[int]] = {}
        """What the group has added to users with a quota: objects, bytes."""
        self._owned_before: dict[str, Used] = {}

    def watch(self, reader: Reader, row: BucketRow) -> None:
        """Keep the quota that the bucket has now, in the place of an earlier one."""
        bucket = self._buckets.get(row.tree)
        if bucket is None:
            bucket = self._buckets[row.tree] = _Bucket(row)
        limits = bucket.limits = quota.of_packed(row.options)
        known = {prefix.prefix: prefix for prefix in bucket.prefixes}
        bucket.prefixes = []
        if limits is None:
            return
        bucket.before = used_by(reader, row.tree)
        if limits.prefixes:
            for counted in reader.prefixes(row.tree):
                prefix = known.get(counted.prefix) or Prefix(counted, Quota())
                prefix.limits = limits.prefixes.get(counted.prefix, prefix.limits)
                bucket.prefixes.append(prefix)

    def forget(self, reader: Reader, tree: int) -> None:
        """The tree is about to go. What users had in it before the group goes with its counters,
        so it is asked for now: `_owned` has already taken it away."""
        for owner in self._owned:
            self._now_owned(reader, owner)
        self._buckets.pop(tree, None)

    def admit(
        self, reader: Reader, tree: int, key: str, owner: str, gone: ObjectRow | None, size: int
    ) -> None:
        """Let an object of `owner` come to `key`, in the place of `gone`. Raises: QuotaExceeded."""
        bucket = self._buckets.get(tree)
        if bucket is None:
            return
        added = Used(1, size) if gone is None else Used(0, size - gone.size)
        if bucket.limits is not None:
            used = self._now(tree, bucket.before)
            quota.check(bucket.limits, "bucket", bucket.name, used, added)
            for prefix in bucket.prefixes:
                if prefix.upto is None and key.startswith(prefix.prefix):
                    name = f"{prefix.prefix} of bucket {bucket.name}"
                    quota.check(prefix.limits, "prefix", name, prefix.used, added)
        if self._users:
            owner = owner or bucket.owner
            limits = self._users.get(owner)
            if limits is not None:
                if gone is not None and (gone.owner or bucket.owner) != owner:
                    added = Used(1, size)
                used = self._now_owned(reader, owner)
                quota.check(limits, "user", limits.name or owner, used, added)

    def moved(self, row: ObjectRow, sign: int) -> None:
        """Note that an object or noncurrent version has come (1) or gone (-1)."""
        bucket = self._buckets.get(row.tree)
        if bucket is None:
            return
        for prefix in bucket.prefixes:
            if prefix.covers(row.key):
                prefix.objects += sign
                prefix.bytes += sign * row.size
        if self._users:
            owner = row.owner or bucket.owner
            if owner in self._users:
                sums = self._owned.setdefault(owner, [0, 0])
                sums[0] += sign
                sums[1] += sign * row.size

    def count_on(self, txn: Transaction, tree: int) -> bool:
        """Count a slice of a prefix that is not counted yet; whether there is more to count."""
        bucket = self._buckets.get(tree)
        waiting = [p for p in bucket.prefixes if p.upto is not None] if bucket else []
        if not waiting:
            return False
        prefix = waiting[0]
        assert prefix.upto is not None
        counted, prefix.upto = count_slice(
            txn, tree, prefix.upto, prefix_end(prefix.prefix), SLICE_ROWS
        )
        prefix.objects += counted.objects
        prefix.bytes += counted.bytes
        return prefix.upto is not None or len(waiting) > 1

    def finish(self, txn: Transaction) -> list[str]:
        """Write the counters of prefixes; a sentence for each soft level the group has crossed."""
        told = []
        for tree, bucket in self._buckets.items():
            if bucket.limits is None:
                continue
            now = self._now(tree, bucket.before)
            told += crossed(bucket.limits, f"bucket {bucket.name}", bucket.before, now)
            for prefix in bucket.prefixes:
                stood = prefix.before
                row = PrefixRow(tree, prefix.prefix, prefix.upto, prefix.objects, prefix.bytes)
                if row != stood:
                    txn.put_prefix(row)
                if stood.upto is None:
                    name = f"prefix {prefix.prefix} of bucket {bucket.name}"
                    used = Used(stood.objects, stood.bytes)
                    told += crossed(prefix.limits, name, used, prefix.used)
        for owner in self._owned:
            limits = self._users[owner]
            if limits.soft is not None:
                now = self._now_owned(txn, owner)
                before = self._owned_before[owner]
                told += crossed(limits, f"user {limits.name or owner}", before, now)
        return told

    def _now(self, tree: int, before: Used) -> Used:
        objects, size, versions, _ = self._sums.get(tree, _NOTHING)
        return Used(before.objects + objects + versions, before.bytes + size)

    def _now_owned(self, reader: Reader, owner: str) -> Used:
        before = self._owned_before.get(owner)
        if before is None:
            before = self._owned_before[owner] = Used(*reader.owned(owner))
        objects, size = self._owned.get(owner, (0, 0))
        return Used(before.objects + objects, before.bytes + size)


def guard_of(
    guard: Guard | None, sums: dict[int, list[int]], users: Users, reader: Reader, row: BucketRow
) -> Guard | None:
    """The group's guard, which now keeps the quotas of a bucket as well, if there are any."""
    if guard is None:
        if not users and quota.of_packed(row.options) is None:
            return None
        guard = Guard(sums, users)
    guard.watch(reader, row)
    return guard


def used_by(reader: Reader, tree: int) -> Used:
    """What quotas count of a tree: no delete markers."""
    objects, size = reader.usage(tree)
    versions, _ = reader.version_usage(tree)
    return Used(objects + versions, size)


def crossed(limits: Quota, name: str, before: Used, now: Used) -> list[str]:
    """What the log says when the soft level was crossed between the two."""
    if not quota.warns(limits, now) or quota.warns(limits, before):
        return []
    share = quota.percent(limits, now)
    return [f"{name} has used {share} % of its quota: {now.bytes} bytes in {now.objects} objects"]


def count_slice(
    reader: Reader, tree: int, start: str, stop: str | None, rows_max: int
) -> tuple[Used, str | None]:
    """Count about `rows_max` rows from `start` on, and say from where to go on; None at the end."""
    current = reader.scan(tree, start, stop, rows_max)
    bound = current[-1][0] + "\0" if len(current) == rows_max else stop
    others, bound = _versions(reader, tree, start, bound, rows_max)
    sizes = [size for key, size, *_ in current if bound is None or key < bound]
    sizes += [row.size for _, row in others if row.etag]
    return Used(len(sizes), sum(sizes)), None if bound == stop else bound


def _versions(
    reader: Reader, tree: int, start: str, bound: str | None, rows_max: int
) -> tuple[list[VersionRow], str | None]:
    """The noncurrent versions of keys below `bound`, or below a nearer bound when there are more
    than `rows_max`; those of one key are never parted."""
    found = reader.all_versions(tree, start, 0, rows_max)
    page = found
    while len(page) == rows_max:
        last = found[-1]
        if last.row.key != found[0].row.key:
            bound = last.row.key if bound is None else min(bound, last.row.key)
            break
        page = reader.all_versions(tree, last.row.key, last.rank, rows_max)
        found = found + page
    return [each for each in found if bound is None or each.row.key < bound], bound
