"""A disk that fails at any call: the right error, and nothing that was refused counts."""

import errno
from pathlib import Path

import pytest

from neve.blobs.blobs import Append, Blob
from neve.blobs.local import LocalBlobStore
from neve.errors import StoreFault, StoreFull, StoreReadOnly
from neve.testing.blobs import Place, blob_of, load, pattern, record, write_file
from neve.testing.disks import Call, CarelessDisk, FailingDisk, Fault, fail_at, fail_on


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk(inner=CarelessDisk())


@pytest.fixture
def store(tmp_path: Path, disk: FailingDisk) -> LocalBlobStore:
    return open_store(tmp_path, disk)


def open_store(path: Path, disk: FailingDisk, direct: bool = True) -> LocalBlobStore:
    return LocalBlobStore(
        str(path / "blobs"),
        disk,
        new_segment=Place(path).new_segment,
        epoch=1,
        worker=0,
        segment_bytes_max=30_000,
        direct=direct,
    )


def seqs(store: LocalBlobStore, segment: int) -> list[int]:
    """What a scan takes for whole records."""
    return [item.seq for _, _, item, _, intact in store.scan_segment(segment) if intact]


def test_a_short_write_is_gone_on_with(store: LocalBlobStore, disk: FailingDisk) -> None:
    data = [pattern(3000, n) for n in range(4)]
    for written in (1, 47, 48, 3051, 3052, 5000):
        disk.choose = fail_on("pwritev", 0, written=written)
        append = store.append([record(item) for item in data], 0)
        for index, item in enumerate(data):
            store.verify(blob_of(append, index, item))
    disk.choose = fail_on("pwrite", 0, written=10)
    append = store.append([record(data[0])], 1 << 20)
    store.verify(blob_of(append, 0, data[0]))
    assert len(disk.faults) == 7


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreFault)])
def test_a_failed_group_leaves_nothing_and_the_next_takes_its_place(
    store: LocalBlobStore, disk: FailingDisk, number: int, kind: type[StoreFault]
) -> None:
    first = store.append([record(b"first", seq=1)], 0)
    for written in (0, 48, 100, 2000, 3100):
        # The first call writes some of it, the next fails: as the kernel does on a full disk.
        faults = iter((Fault(0, written) if written else Fault(number), Fault(number)))
        disk.choose = lambda call, f=faults: next(f) if call.operation == "pwritev" else None
        with pytest.raises(kind):
            store.append([record(pattern(1000, n), seq=666) for n in range(3)], 0)
        disk.choose = None
        assert seqs(store, first.segment) == [1]
    second = store.append([record(b"second", seq=2)], 0)
    assert (second.segment, second.offset) == (first.segment, first.offset + first.length)
    assert seqs(store, first.segment) == [1, 2]
    assert store.sealed == []


def test_a_segment_that_cannot_be_cut_is_left(store: LocalBlobStore, disk: FailingDisk) -> None:
    first = store.append([record(b"first", seq=1)], 0)

    def choose(call: Call) -> Fault | None:
        return Fault(errno.EIO, 30) if call.operation in ("pwritev", "ftruncate") else None

    disk.choose = choose
    with pytest.raises(StoreFault):
        store.append([record(pattern(1000), seq=666)], 0)
    disk.choose = None
    second = store.append([record(b"second", seq=2)], 0)
    assert second.segment != first.segment
    assert store.sealed == [first.segment]
    assert seqs(store, first.segment) == [1]
    assert seqs(store, second.segment) == [2]


def test_a_header_torn_while_it_is_amended_is_amended_after_all(
    store: LocalBlobStore, disk: FailingDisk
) -> None:
    append = store.append([record(b"one", seq=1), record(b"two", seq=2)], 0)
    disk.choose = fail_on("pwrite", errno.ENOSPC, written=10)
    with pytest.raises(StoreFull):
        store.amend(append.segment, append.starts[0], 9, 7)
    disk.choose = None
    store.amend(append.segment, append.starts[0], 9, 7)
    assert seqs(store, append.segment) == [7, 2]


def test_a_full_disk_does_not_use_up_segment_ids(store: LocalBlobStore, disk: FailingDisk) -> None:
    for operation in ("open", "pwrite", "fdatasync", "sync_dir") * 3:
        disk.choose = fail_on(operation, errno.ENOSPC, path="segments/")
        with pytest.raises(StoreFull):
            store.append([record(b"data")], 0)
    assert store.append([record(b"data")], 0).segment == 1
    assert list(store.segments()) == [1]
    assert store.sealed == []


def test_a_failed_sync_ends_appending(store: LocalBlobStore, disk: FailingDisk) -> None:
    append = store.append([record(b"data")], 0)
    disk.choose = fail_on("fdatasync", errno.EIO)
    with pytest.raises(StoreReadOnly):
        store.sync_segment(append.segment)
    # The disk would say yes now; what it holds is unknown all the same.
    with pytest.raises(StoreReadOnly):
        store.sync_segment(append.segment)
    with pytest.raises(StoreReadOnly):
        store.append([record(b"data")], 0)
    assert load(store, blob_of(append, 0, b"data"), 0, 4) == b"data"


@pytest.mark.parametrize("direct", [True, False])
def test_any_failing_call_fails_a_file_and_leaves_none(tmp_path: Path, direct: bool) -> None:
    data = pattern((1 << 20) + 9000)
    for number in range(1, 100):
        disk = FailingDisk(inner=CarelessDisk())
        (tmp_path / str(number)).mkdir()
        store = open_store(tmp_path / str(number), disk, direct)
        disk.choose = fail_at(disk.calls + number, errno.EIO)
        writer = None
        try:
            writer = store.create_file()
            writer.write(memoryview(data))
            blob = writer.commit(sync=True)
        except StoreFault:
            assert disk.faults
            if writer is not None:
                writer.abort()
            assert list(store.files(2)) == []
            continue
        assert not disk.faults
        disk.choose = None
        store.verify(blob)
        break
    assert number > 8


def test_a_full_disk_is_told_from_a_broken_one(store: LocalBlobStore, disk: FailingDisk) -> None:
    for number, kind in ((errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull)):
        disk.choose = fail_on("pwrite", number)
        writer = store.create_file()
        with pytest.raises(kind):
            writer.write(memoryview(pattern(2 << 20)))
        writer.abort()
    disk.choose = fail_on("pwrite", errno.EIO)
    writer = store.create_file()
    with pytest.raises(StoreFault) as raised:
        writer.write(memoryview(pattern(2 << 20)))
    assert not isinstance(raised.value, StoreFull)


@pytest.mark.parametrize("written", [1, 512, 4096, 5000, 1 << 19])
def test_a_short_write_of_a_file_is_gone_on_with(
    store: LocalBlobStore, disk: FailingDisk, written: int
) -> None:
    data = pattern((3 << 20) + 77)
    disk.choose = fail_on("pwrite", 0, written=written, count=2)
    store.verify(write_file(store, data))
    assert len(disk.faults) == 2


@pytest.mark.parametrize("operation", ["open", "pwrite"])
def test_a_file_system_that_refuses_direct_writes_gets_buffered_ones(
    store: LocalBlobStore, disk: FailingDisk, operation: str
) -> None:
    data = pattern((2 << 20) + 77)
    pieces = [data[at : at + 300_000] for at in range(0, len(data), 300_000)]
    store.append([record(b"x")], 0)
    disk.choose = fail_on(operation, errno.EINVAL)
    for _ in range(2):
        blob = write_file(store, *pieces)
        store.verify(blob)
        assert load(store, blob, 0, len(data)) == data
    assert len(disk.faults) == 1


def test_deleting_reports_a_broken_disk(store: LocalBlobStore, disk: FailingDisk) -> None:
    append: Append = store.append([record(b"data")], 0)
    blob: Blob = write_file(store, b"data")
    disk.choose = fail_on("unlink", errno.EIO, count=2)
    with pytest.raises(StoreFault):
        store.delete_segment(append.segment)
    with pytest.raises(StoreFault):
        store.delete_file(blob.id)
    store.verify(blob)
