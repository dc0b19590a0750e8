"""The engine on a disk that fails at its Nth call: what was acknowledged is there after reopening.

A scenario runs once undisturbed to count its calls. Then it runs again and again, each time with
another call that fails: once or from then on, with EIO or ENOSPC, or as a short write. Nothing may
raise but the store's own errors, reads of what is there go on, and the store opens again.
"""

import asyncio
import errno
import os
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve.engine.bucket import Bucket
from neve.engine.scrub import count_tree
from neve.engine.store import open_engine, prepare
from neve.errors import DomainError, NeveError, NoSuchBucket, NoSuchKey, StoreFault
from neve.testing.disks import Call, CarelessDisk, FailingDisk, Fault
from neve.testing.engine import LocalShared, Store, local_store, pattern, run

MIB = 1 << 20
POINTS = 30
ABSENT = None
WRITES = ("pwrite", "pwritev")

FAULTS: dict[str, Callable[[int], Callable[[Call], Fault | None]]] = {
    "one EIO": lambda at: lambda call: Fault(errno.EIO) if call.number == at else None,
    "EIO from then on": lambda at: lambda call: Fault(errno.EIO) if call.number >= at else None,
    "one ENOSPC": lambda at: (
        lambda call: Fault(errno.ENOSPC) if call.number == at and _grows(call) else None
    ),
    "ENOSPC from then on": lambda at: (
        lambda call: Fault(errno.ENOSPC, 10) if call.number >= at and _grows(call) else None
    ),
    "half a write, then EIO": lambda at: (
        lambda call: Fault(errno.EIO, 700) if call.number == at and _writes(call) else None
    ),
    "short writes": lambda at: (
        lambda call: (
            Fault(0, 1 + call.number % 500)
            if at <= call.number < at + 3 and _writes(call)
            else None
        )
    ),
}


def _writes(call: Call) -> bool:
    return call.operation in WRITES


def _grows(call: Call) -> bool:
    new = call.operation == "open" and not os.path.exists(call.path)
    return new or call.operation in (*WRITES, "mkdir")


class Promises:
    """What each key may hold: one value, or more after a write that failed."""

    def __init__(self) -> None:
        self.possible: dict[str, set[bytes | None]] = {}
        self.refused = 0
        self.kept = 0
        self.bucket = False

    async def write(self, key: str, value: bytes | None, work: Coroutine[Any, Any, Any]) -> None:
        """A refused write changed nothing; one that failed otherwise may have happened."""
        before = self.possible.setdefault(key, {ABSENT})
        try:
            await work
        except DomainError:
            return
        except StoreFault:
            self.refused += 1
            self.possible[key] = before | {value}
            return
        self.kept += 1
        self.possible[key] = {value}


async def scenario(store: Store, promises: Promises, may_fail: bool) -> None:
    """Writes of every kind, several at a time, then reclaim and more writes."""
    engine = store.engine
    try:
        bucket = await engine.create_bucket("bucket", "me", "r")
    except StoreFault:
        return
    promises.bucket = True

    async def life(number: int) -> None:
        key = f"k{number}"
        sizes = (900, 150_000, MIB + 7)
        for step in range(3):
            data = pattern(sizes[(number + step) % 3], number * 10 + step)
            await promises.write(key, data, store.put(bucket, key, data))
        if number % 2:
            await promises.write(key, ABSENT, engine.delete_object(bucket, key))
        else:
            parts = [pattern(5 * MIB, number), b"end"]
            whole = b"".join(parts)
            await promises.write(key, whole, store.put_multipart(bucket, key, parts))

    await asyncio.gather(*(life(number) for number in range(4)))
    for job in (store.reclaimer.trim_redo, store.collect_all, store.reclaimer.compact):
        try:
            job()
        except (StoreFault, OSError):
            promises.refused += 1
    for number in range(3):
        data = pattern(2000, number)
        await promises.write(f"late{number}", data, store.put(bucket, f"late{number}", data))
    check_reads(store, bucket, promises, may_fail=may_fail)


def check_reads(
    store: Store, bucket: Bucket, promises: Promises, *, may_fail: bool = False
) -> None:
    """Reads go on, whatever the disk says to writes; with `may_fail` some fail as well."""
    for key, possible in promises.possible.items():
        try:
            value: bytes | None = store.get(bucket, key)
        except NoSuchKey:
            value = ABSENT
        except StoreFault:
            assert may_fail, key
            continue
        assert value in possible, (key, value and len(value))


def play(
    folder: Path, choose: Callable[[Call], Fault | None] | None, *, may_fail: bool = False
) -> tuple[Promises, int]:
    """Run the scenario on a new folder; what it was promised, and how many calls it made."""
    folder.mkdir()
    prepare(str(folder), disk=CarelessDisk())
    disk = FailingDisk(inner=CarelessDisk())
    shared, promises = LocalShared(), Promises()
    store = Store(open_engine(str(folder), shared, disk=disk), shared)
    start = disk.calls
    disk.choose = choose and (lambda call: choose(call._replace(number=call.number - start)))
    run(store, lambda store: scenario(store, promises, may_fail))
    return promises, disk.calls - start


def reopen(folder: Path, promises: Promises) -> None:
    """As a server would, on a disk that is well again."""
    prepare(str(folder), disk=CarelessDisk())

    async def look(store: Store) -> None:
        try:
            bucket = store.engine.bucket("bucket")
        except NoSuchBucket:
            assert not promises.bucket
            return
        check_reads(store, bucket, promises)
        assert set(store.keys(bucket)) <= promises.possible.keys()
        usage = store.engine.usage(bucket)
        assert count_tree(store.engine.catalog.reader(), bucket.tree) == usage
        await store.put(bucket, "after", b"the fault")
        assert store.get(bucket, "after") == b"the fault"
        store.reclaimer.sweep_files()
        store.collect_all()
        check_reads(store, bucket, promises)

    run(local_store(folder, disk=CarelessDisk()), look)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", FAULTS)
def test_nothing_acknowledged_is_lost_on_a_failing_disk(tmp_path: Path, kind: str) -> None:
    promises, calls = play(tmp_path / "well", None)
    assert promises.refused == 0
    assert promises.kept == 4 * 4 + 3
    assert calls > 40
    harmed = 0
    chance = random.Random(kind)
    for at in sorted(chance.sample(range(1, calls + 1), min(calls, POINTS))):
        folder = tmp_path / f"at-{at}"
        try:
            promises, _ = play(folder, FAULTS[kind](at), may_fail="EIO" in kind)
        except NeveError as error:
            raise AssertionError(f"{kind} at call {at} of {calls}") from error
        reopen(folder, promises)
        harmed += promises.refused > 0 or not promises.bucket
    # Short writes are gone on with; every other fault is told to somebody.
    assert harmed == 0 if kind == "short writes" else harmed > 0
