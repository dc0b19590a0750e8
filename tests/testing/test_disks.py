"""The fault disks themselves: what they write down, what a power cut leaves, how they fail."""

import errno
import os
import shutil
from operator import methodcaller
from pathlib import Path

import apsw
import pytest

from neve.catalog.sqlite import SqliteCatalog
from neve.disk import Disk, ensure_dir, write_all, write_group
from neve.testing.crash import crash_image
from neve.testing.disks import (
    CarelessDisk,
    FailingDisk,
    Recording,
    RecordingDisk,
    fail_at,
    fail_on,
)
from neve.testing.vfs import RecordingVFS

SECTOR = 512
CREATE = os.O_RDWR | os.O_CREAT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def images(recording: Recording, tmp_path: Path, upto: int | None = None) -> list[dict[str, bytes]]:
    """What fifty power cuts at the same moment leave: names and contents."""
    found = []
    for seed in range(50):
        target = tmp_path / f"image-{seed}"
        target.mkdir()
        crash_image(recording.log, len(recording) if upto is None else upto, seed, str(target))
        paths = [path for path in target.rglob("*") if path.is_file()]
        found.append({str(path.relative_to(target)): path.read_bytes() for path in paths})
    return found


def test_everything_is_written_down_in_order(root: Path) -> None:
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    disk.mkdir(str(root / "d"))
    fd = disk.open(str(root / "d" / "f"), CREATE)
    disk.pwrite(fd, b"one", 0)
    disk.pwritev(fd, [b"two", memoryview(b"three")], 3)
    disk.ftruncate(fd, 5)
    disk.fdatasync(fd)
    disk.close(fd)
    disk.rename(str(root / "d" / "f"), str(root / "d" / "g"))
    disk.sync_dir(str(root / "d"))
    disk.unlink(str(root / "d" / "g"))
    disk.rmdir(str(root / "d"))
    disk.sync_dir(str(root))
    assert [(o.name, o.path, o.offset, o.data, o.target) for o in recording.log[1:]] == [
        ("mkdir", "d", 0, b"", ""),
        ("create", "d/f", 0, b"", ""),
        ("write", "d/f", 0, b"one", ""),
        ("write", "d/f", 3, b"twothree", ""),
        ("truncate", "d/f", 5, b"", ""),
        ("sync", "d/f", 0, b"", ""),
        ("rename", "d/f", 0, b"", "d/g"),
        ("sync_dir", "d", 0, b"", ""),
        ("unlink", "d/g", 0, b"", ""),
        ("rmdir", "d", 0, b"", ""),
        ("sync_dir", "", 0, b"", ""),
    ]


def test_what_was_there_before_is_durable(root: Path, tmp_path: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").write_bytes(b"old")
    assert all(image == {"d/f": b"old"} for image in images(Recording(str(root)), tmp_path))


def test_what_was_synced_survives_and_the_rest_may_not(root: Path, tmp_path: Path) -> None:
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    fd = disk.open(str(root / "f"), CREATE)
    disk.pwrite(fd, b"a" * 2000, 0)
    disk.fdatasync(fd)
    disk.sync_dir(str(root))
    disk.pwrite(fd, b"b" * 1000, 0)
    disk.pwrite(fd, b"c" * 3000, 2000)
    contents = {image["f"] for image in images(recording, tmp_path)}
    sectors = {c[at : at + SECTOR] for c in contents for at in (0, SECTOR)}
    assert sectors >= {b"a" * SECTOR, b"b" * SECTOR}
    assert all(c[1000:2000] == b"a" * 1000 for c in contents)
    assert b"a" * 2000 in contents
    assert b"b" * 1000 + b"a" * 1000 + b"c" * 3000 in contents
    # Reordered: the later write without the earlier one; and torn: only some sectors of it.
    assert any(c[:1000] == b"a" * 1000 and c[2000:].count(b"c") == 3000 for c in contents)
    assert any(0 < c[2000:].count(b"c") < 3000 for c in contents)


def test_a_name_survives_by_a_sync_of_its_directory_only(root: Path, tmp_path: Path) -> None:
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    ensure_dir(disk, str(root / "d"), set())
    fd = disk.open(str(root / "d" / "f"), CREATE)
    disk.pwrite(fd, b"data", 0)
    disk.fdatasync(fd)
    assert {image.get("d/f") for image in images(recording, tmp_path)} == {None, b"data"}


def test_renames_and_removals_may_be_undone(root: Path, tmp_path: Path) -> None:
    for name in "abc":
        (root / name).write_bytes(name.encode())
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    disk.rename(str(root / "a"), str(root / "b"))
    disk.unlink(str(root / "c"))
    found = images(recording, tmp_path)
    before, after = {"a": b"a", "b": b"b"}, {"b": b"a"}
    assert all({n: image[n] for n in image if n != "c"} in (before, after) for image in found)
    assert before | {"c": b"c"} in found and after in found and after | {"c": b"c"} in found


def test_the_same_seed_gives_the_same_image(root: Path, tmp_path: Path) -> None:
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    fd = disk.open(str(root / "f"), CREATE)
    disk.sync_dir(str(root))
    for at in range(20):
        disk.pwrite(fd, b"%d" % at * 5000, at * 3000)
    for upto in range(len(recording)):
        contents = []
        for attempt in "xy":
            target = tmp_path / f"{attempt}{upto}"
            target.mkdir()
            crash_image(recording.log, upto, 7, str(target))
            contents.append([(p.name, p.read_bytes()) for p in target.iterdir()])
        assert contents[0] == contents[1]


def test_sqlite_is_written_down_with_the_rest(root: Path, tmp_path: Path) -> None:
    """A committed and synced row survives any power cut; one that was not synced may be lost."""
    recording = Recording(str(root))
    disk = RecordingDisk(recording, CarelessDisk())
    vfs = RecordingVFS("neve-test-recording", recording)
    path = str(root / "c.db")
    connection = apsw.Connection(path, vfs=vfs.name)
    assert connection.pragma("journal_mode", "wal") == "wal"
    connection.pragma("synchronous", "normal")
    connection.execute("CREATE TABLE t(x)")
    wal = disk.open(path + "-wal", os.O_RDWR)
    due = []
    for number in range(12):
        connection.execute("INSERT INTO t VALUES(?)", (number,))
        if number % 3 == 2:
            disk.fdatasync(wal)
            disk.sync_dir(str(root))
            due.append((len(recording), number + 1))
        if number == 7:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.close(wal)
    names = {operation.name for operation in recording.log if operation.path.startswith("c.db")}
    assert names >= {"create", "write", "truncate", "sync"}
    counts = set()
    for upto in range(due[0][0], len(recording) + 1):
        target = tmp_path / f"image-{upto}"
        target.mkdir()
        crash_image(recording.log, upto, upto, str(target))
        image = apsw.Connection(str(target / "c.db"))
        rows = [x for (x,) in image.execute("SELECT x FROM t")]
        assert rows == list(range(len(rows)))
        assert len(rows) >= max(n for since, n in due if since <= upto)
        assert image.pragma("quick_check") == "ok"
        counts.add(len(rows))
        image.close()
    assert len(counts) > 3
    connection.close()
    vfs.unregister()


def test_the_catalog_keeps_what_it_synced(root: Path, tmp_path: Path) -> None:
    """SQLite's writes and the catalog's own syncs are in one recording, in their true order."""
    recording = Recording(str(root))
    vfs = RecordingVFS("neve-test-catalog", recording)
    path = str(root / "catalog.db")
    catalog = SqliteCatalog(
        path, create=True, disk=RecordingDisk(recording, CarelessDisk()), vfs=vfs.name
    )
    due = [(len(recording), 0)]
    for number in range(1, 9):
        catalog.transact([methodcaller("put_setting", f"{number}", b"x" * 3000)])
        if number % 2 == 0:
            catalog.sync()
            due.append((len(recording), number))
        if number == 5:
            catalog.checkpoint()
    catalog.close()
    vfs.unregister()
    for upto in range(due[0][0], len(recording) + 1):
        target = tmp_path / f"image-{upto}"
        target.mkdir()
        crash_image(recording.log, upto, upto, str(target))
        image = SqliteCatalog(str(target / "catalog.db"), disk=CarelessDisk())
        count = len(image.reader().settings(""))
        assert count >= max(n for since, n in due if since <= upto)
        image.close()
        shutil.rmtree(target)


def test_a_call_fails_once_or_from_then_on(root: Path) -> None:
    disk = FailingDisk(fail_at(2, errno.EIO))
    disk.mkdir(str(root / "1"))
    with pytest.raises(OSError) as raised:
        disk.mkdir(str(root / "2"))
    assert raised.value.errno == errno.EIO
    disk.mkdir(str(root / "3"))
    disk.choose = fail_at(5, errno.ENOSPC, forever=True)
    disk.mkdir(str(root / "4"))
    for _ in range(3):
        with pytest.raises(OSError) as raised:
            disk.mkdir(str(root / "5"))
        assert raised.value.errno == errno.ENOSPC
    assert sorted(os.listdir(root)) == ["1", "3", "4"]
    assert [call.number for call in disk.faults] == [2, 5, 6, 7]


def test_a_short_write_puts_down_what_it_says(root: Path) -> None:
    disk = FailingDisk()
    fd = disk.open(str(root / "f"), CREATE)
    disk.choose = fail_on("pwritev", 0, written=4)
    assert disk.pwritev(fd, [b"abc", b"def"], 0) == 4
    disk.choose = fail_on("pwrite", errno.ENOSPC, written=1)
    with pytest.raises(OSError):
        disk.pwrite(fd, b"xyz", 4)
    assert (root / "f").read_bytes() == b"abcdx"


@pytest.mark.parametrize("written", range(9))
def test_writes_go_on_after_short_ones(root: Path, written: int) -> None:
    disk = FailingDisk()
    fd = disk.open(str(root / "f"), CREATE)
    disk.choose = fail_on("pwritev", 0, written=written)
    if written == 0:
        with pytest.raises(OSError):
            write_group(disk, fd, [b"abc", b"", memoryview(b"defghi")], 0)
        return
    write_group(disk, fd, [b"abc", b"", memoryview(b"defghi")], 0)
    assert (root / "f").read_bytes() == b"abcdefghi"
    disk.choose = fail_on("pwrite", 0, written=written)
    write_all(disk, fd, b"123456789", 9)
    assert (root / "f").read_bytes() == b"abcdefghi123456789"


def test_the_real_disk_makes_names_durable_where_asked(root: Path) -> None:
    recording = Recording(str(root))
    durable: set[str] = set()
    for _ in range(2):
        ensure_dir(RecordingDisk(recording, CarelessDisk()), str(root / "d"), durable)
    assert [operation.name for operation in recording.log[1:]] == ["mkdir", "sync_dir"]
    other = Recording(str(root))
    ensure_dir(RecordingDisk(other), str(root / "d"), set())
    assert other.log[-1].name == "sync_dir", "another process made it and may not have synced it"
    Disk().sync_dir(str(root))
