"""What the engine offers about quotas and usage: to S3, to the admin protocol, to metrics.

Setting a quota holds for the next write on every worker. The checks here are early ones, without a
transaction, which save a client from sending what would be refused; what counts is checked again
when the write commits (`neve.engine.guard`).
"""

from typing import TYPE_CHECKING, NamedTuple

from neve.engine import quota
from neve.engine.guard import Guard, stored
from neve.engine.quota import BucketQuota, Quota, Used

if TYPE_CHECKING:
    from neve.engine.engine import Bucket, Engine


class Usage(NamedTuple):
    """What somebody or something has, and its quota if there is one."""

    used: Used
    quota: Quota | None

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

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._reader = engine.catalog.reader()

    async def set_bucket(self, name: str, limits: BucketQuota | None) -> None:
        """Give the bucket this quota in the place of any other; None: none. Raises: NoSuchBucket.

        `engine.bucket(name).quota` is what holds now. For MinIO's `set-bucket-quota`: keep the
        prefixes and the soft level that are there (`msgspec.structs.replace`).
        """
        value = quota.plain(limits) if limits is not None else None
        await self._engine.set_bucket_option(name, quota.OPTION, value or None)

    def usage(self, bucket: "Bucket") -> Usage:
        """What the bucket has. Exact, from counters."""
        return Usage(stored(self._reader, bucket.tree), bucket.quota)

    def check_write(self, bucket: "Bucket", key: str, size: int) -> None:
        """Whether an object of `size` bytes could come to `key` now. Raises: QuotaExceeded."""
        if bucket.quota is None:
            return
        guard = Guard({})
        guard.watch(self._reader, bucket.name, bucket.tree, bucket.quota)
        kept = bucket.versioning is not None and bucket.versioning.keeps(key)
        gone = None if kept else self._reader.object(bucket.tree, key)
        guard.admit(bucket.tree, gone, size)

    def check_part(self, bucket: "Bucket", key: str, upload: str, number: int, size: int) -> None:
        """Whether all parts of the upload with this one could become the object.

        Parts are no usage: completing is. Raises: QuotaExceeded.
        """
        if bucket.quota is not None:
            others = self._reader.parts_bytes(upload, number)
            self.check_write(bucket, key, others + size)
