"""Quotas against a model that adds up a dict: the same writes are refused, the same usage is told.

Buckets with and without versions, quotas of buckets, prefixes and users that change at any time,
every way to write, alone and several in one group commit.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import UNSET

from neve.engine.counting import check_counters
from neve.engine.delete import Deletion
from neve.engine.quota import BucketQuota, Quota, Used, UserQuota
from neve.engine.store import prepare
from neve.engine.write import SmallWriter
from neve.errors import NoSuchKey, QuotaExceeded
from neve.testing.engine import local_store, md5, memory_store, pattern

OWNERS = {"one": "me", "two": "her"}
KEYS = ("a/1", "a/2", "a/b/1", "b/1", "c")
PREFIXES = ("a/", "a/b/", "b", "c")
WRITERS = ("me", "her", "you")

buckets = st.sampled_from(sorted(OWNERS))
keys = st.sampled_from(KEYS)
writers = st.sampled_from(WRITERS)
sizes = st.integers(0, 60)
limits = st.builds(Quota, bytes=st.none() | st.integers(0, 200), objects=st.none() | sizes)
quotas = st.builds(
    BucketQuota,
    bytes=st.none() | st.integers(0, 300),
    objects=st.none() | st.integers(0, 12),
    prefixes=st.dictionaries(st.sampled_from(PREFIXES), limits, max_size=3),
)
versions = st.sampled_from(["Enabled", "Suspended"])

Place = tuple[str, str]
Write = tuple[str, str, int, str]
"""Bucket, key, size, writer."""


class World:
    """What there is: (bucket, key) → version id → (size, owner). Delete markers are nothing."""

    def __init__(self) -> None:
        self.versions: dict[Place, dict[str, tuple[int, str]]] = {}
        self.state: dict[str, str] = {}
        self.quotas: dict[str, BucketQuota] = {}
        self.users: dict[str, UserQuota] = {}

    def used(self, bucket: str = "", prefix: str = "", owner: str = "") -> Used:
        found = [
            size
            for (name, key), each in self.versions.items()
            for size, writer in each.values()
            if bucket in ("", name) and key.startswith(prefix) and owner in ("", writer)
        ]
        return Used(len(found), sum(found))

    def refuses(self, write: Write) -> bool:
        bucket, key, size, owner = write
        gone = None
        if self.state.get(bucket) != "Enabled":
            gone = self.versions.get((bucket, key), {}).get("")
        added = (1, size) if gone is None else (0, size - gone[0])
        quota = self.quotas.get(bucket, BucketQuota())
        asked = [(quota, self.used(bucket), added)]
        for prefix, limit in quota.prefixes.items():
            if key.startswith(prefix):
                asked.append((limit, self.used(bucket, prefix), added))
        mine = added if gone is None or gone[1] == owner else (1, size)
        asked.append((self.users.get(owner, UserQuota()), self.used(owner=owner), mine))
        return any(
            (limit.objects is not None and more[0] > 0 and has.objects + more[0] > limit.objects)
            or (limit.bytes is not None and more[1] > 0 and has.bytes + more[1] > limit.bytes)
            for limit, has, more in asked
        )


class QuotaMachine(RuleBasedStateMachine):
    """Every rule asks the engine and the model the same."""

    local: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.folder = tempfile.TemporaryDirectory() if self.local else None
        if self.folder is not None:
            prepare(self.folder.name)
            self.store = local_store(Path(self.folder.name), durable=False)
            self.store.engine.part_bytes_min = 1
        else:
            self.store = memory_store(part_bytes_min=1)
        self.engine = self.store.engine
        self.run(self.begin())

    async def begin(self) -> None:
        self.engine.start()
        for name, owner in OWNERS.items():
            await self.engine.create_bucket(name, owner, "r")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.engine.close())
        self.loop.close()
        if self.folder is not None:
            self.folder.cleanup()

    def expect(self, write: Write, outcome: Any) -> None:
        """Compare, and let the model do what the engine did."""
        if self.world.refuses(write):
            assert isinstance(outcome, QuotaExceeded), (write, outcome)
            return
        assert not isinstance(outcome, Exception), (write, outcome)
        bucket, key, size, owner = write
        there = self.world.versions.setdefault((bucket, key), {})
        there[outcome.version] = (size, owner)

    async def attempt(self, work: Any) -> Any:
        try:
            return await work
        except QuotaExceeded as error:
            return error

    async def put(self, write: Write) -> Any:
        bucket, key, size, owner = write
        data = pattern(size)
        about = {"etag": md5(data), "meta": b"", "checksum": None}
        return await self.engine.put_object(
            self.engine.bucket(bucket), key, SmallWriter(data), owner=named(bucket, owner), **about
        )

    async def complete(self, write: Write) -> Any:
        name, key, size, owner = write
        bucket = self.engine.bucket(name)
        upload = await self.engine.create_upload(bucket, key, owner, b"", None)
        part = await self.store.put_part(bucket, key, upload, 1, pattern(size))
        return await self.engine.complete_upload(bucket, key, upload, [part])

    @rule(writes=st.lists(st.tuples(buckets, keys, sizes, writers), min_size=1, max_size=4))
    def writes_of_one_group(self, writes: list[Write]) -> None:
        async def together() -> list[Any]:
            return await asyncio.gather(*(self.attempt(self.put(write)) for write in writes))

        for write, outcome in zip(writes, self.run(together()), strict=True):
            self.expect(write, outcome)

    @rule(write=st.tuples(buckets, keys, st.integers(1, 60), writers))
    def an_upload(self, write: Write) -> None:
        self.expect(write, self.run(self.attempt(self.complete(write))))

    @rule(source=st.tuples(buckets, keys), bucket=buckets, key=keys, owner=writers)
    def a_copy(self, source: Place, bucket: str, key: str, owner: str) -> None:
        try:
            row = self.engine.head(self.engine.bucket(source[0]), source[1])
        except NoSuchKey:
            return
        target = self.engine.bucket(bucket)
        about = {"meta": b"", "checksum": None, "owner": named(bucket, owner)}
        copied = self.attempt(self.engine.copy_object(row, target, key, **about))
        self.expect((bucket, key, row.size, owner), self.run(copied))

    @rule(bucket=buckets, chosen=st.lists(keys, min_size=1, max_size=3, unique=True))
    def deletions(self, bucket: str, chosen: list[str]) -> None:
        deletions = [Deletion(key) for key in chosen]
        self.run(self.engine.delete_objects(self.engine.bucket(bucket), deletions))
        if self.world.state.get(bucket) != "Enabled":
            for key in chosen:
                self.world.versions.get((bucket, key), {}).pop("", None)

    @rule(bucket=buckets, key=keys, index=st.integers(0, 9))
    def a_version_goes_for_ever(self, bucket: str, key: str, index: int) -> None:
        there = self.world.versions.get((bucket, key))
        if there:
            version = list(there)[index % len(there)]
            if version or bucket in self.world.state:
                work = self.engine.delete_object(self.engine.bucket(bucket), key, version=version)
                self.run(work)
                del there[version]

    @rule(name=buckets, write=st.tuples(keys, sizes, writers))
    def a_bucket_goes_while_others_write(self, name: str, write: tuple[str, int, str]) -> None:
        """Emptied, deleted, and another one written to, in one group; then made anew."""
        bucket, other = self.engine.bucket(name), min(OWNERS.keys() - {name})
        there = self.world.versions
        if name in self.world.state:
            return  # Versions and delete markers would have to go, too.
        gone = [Deletion(key) for (at, key), each in there.items() if at == name and each]
        asked = (other, *write)

        async def together() -> list[Any]:
            work = [self.engine.delete_objects(bucket, gone)] if gone else []
            last = self.attempt(self.put(asked))
            return await asyncio.gather(*work, self.engine.delete_bucket(name), last)

        outcome = self.run(together())[-1]
        for place in [place for place in there if place[0] == name]:
            del there[place]
        self.world.quotas.pop(name, None)
        self.expect(asked, outcome)
        self.run(self.engine.create_bucket(name, OWNERS[name], "r"))

    @rule(bucket=buckets, state=versions)
    def versioning(self, bucket: str, state: str) -> None:
        self.run(self.engine.set_bucket_option(bucket, "versioning", state))
        self.world.state[bucket] = state

    @rule(bucket=buckets, quota=st.none() | quotas)
    def a_quota_of_a_bucket(self, bucket: str, quota: BucketQuota | None) -> None:
        self.run(self.engine.quotas.set_bucket(bucket, quota))
        self.world.quotas[bucket] = quota or BucketQuota()

    @rule(owner=writers, limit=st.none() | limits)
    def a_quota_of_a_user(self, owner: str, limit: Quota | None) -> None:
        quota = UserQuota(limit.bytes, limit.objects) if limit is not None else None
        self.run(self.engine.quotas.set_store({owner: quota}, default=UNSET))
        self.world.users[owner] = quota or UserQuota()

    @invariant()
    def usage_is_that_of_the_model(self) -> None:
        world, told = self.world, self.engine.quotas
        for name, owner in OWNERS.items():
            bucket = self.engine.bucket(name)
            assert told.usage(bucket).used == world.used(name)
            wanted = {each: world.used(name, "", each) for each in WRITERS}
            assert {k: v for k, v in told.owners(bucket).items() if v != (0, 0)} == {
                k: v for k, v in wanted.items() if v != (0, 0)
            }, owner
            under = {
                prefix: usage and usage.used for prefix, usage in told.prefixes(bucket).items()
            }
            prefixes = world.quotas.get(name, BucketQuota()).prefixes
            assert under == {prefix: world.used(name, prefix) for prefix in prefixes}
            assert list(check_counters(self.engine.catalog.reader(), bucket.tree)) == []
        for each in WRITERS:
            assert told.user(each).used == world.used(owner=each)


def named(bucket: str, owner: str) -> str:
    return "" if OWNERS[bucket] == owner else owner


class LocalMachine(QuotaMachine):
    local = True


class MemoryMachine(QuotaMachine):
    local = False


TestLocal = LocalMachine.TestCase
TestLocal.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
