"""What the engine offers about quotas and usage: to S3, to the admin protocol, to metrics.

Setting a quota holds for the next write on every worker. The checks here are early ones, without a
transaction, which save a client from sending what would be refused; what counts is checked again
when the write commits (`neve.engine.guard`). All usage is read from counters, and exact.
"""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from neve.engine import quota
from neve.engine.counting import CountPrefixes, SetQuota
from neve.engine.guard import UserBook, guard_of, used_by
from neve.engine.quota import BucketQuota, Quota, Used, UserQuota
from neve.engine.versions import place_for, version_for
from neve.errors import ConditionalConflict

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.engine.core import Core


class Usage(NamedTuple):
    """What somebody or something has, and its quota if there is one."""

    used: Used
    quota: Quota | None = None
    versions: int = 0
    """Of a bucket: how many of the objects are noncurrent versions."""
    markers: int = 0
    """Of a bucket: delete markers, which no quota counts."""

    @property
    def percent(self) -> int | None:
        """How much of the tightest limit is used; None without limits."""
        return None if self.quota is None else quota.percent(self.quota, self.used)

    @property
    def warns(self) -> bool:
        """Whether the soft level is reached."""
        return self.quota is not None and quota.warns(self.quota, self.used)


class Quotas:
    """Set, ask, check early. Belongs to the thread of its engine."""

    def __init__(self, engine: "Core", book: UserBook) -> None:
        self._engine = engine
        self._reader = engine.catalog.reader()
        self._book = book

    # Telling.

    async def set_bucket(self, name: str, limits: BucketQuota | None) -> None:
        """Give the bucket this quota in the place of any other; None: none. Raises: NoSuchBucket.

        Returns when all prefixes in it are counted. `engine.bucket(name).quota` is what holds now.
        For MinIO's `set-bucket-quota`: keep the prefixes and the soft level that are there
        (`msgspec.structs.replace`).
        """
        row = await self._engine.change_bucket(SetQuota(name, limits))
        if limits is not None and limits.prefixes:
            while await self._engine.committer.submit(CountPrefixes(name, row.tree)):
                pass

    def default(self) -> Quota | None:
        """The quota that new buckets get."""
        stored = self._engine.setting(quota.DEFAULT)
        return msgspec.msgpack.decode(stored, type=Quota) if stored is not None else None

    def users(self) -> dict[str, UserQuota]:
        """Canonical id → quota, of the users that have one."""
        return dict(self._book.now(self._reader))

    async def set_store(
        self, changes: dict[str, UserQuota | None], *, default: Quota | msgspec.UnsetType | None
    ) -> None:
        """Give users (by canonical id) a quota or (None) take it away, and new buckets another
        default; what is not named stays."""
        settings: dict[str, bytes | None] = {
            quota.USERS + id: quota.pack(limits) if limits is not None else None
            for id, limits in changes.items()
        }
        if default is not msgspec.UNSET:
            packed = None
            if isinstance(default, Quota) and quota.plain(default):
                packed = quota.pack(default)
            settings[quota.DEFAULT] = packed
        while settings:
            try:
                return await self._engine.change_settings(settings, self._engine.settings_seq())
            except ConditionalConflict:
                continue  # Somebody else changed a setting meanwhile, any.
        return None

    # Asking.

    def usage(self, bucket: "Bucket") -> Usage:
        """What the bucket has: objects and noncurrent versions, and their bytes."""
        with self._reader.snapshot():
            used = used_by(self._reader, bucket.tree)
            return Usage(used, bucket.quota, *self._reader.version_usage(bucket.tree))

    def prefixes(self, bucket: "Bucket") -> dict[str, Usage | None]:
        """What the counted prefixes of the bucket have; None of one that is still being counted."""
        limits = bucket.quota.prefixes if bucket.quota is not None else {}
        return {
            row.prefix: Usage(Used(row.objects, row.bytes), limits.get(row.prefix))
            if row.upto is None
            else None
            for row in self._reader.prefixes(bucket.tree)
        }

    def owners(self, bucket: "Bucket") -> dict[str, Used]:
        """What everybody (by canonical id) has in the bucket; its owner always."""
        with self._reader.snapshot():
            others = self._reader.owners(bucket.tree)
            total = used_by(self._reader, bucket.tree)
        found = {owner: Used(objects, size) for owner, objects, size in others}
        objects = total.objects - sum(used.objects for used in found.values())
        size = total.bytes - sum(used.bytes for used in found.values())
        own = found.get(bucket.owner, Used(0, 0))
        found[bucket.owner] = Used(own.objects + objects, own.bytes + size)
        return found

    def user(self, id: str) -> Usage:
        """What a user (by canonical id) has in all buckets."""
        return Usage(Used(*self._reader.owned(id)), self.users().get(id))

    # Checking early.

    def check_write(self, bucket: "Bucket", key: str, size: int, owner: str = "") -> None:
        """Whether `owner` could put an object of `size` bytes at `key`. Raises: QuotaExceeded."""
        if not self._limits(bucket, owner):
            return
        reader = self._reader
        row = reader.bucket(bucket.name)
        if row is None:
            return
        guard = guard_of(None, {}, self._book.now(reader), reader, row)
        if guard is None:
            return
        gone = reader.object(bucket.tree, key)
        if bucket.versioning is not None:
            version = version_for(bucket.versioning, key)
            gone = place_for(reader, bucket.tree, key, version, gone).gone
        guard.admit(reader, bucket.tree, key, owner, gone, size)

    def check_part(self, bucket: "Bucket", key: str, upload: str, number: int, size: int) -> None:
        """Whether all parts of the upload with this one could become the object.

        Parts are no usage: completing is. Raises: QuotaExceeded.
        """
        if bucket.quota is None and not self._book.now(self._reader):
            return
        row = self._reader.upload(upload)
        if row is not None and self._limits(bucket, row.owner):
            others = self._reader.parts_bytes(upload, number)
            self.check_write(bucket, key, others + size, row.owner)

    def _limits(self, bucket: "Bucket", owner: str) -> bool:
        """Whether any quota may stand against a write."""
        if bucket.quota is not None:
            return True
        users = self._book.now(self._reader)
        return bool(users) and (owner or bucket.owner) in users
