"""LocalBlobStore: the conformance suite with and without O_DIRECT, and its own promises."""

import contextlib
import ctypes
import errno
import itertools
import mmap
import os
import random
import struct
import tempfile
import threading
from pathlib import Path

import pytest
from xxhash import xxh3_64_intdigest

from neve.blobs.blobs import SEGMENT, Blob, Record
from neve.blobs.files import COUNTER_MAX, EPOCH_MAX, WORKER_MAX, Files
from neve.blobs.local import HANDLES_MAX, LocalBlobStore
from neve.disk import Disk
from neve.errors import BlobCorrupt, BlobMissing, StoreFault
from neve.testing.blobs import (
    BlobStoreTests,
    Place,
    blob_of,
    load,
    pattern,
    record,
    write_file,
)
from neve.testing.disks import CarelessDisk


def path_of(root: Path, blob: Blob) -> Path:
    """Where the docstrings of segments.py and files.py say that a blob is."""
    if blob.tier == SEGMENT:
        return root / "segments" / f"{blob.id & 255:02x}" / f"{blob.id:016x}.seg"
    folder = f"{(blob.id & (1 << 39) - 1) >> 12:x}"
    return root / "files" / f"{blob.id >> 39:x}" / folder / f"{blob.id:016x}"


class TestLocalBlobStore(BlobStoreTests):
    direct = True
    disk: type[Disk] = Disk

    def open(self, place: Place, *, epoch: int, worker: int) -> LocalBlobStore:
        return LocalBlobStore(
            str(place.path / "blobs"),
            self.disk(),
            new_segment=place.new_segment,
            epoch=epoch,
            worker=worker,
            segment_bytes_max=self.segment_bytes_max,
            direct=self.direct,
        )

    def flip(self, place: Place, blob: Blob, offset: int) -> None:
        with path_of(place.path / "blobs", blob).open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 255]))


class TestLocalBlobStoreBuffered(TestLocalBlobStore):
    direct = False
    disk = CarelessDisk


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def store(place: Place) -> LocalBlobStore:
    return TestLocalBlobStore().open(place, epoch=1, worker=0)


def open_paths(store: LocalBlobStore) -> list[str]:
    """What this process has open of the store."""
    paths: list[str] = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            paths.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in paths if path.startswith(store.root)]


def cached_pages(path: str) -> int:
    """How many pages of a file the page cache holds."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    states = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(mapped)))
    assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(size), states) == 0
    return sum(state & 1 for state in states.raw)


def test_appended_data_is_read_without_waiting(store: LocalBlobStore) -> None:
    """The page cache has what was just written: no hop to a thread for a GET after a PUT."""
    data = pattern(1 << 20)
    blob = blob_of(store.append([record(data)], 0), 0, data)
    for start, stop in ((0, 4096), (4095, 70_000), (0, 1 << 20)):
        assert store.read(blob, start, stop) == data[start:stop]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP])
def test_read_never_waits_for_the_disk(
    store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The kernel is asked not to wait; that it cannot is an answer."""
    blob = blob_of(store.append([record(b"data")], 0), 0, b"data")
    asked = []

    def preadv(fd: int, buffers: object, offset: int, flags: int) -> int:
        asked.append(flags)
        raise OSError(number, "not now")

    monkeypatch.setattr(os, "preadv", preadv)
    assert store.read(blob, 0, 4) is None
    assert asked == [os.RWF_NOWAIT]


def test_a_failing_read_is_a_fault(store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = write_file(store, b"data")

    def preadv(*arguments: object) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "preadv", preadv)
    for call in (lambda: store.read(blob, 0, 4), lambda: store.verify(blob)):
        with pytest.raises(StoreFault) as raised:
            call()
        assert not isinstance(raised.value, BlobMissing | BlobCorrupt)


def test_read_beyond_the_end_of_a_cut_file_is_none(store: LocalBlobStore) -> None:
    blob = write_file(store, pattern(5000))
    assert load(store, blob, 0, 5000) == pattern(5000)
    os.truncate(store.file_path(blob.id), 3000)
    assert store.read(blob, 0, 5000) is None
    with pytest.raises(BlobCorrupt):
        store.verify(blob)


def test_open_files_are_bounded_and_never_closed_in_use(store: LocalBlobStore) -> None:
    blobs = [write_file(store, b"%06d" % n, sync=False) for n in range(HANDLES_MAX + 40)]
    spans = [store.span(blob, 0, 6) for blob in blobs[:50]]
    for blob in blobs:
        assert load(store, blob, 0, 6) == b"%06d" % blobs.index(blob)
    assert len(open_paths(store)) <= HANDLES_MAX + 50
    for index, span in enumerate(spans):
        assert os.pread(span.fd, 6, span.offset) == b"%06d" % index
        span.release()
    assert len(open_paths(store)) == HANDLES_MAX
    store.close()
    assert not open_paths(store)


def test_the_space_of_deleted_files_is_given_back(store: LocalBlobStore) -> None:
    blobs = [write_file(store, b"data", sync=False) for _ in range(3)]
    for blob in blobs:
        assert load(store, blob, 0, 4) == b"data"
    for blob in blobs[:2]:
        os.unlink(store.file_path(blob.id))
    span = store.span(blobs[0], 0, 4)
    assert sum(path.endswith("(deleted)") for path in open_paths(store)) == 2
    assert store.forget_deleted() == 2
    assert sum(path.endswith("(deleted)") for path in open_paths(store)) == 1
    assert os.pread(span.fd, 4, 0) == b"data"
    span.release()
    assert not any(path.endswith("(deleted)") for path in open_paths(store))
    assert store.forget_deleted() == 0


def test_threads_read_the_same_blobs_at_once(store: LocalBlobStore) -> None:
    data = [pattern(50_000, n) for n in range(20)]
    append = store.append([record(item) for item in data], 0)
    blobs = [blob_of(append, n, item) for n, item in enumerate(data)]
    blobs += [write_file(store, item, sync=False) for item in data]
    wrong: list[int] = []

    def read(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            index = chance.randrange(40)
            start = chance.randrange(50_000)
            if load(store, blobs[index], start, 50_000) != data[index % 20][start:]:
                wrong.append(index)
            if chance.random() < 0.1:
                store.forget_deleted()

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_sweep_removes_folders_that_it_finds_empty(place: Place, store: LocalBlobStore) -> None:
    other = TestLocalBlobStore().open(place, epoch=1, worker=1)
    blobs = [write_file(s, b"x", sync=False) for s in (store, other)]
    folder = Path(store.root) / "files" / "1"
    assert {path.name for path in folder.iterdir()} == {"0", "80000"}
    store.delete_file(blobs[0].id)
    assert list(store.files(2)) == [blobs[1].id]
    assert [path.name for path in folder.iterdir()] == ["80000"]
    store.delete_file(blobs[1].id)
    assert list(store.files(2)) == []
    assert not folder.exists()
    again = write_file(store, b"again")
    store.verify(again)


def test_what_is_not_ours_is_passed_over(store: LocalBlobStore) -> None:
    store.append([record(b"x")], 0)
    blob = write_file(store, b"x", sync=False)
    root = Path(store.root)
    for name in ("segments/01/zzzzzzzzzzzzzzzz.seg", "segments/README", "files/1/0/README"):
        (root / name).write_bytes(b"")
    for name in ("segments/lost+found", "files/lost+found", "files/1/lost+found"):
        (root / name).mkdir()
    assert list(store.segments()) == [1]
    assert list(store.files(2)) == [blob.id]


def test_ids_run_out_with_an_error(tmp_path: Path) -> None:
    for epoch, worker in ((EPOCH_MAX + 1, 0), (0, WORKER_MAX + 1), (-1, 0)):
        with pytest.raises(StoreFault):
            Files(str(tmp_path), Disk(), epoch, worker, direct=False)
    files = Files(str(tmp_path), Disk(), EPOCH_MAX, WORKER_MAX, direct=False)
    files._counter = itertools.count(COUNTER_MAX)
    last = files.create().commit(sync=False)
    assert last.id == (1 << 63) - 1
    with pytest.raises(StoreFault):
        files.create()


def test_files_are_written_past_the_page_cache(store: LocalBlobStore) -> None:
    """Buffered pages cost ten times the CPU (storage.md §4); tmpfs has nothing but pages."""
    blob = write_file(store, pattern(1 << 20))
    if not store._files.direct:
        pytest.skip("this file system refuses O_DIRECT")
    assert cached_pages(store.file_path(blob.id)) == 0
    append = store.append([record(pattern(1 << 20))], 0)
    assert cached_pages(store.segment_path(append.segment)) >= 256


def test_the_layout_on_disk_is_the_documented_one(place: Place, store: LocalBlobStore) -> None:
    """Written out by hand: a change of the format must be a decision."""
    data = b"twelve bytes"
    append = store.append([Record(3, 77, b"head", data, xxh3_64_intdigest(data))], 0)
    blob = blob_of(append, 0, data)
    raw = path_of(place.path / "blobs", blob).read_bytes()
    assert len(raw) == 48 + 48 + 4 + 12
    magic, form, zero, id, _, salt, check = struct.unpack_from("<8sIIQQQQ", raw)
    assert (magic, form, zero, id) == (b"NEVESEG\n", 1, 0, 1)
    assert check == xxh3_64_intdigest(raw[:40])
    fields = struct.unpack_from("<Q4sB3sIIQQQ", raw, 48)
    proof = xxh3_64_intdigest(raw[56:96], salt ^ 48)
    digests = xxh3_64_intdigest(b"head"), xxh3_64_intdigest(data)
    assert fields == (proof, b"nREC", 3, b"\1\0\0", 4, 12, 77, *digests)
    assert raw[96:] == b"head" + data
    assert path_of(place.path / "blobs", write_file(store, data)).read_bytes() == data


def test_a_segment_with_a_damaged_header_still_reads(place: Place, store: LocalBlobStore) -> None:
    blob = blob_of(store.append([record(b"data")], 0), 0, b"data")
    TestLocalBlobStore().flip(place, blob, 20)
    store.verify(blob)
    assert list(store.scan_segment(blob.id)) == []


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a memory file system")
def test_a_memory_file_system_will_do() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        place = Place(Path(folder))
        store = TestLocalBlobStore().open(place, epoch=1, worker=0)
        data = pattern((1 << 20) + 5)
        append = store.append([record(data)], 0)
        store.sync_segment(append.segment)
        for blob in (blob_of(append, 0, data), write_file(store, data)):
            store.verify(blob)
            assert load(store, blob, 0, len(data)) == data
        assert [intact for *_, intact in store.scan_segment(append.segment)] == [True]
        store.close()
