"""Power cuts at every operation of a run: what was acknowledged is there, nothing false is."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from neve.blobs.blobs import Blob, Record
from neve.blobs.local import LocalBlobStore
from neve.disk import Disk
from neve.errors import BlobCorrupt, BlobMissing
from neve.testing.blobs import Place, blob_of, load, pattern, record
from neve.testing.crash import crash_image
from neve.testing.disks import CarelessDisk, Recording, RecordingDisk

SEGMENT_BYTES_MAX = 40_000
SEEDS = 3


def open_store(place: Place, path: Path, disk: Disk, *, epoch: int, direct: bool) -> LocalBlobStore:
    return LocalBlobStore(
        str(path),
        disk,
        new_segment=place.new_segment,
        epoch=epoch,
        worker=0,
        segment_bytes_max=SEGMENT_BYTES_MAX,
        direct=direct,
    )


class Promise(NamedTuple):
    """Bytes that must be there when the power is cut after this many operations or more."""

    since: int
    blob: Blob
    data: bytes
    redo: tuple[int, int, bytes] | None
    """The catalog's redo row, which promises the same without a sync."""


class Run:
    """A busy store on a recorded disk, with what it has promised and what it has written."""

    def __init__(self, place: Place, path: Path, seed: int, direct: bool) -> None:
        self.recording = Recording(str(path))
        disk = RecordingDisk(self.recording, CarelessDisk())
        self.store = open_store(place, path / "blobs", disk, epoch=1, direct=direct)
        self.promises: list[Promise] = []
        self.dropped: dict[Blob, int] = {}
        """Blobs that were deleted, and when the deletion began."""
        self.written: set[tuple[int, int, bytes, int]] = set()
        """(kind, seq, head, digest) of every record at any time, refused ones included."""
        self._chance = random.Random(seed)
        self._seq = 0
        self._unsynced: list[tuple[int, Blob, bytes]] = []

    def go(self, steps: int) -> None:
        choices: list[Callable[[], None]] = [
            *[self.append] * 4,
            self.append_with_redo,
            self.sync,
            self.write_file,
            self.delete_file,
            self.abort_file,
        ]
        for _ in range(steps):
            self._chance.choice(choices)()
        self.sync()
        self.store.close()

    def group(self) -> tuple[list[Record], list[bytes]]:
        data = [
            pattern(self._chance.choice((0, 1, 100, 700, 5000)), self._chance.getrandbits(32))
            for _ in range(self._chance.randint(1, 4))
        ]
        records = []
        for item in data:
            self._seq += 1
            records.append(record(item, 1, self._seq, b"head %d" % self._seq))
        self.written |= {(r.kind, r.seq, r.head, r.digest) for r in records}
        return records, data

    def append(self) -> None:
        records, data = self.group()
        append = self.store.append(records, 0)
        for index, item in enumerate(data):
            self._unsynced.append((append.segment, blob_of(append, index, item), item))
        if self._chance.random() < 0.3:
            self.written.add((7, 0, records[0].head, records[0].digest))
            self.store.amend(append.segment, append.starts[0], 7, 0)

    def append_with_redo(self) -> None:
        records, data = self.group()
        append = self.store.append(records, 1 << 20)
        assert append.raw is not None
        redo = append.segment, append.offset, append.raw
        for index, item in enumerate(data):
            blob = blob_of(append, index, item)
            self.promises.append(Promise(len(self.recording), blob, item, redo))

    def sync(self) -> None:
        for segment in {segment for segment, _, _ in self._unsynced}:
            self.store.sync_segment(segment)
        self.promises += [Promise(len(self.recording), b, d, None) for _, b, d in self._unsynced]
        self._unsynced = []

    def write_file(self) -> None:
        data = pattern(self._chance.choice((0, 10, 4096, 9000)), self._chance.getrandbits(32))
        writer = self.store.create_file()
        writer.write(memoryview(data))
        blob = writer.commit(sync=True)
        self.promises.append(Promise(len(self.recording), blob, data, None))

    def delete_file(self) -> None:
        files = [p.blob for p in self.promises if p.blob.tier and p.blob not in self.dropped]
        if files:
            blob = self._chance.choice(files)
            self.dropped[blob] = len(self.recording)
            self.store.delete_file(blob.id)

    def abort_file(self) -> None:
        writer = self.store.create_file()
        writer.write(memoryview(pattern(5000)))
        writer.abort()


def check(run: Run, upto: int, store: LocalBlobStore) -> None:
    """Hold the store, opened on an image, against what the run had promised by then."""
    due = [p for p in run.promises if p.since <= upto]
    for promise in due:
        if promise.redo is not None:
            assert store.replay(*promise.redo)
    for promise in due:
        if run.dropped.get(promise.blob, upto) < upto:
            continue
        store.verify(promise.blob)
        assert load(store, promise.blob, 0, len(promise.data)) == promise.data
    found = set()
    for segment in store.segments():
        for start, offset, item, length, intact in store.scan_segment(segment):
            if intact:
                identity = item.kind, item.seq, item.head, item.digest
                assert identity in run.written, "a record that nobody wrote"
                found.add((segment, offset, length))
            assert start % 8 == 0
    for promise in due:
        if promise.blob.tier == 0:
            assert (promise.blob.id, promise.blob.offset, promise.blob.length) in found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_power_cut_keeps_every_promise(tmp_path: Path, seed: int) -> None:
    place = Place(tmp_path)
    (tmp_path / "run").mkdir()
    run = Run(place, tmp_path / "run", seed, direct=bool(seed % 2))
    run.go(45)
    log = run.recording.log
    assert len(run.promises) > 20 and len({p.blob.id for p in run.promises}) > 3
    for upto in range(len(log) + 1):
        target = tmp_path / f"image-{upto}"
        target.mkdir()
        crash_image(log, upto, seed, str(target))
        store = open_store(place, target / "blobs", CarelessDisk(), epoch=2, direct=False)
        check(run, upto, store)
        store.close()
        shutil.rmtree(target)


def test_what_was_not_synced_may_be_lost(tmp_path: Path) -> None:
    """The images do lose things: else the test above would prove nothing."""
    place = Place(tmp_path)
    (tmp_path / "run").mkdir()
    recording = Recording(str(tmp_path / "run"))
    disk = RecordingDisk(recording, CarelessDisk())
    store = open_store(place, tmp_path / "run" / "blobs", disk, epoch=1, direct=False)
    data = pattern(5000)
    append = store.append([record(data)], 0)
    writer = store.create_file()
    writer.write(memoryview(data))
    blobs = [blob_of(append, 0, data), writer.commit(sync=False)]
    outcomes: list[set[str]] = [set(), set()]
    for seed in range(40):
        target = tmp_path / f"image-{seed}"
        target.mkdir()
        crash_image(recording.log, len(recording), seed, str(target))
        image = open_store(place, target / "blobs", CarelessDisk(), epoch=2, direct=False)
        for blob, outcome in zip(blobs, outcomes, strict=True):
            try:
                image.verify(blob)
                outcome.add("whole")
            except BlobMissing:
                outcome.add("missing")
            except BlobCorrupt:
                outcome.add("damaged")
    # The name of a segment is durable before its first record, that of a file is not.
    assert outcomes[0] == {"whole", "damaged"}
    assert outcomes[1] == {"whole", "missing", "damaged"}


def test_an_id_that_a_crash_left_a_file_for_is_passed_over(tmp_path: Path) -> None:
    """The catalog may forget that it gave out an id, when the power fails before it was synced."""
    place = Place(tmp_path)
    store = open_store(place, tmp_path / "blobs", Disk(), epoch=1, direct=False)
    left = store.append([record(b"left behind")], 0)
    ids = iter((left.segment, left.segment + 1))
    again = LocalBlobStore(
        str(tmp_path / "blobs"), Disk(), new_segment=ids.__next__, epoch=2, worker=0
    )
    append = again.append([record(b"new")], 0)
    assert append.segment == left.segment + 1
    assert again.sealed == [left.segment]
    assert os.path.exists(tmp_path / "blobs/segments/01/0000000000000001.seg")
