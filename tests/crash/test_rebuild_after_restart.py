"""Killed anywhere, or without power, then started again, then without its catalog: nothing changes.

A scenario runs once, one change after the other, on a recording disk; after each the whole store is
written down. For every point at which records are appended and not committed, and for some others,
the folder is made to look as a kill or a power cut leaves it. The store that is opened on it is as
it was after the last change that was acknowledged, or after the one that was under way; and exactly
so is the store of a catalog that is rebuilt from segments then.
"""

import random
import shutil
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from neve.engine.delete import Deletion
from neve.engine.locks import GOVERNANCE, MODE, UNTIL
from neve.engine.rebuild import rebuild
from neve.engine.recover import Recovered
from neve.engine.store import open_engine, prepare
from neve.errors import ObjectLocked
from neve.testing.crash import crash_image, kill_image
from neve.testing.disks import Operation, Recording, RecordingDisk
from neve.testing.engine import (
    LocalShared,
    Store,
    body_bytes,
    local_store,
    on_folder,
    pattern,
    run,
)
from neve.testing.vfs import RecordingVFS

MIB = 1 << 20
POINTS = 30
"""Points that are tried besides those right after an append."""
STARTS = 2
"""Interrupted starts of which every step is tried."""

LOCKED = {"versioning": "Enabled", "lock": {"enabled": True}}
POLICY = b"""{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
    "Action": "s3:GetObject", "Resource": "arn:aws:s3:::plain/*"}]}"""

Dump = dict[str, Any]
Make = Callable[[list[Operation], int, str], None]


class Known(NamedTuple):
    """The store after a change, and when it was begun and acknowledged, in disk operations."""

    begun: int
    acknowledged: int
    dump: Dump


def power_cut(log: list[Operation], upto: int, target: str) -> None:
    crash_image(log, upto, 1, target)


def dump_of(store: Store) -> Dump:
    """All that a client or an administrator could see."""
    engine = store.engine
    found: Dump = {"settings": engine.settings("iam/")}
    for bucket in engine.buckets():
        page = engine.list_versions(bucket, "", "", "", None, 10_000)
        rows = []
        for entry in page.entries:
            assert not isinstance(entry, str)
            each, newest = entry
            row = engine.head(bucket, each.key, each.version)
            data = body_bytes(engine.read(row, 0, row.size)) if each.etag else None
            about = (row.etag, row.mtime_us, row.meta, row.checksum, row.owner)
            rows.append((each.key, each.version, newest, data, about))
        assert len({key for key, _, newest, *_ in rows if newest}) == len({row[0] for row in rows})
        found[f"bucket {bucket.name}"] = (engine.catalog.reader().bucket(bucket.name), rows)
    return found


async def prelude(store: Store) -> None:
    """Segments of an earlier run, one of which is worth to be emptied."""
    engine = store.engine
    plain = await engine.create_bucket("plain", "me", "r")
    for number in range(4):
        await store.put(plain, f"old{number}", pattern(30_000, number))
    await engine.create_bucket("kept", "me", "r", LOCKED)
    await store.put(engine.bucket("kept"), "key", b"first")
    for number in range(3):
        await engine.delete_object(plain, f"old{number}")


def steps(store: Store) -> list[Callable[[], Coroutine[Any, Any, Any]]]:
    """Changes of every kind that leaves a record."""
    engine = store.engine

    def put(name: str, key: str, data: bytes, meta: bytes = b"") -> Any:
        return lambda: store.put(engine.bucket(name), key, data, meta=meta)

    def delete(name: str, key: str, **how: Any) -> Any:
        return lambda: engine.delete_object(engine.bucket(name), key, **how)

    def newest(name: str, key: str) -> str:
        page = engine.list_versions(engine.bucket(name), key, "", "", None, 1)
        entry = page.entries[0]
        assert not isinstance(entry, str)
        return entry[0].version

    def bypass() -> Any:
        version = newest("kept", "locked")
        return engine.delete_object(engine.bucket("kept"), "locked", version=version, bypass=True)

    async def refused() -> None:
        version = newest("kept", "locked")
        with pytest.raises(ObjectLocked):
            await engine.delete_object(engine.bucket("kept"), "locked", version=version)

    async def compact() -> None:
        assert store.reclaimer.compact()

    async def trim() -> None:
        store.reclaimer.trim_redo()

    def tag() -> Any:
        return engine.set_object_meta(engine.bucket("plain"), "k", lambda now: now.meta + b"!")

    many = [Deletion(key) for key in ("k", "large", "absent", "parts")]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    lock = msgspec.msgpack.encode({MODE: GOVERNANCE.encode(), UNTIL: until.encode()})
    users = {"iam/user/ada": b"{}", "iam/user/bob": b"{}"}
    return [
        put("plain", "k", b"new"),
        put("plain", "k", pattern(120_000)),
        tag,
        delete("plain", "old3"),
        put("plain", "large", pattern(MIB + 5)),
        lambda: store.put_multipart(engine.bucket("plain"), "parts", [pattern(5 * MIB), b"end"]),
        trim,
        put("kept", "key", b"second"),
        delete("kept", "key"),
        lambda: engine.delete_object(engine.bucket("kept"), "key", version=newest("kept", "key")),
        put("kept", "locked", b"bound", lock),
        refused,
        bypass,
        lambda: engine.change_settings(users, engine.settings_seq()),
        lambda: engine.change_settings({"iam/user/ada": None}, engine.settings_seq()),
        lambda: engine.set_bucket_policy("plain", POLICY),
        lambda: engine.create_bucket("brief", "me", "r"),
        lambda: engine.set_bucket_option("brief", "versioning", "Suspended"),
        put("brief", "null", b"null"),
        delete("brief", "null"),
        lambda: engine.delete_object(engine.bucket("brief"), "null", version=""),
        lambda: engine.delete_bucket("brief"),
        compact,
        lambda: engine.delete_objects(engine.bucket("plain"), many),
        put("plain", "k", b"again"),
    ]


def record(folder: Path) -> tuple[Recording, list[Known]]:
    folder.mkdir()
    on_folder(folder, prelude)
    recording = Recording(str(folder))
    disk, vfs = RecordingDisk(recording), f"recording-{folder.parent.name}"
    keep = RecordingVFS(vfs, recording)
    known: list[Known] = []

    async def scenario(store: Store) -> None:
        start = len(recording)
        known.append(Known(start, start, dump_of(store)))
        for step in steps(store):
            begun = len(recording)
            await step()
            known.append(Known(begun, len(recording), dump_of(store)))

    prepare(str(folder), disk=disk, vfs=vfs)
    shared = LocalShared()
    run(Store(open_engine(str(folder), shared, disk=disk, vfs=vfs), shared), scenario)
    del keep
    return recording, known


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, list[Known]]:
    return record(tmp_path_factory.mktemp("recorded") / "live")


def dumped(folder: Path) -> Dump:
    async def look(store: Store) -> Dump:
        return dump_of(store)

    found: Dump = run(local_store(folder), look)
    return found


def lose_catalog(folder: Path) -> None:
    for path in folder.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(folder)).damaged == []


def check(folder: Path, known: list[Known], point: int, where: str) -> Recovered:
    """Start, compare with what may be there, lose the catalog, compare again."""
    recovered = prepare(str(folder))
    restarted = dumped(folder)
    done = [each for each in known if each.acknowledged <= point]
    after = known[len(done) : len(done) + 1]
    allowed = [done[-1].dump, *(each.dump for each in after if each.begun < point)]
    assert restarted in allowed, where
    lose_catalog(folder)
    prepare(str(folder))
    assert dumped(folder) == restarted, where
    return recovered


def appends(recording: Recording, known: list[Known]) -> list[int]:
    """The points at which a group has just been appended, and is not committed."""
    begin = known[0].acknowledged
    return [
        point
        for point, each in enumerate(recording.log, 1)
        if point > begin
        and each.name == "write"
        and each.path.endswith(".seg")
        and len(each.data) > 48  # Others are headers, of the segment or of an amended record.
    ]


def record_start(
    log: list[Operation], folder: Path, upto: int, vfs: str
) -> tuple[list[Operation], int]:
    """What a start on the folder as it was left at `upto` does to the disk, and where it begins."""
    folder.mkdir()
    kill_image(log, upto, str(folder))
    recording = Recording(str(folder))
    begin = len(recording)
    keep = RecordingVFS(vfs, recording)
    assert prepare(str(folder), disk=RecordingDisk(recording), vfs=vfs).voided
    del keep
    return recording.log, begin


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("make", [kill_image, power_cut], ids=["kill", "power"])
def test_what_a_crash_cut_off_stays_undone(
    tmp_path: Path, recorded: tuple[Recording, list[Known]], make: Make
) -> None:
    recording, known = recorded
    appended = appends(recording, known)
    others = set(range(known[0].acknowledged, len(recording) + 1)) - set(appended)
    voided = 0
    for point in [*appended, *random.Random(5).sample(sorted(others), POINTS)]:
        target = tmp_path / "crash"
        target.mkdir()
        make(recording.log, point, str(target))
        where = f"crash at operation {point}: {recording.log[point - 1][:4]}"
        voided += check(target, known, point, where).voided
        shutil.rmtree(target)
    assert voided >= len(appended) or make is not kill_image


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("make", [kill_image, power_cut], ids=["kill", "power"])
def test_a_start_that_is_cut_off_is_done_again(
    tmp_path: Path, recorded: tuple[Recording, list[Known]], make: Make
) -> None:
    recording, known = recorded
    chosen = random.Random(7).sample(appends(recording, known), STARTS)
    for number, upto in enumerate(chosen):
        name = f"start-{make.__name__}-{number}"
        log, first = record_start(recording.log, tmp_path / name, upto, name)
        for point in range(first, len(log) + 1):
            target = tmp_path / "crash"
            target.mkdir()
            make(log, point, str(target))
            check(target, known, upto, f"killed at {upto}, the start at {point} of {len(log)}")
            shutil.rmtree(target)
