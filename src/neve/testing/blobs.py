"""The conformance suite of blob stores: what every implementation of `BlobStore` must do.

Subclass `BlobStoreTests` in a test module and say how a store is opened. Each test names the
sentence of the protocol that it proves.
"""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_intdigest

from neve.blobs.blobs import (
    FILE,
    FIRST,
    FOLLOWING,
    SEGMENT,
    Append,
    Blob,
    BlobStore,
    Record,
    Tail,
    unpack_blob,
)
from neve.blobs.buffers import BUFFERS
from neve.errors import BlobCorrupt, BlobMissing, StoreFault

MIB = 1 << 20


class Place:
    """What the processes of one store share: a folder and the segment ids handed out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shared: dict[str, Any] = {}
        self._ids = itertools.count(1)

    def new_segment(self) -> int:
        return next(self._ids)


def pattern(length: int, seed: int = 1) -> bytes:
    """Bytes that look random and differ everywhere, the same for the same seed."""
    return random.Random(seed).randbytes(length)


def record(data: bytes | memoryview, kind: int = 1, seq: int = 1, head: bytes = b"head") -> Record:
    """A record with the right digest."""
    return Record(kind, seq, head, data, xxh3_64_intdigest(data))


def blob_of(append: Append, index: int, data: bytes | memoryview) -> Blob:
    """The reference to the data of a record of a group."""
    return Blob(SEGMENT, append.segment, append.offsets[index], len(data), xxh3_64_intdigest(data))


def load(store: BlobStore, blob: Blob, start: int, stop: int) -> bytes:
    """The bytes as a reader gets them: from `read`, or from `span` when it has none."""
    data = store.read(blob, start, stop)
    if data is not None:
        return data
    span = store.span(blob, start, stop)
    try:
        return os.pread(span.fd, span.length, span.offset)
    finally:
        span.release()


def write_file(store: BlobStore, *pieces: bytes | memoryview, sync: bool = True) -> Blob:
    """A file written in these pieces."""
    writer = store.create_file()
    for piece in pieces:
        writer.write(memoryview(piece))
    return writer.commit(sync)


class BlobStoreTests:
    """Subclasses override `open` and `flip`."""

    segment_bytes_max = 4 * MIB

    def open(self, place: Place, *, epoch: int, worker: int) -> BlobStore:
        """A store at the place, as a process with these numbers sees it; segments are limited to
        `segment_bytes_max`."""
        raise NotImplementedError

    def flip(self, place: Place, blob: Blob, offset: int) -> None:
        """Invert one byte of the file or segment that holds the blob, behind the store's back;
        `offset` counts from the start of that file or segment."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path)

    @pytest.fixture
    def store(self, place: Place) -> Iterator[BlobStore]:
        store = self.open(place, epoch=1, worker=0)
        yield store
        store.close()

    @pytest.fixture
    def other(self, place: Place) -> Iterator[BlobStore]:
        """The same store as another process sees it."""
        store = self.open(place, epoch=1, worker=1)
        yield store
        store.close()

    def test_a_packed_blob_unpacks_to_itself(self) -> None:
        blob = Blob(FILE, (1 << 63) - 1, 5, 1 << 40, (1 << 64) - 1)
        assert len(blob.pack()) == 33
        assert unpack_blob(blob.pack()) == blob

    def test_appended_data_reads_back_before_any_sync(self, store: BlobStore) -> None:
        data = [pattern(length, length) for length in (1, 7, 8, 4096, 65_537, MIB)]
        append = store.append([record(item) for item in data], 0)
        for index, item in enumerate(data):
            blob = blob_of(append, index, item)
            assert load(store, blob, 0, len(item)) == item
            store.verify(blob)

    def test_any_range_of_a_blob_reads_back(self, store: BlobStore) -> None:
        data = pattern(10_000)
        blob = blob_of(store.append([record(b"before"), record(data)], 0), 1, data)
        for start, stop in ((0, 0), (0, 1), (5, 4096), (9_999, 10_000), (0, 10_000), (77, 77)):
            assert load(store, blob, start, stop) == data[start:stop]

    def test_data_may_be_a_memoryview(self, store: BlobStore) -> None:
        data = memoryview(bytearray(pattern(5000)))[3:4000]
        blob = blob_of(store.append([record(data)], 0), 0, data)
        assert load(store, blob, 0, len(data)) == data

    def test_append_keeps_order_and_one_segment_per_group(self, store: BlobStore) -> None:
        first = store.append([record(pattern(100, n), seq=n) for n in range(3)], 0)
        second = store.append([record(b"", seq=n) for n in range(3, 5)], 0)
        assert first.segment == second.segment
        assert second.offset == first.offset + first.length
        assert first.starts[0] == first.offset
        assert first.starts == sorted(first.starts)
        found = [item.seq for _, _, item, _, _ in store.scan_segment(first.segment)]
        assert found == [0, 1, 2, 3, 4]

    def test_groups_of_more_records_than_one_call_takes(self, store: BlobStore) -> None:
        text = pattern(6000)
        data = [text[n : n + 20 + n % 30] for n in range(3000)]
        append = store.append([record(item) for item in data], 0)
        for index in (0, 511, 512, 1023, 1024, 1025, 2999):
            blob = blob_of(append, index, data[index])
            assert load(store, blob, 0, blob.length) == data[index]
        assert sum(1 for _ in store.scan_segment(append.segment)) == 3000

    def test_raw_is_given_up_to_the_limit_and_is_what_was_written(self, store: BlobStore) -> None:
        group = [record(pattern(500)), record(b"", head=b"only tells")]
        length = store.append(group, 0).length
        assert store.append(group, length - 1).raw is None
        append = store.append(group, length)
        assert append.raw is not None and len(append.raw) == append.length == length
        at = append.offsets[0] - append.offset
        assert append.raw[at : at + 500] == pattern(500)

    def test_amend_changes_kind_and_seq_of_one_record(self, store: BlobStore) -> None:
        data = pattern(300)
        append = store.append([record(data, 1, 5), record(data, 1, 6), record(data, 1, 7)], MIB)
        header = store.amend(append.segment, append.starts[1], 9, 66)
        found = [(r.kind, r.seq, intact) for _, _, r, _, intact in store.scan_segment(1)]
        assert found == [(1, 5, True), (9, 66, True), (1, 7, True)]
        assert load(store, blob_of(append, 1, data), 0, 300) == data
        assert append.raw is not None
        assert header != append.raw[append.starts[1] - append.offset :][: len(header)]

    def test_amend_of_a_segment_that_is_left_is_refused(self, store: BlobStore) -> None:
        first = store.append([record(pattern(3 * MIB))], 0)
        store.append([record(pattern(3 * MIB))], 0)
        with pytest.raises(StoreFault):
            store.amend(first.segment, first.starts[0], 2, 2)

    def test_the_tail_tells_where_groups_begin(self, place: Place, store: BlobStore) -> None:
        first = store.append([record(pattern(300, n), 7, n) for n in range(2)], 0)
        second = store.append([record(pattern(200, n), 8, n) for n in range(2)], MIB)
        places = [FIRST, FOLLOWING]
        whole = [
            *map(Tail._make, zip(first.starts, places, [7, 7], strict=True)),
            *map(Tail._make, zip(second.starts, places, [8, 8], strict=True)),
        ]
        assert store.scan_tail(1, 0) == whole
        assert first.end == second.offset
        assert store.scan_tail(1, first.end) == whole[2:]
        assert store.scan_tail(1, first.offsets[0] + 5) == whole[1:]
        assert store.scan_tail(1, second.end) == []
        store.amend(1, second.starts[1], 9, 9)
        assert store.scan_tail(1, first.end)[1] == (second.starts[1], FOLLOWING, 9)

    def test_a_segment_that_nobody_appends_to_is_amended(
        self, place: Place, store: BlobStore
    ) -> None:
        append = store.append([record(pattern(300, n), 7, 5) for n in range(3)], 0)
        store.leave_segment(0)
        other = self.open(place, epoch=2, worker=0)
        other.amend_tail(1, append.starts[1:], 0)
        other.sync_segment(1)
        other.close()
        found = [(r.kind, r.seq, intact) for _, _, r, _, intact in store.scan_segment(1)]
        assert found == [(7, 5, True), (0, 0, True), (0, 0, True)]
        assert [each.place for each in store.scan_tail(1, 0)] == [FIRST, FOLLOWING, FOLLOWING]
        for call in (lambda: store.scan_tail(77, 0), lambda: store.amend_tail(77, [48], 0)):
            with pytest.raises(BlobMissing):
                call()

    def test_a_group_larger_than_the_room_left_goes_to_a_new_segment(
        self, store: BlobStore
    ) -> None:
        data = pattern(MIB)
        appends = [store.append([record(data)], 0) for _ in range(7)]
        assert [a.segment for a in appends] == [1, 1, 1, 2, 2, 2, 3]
        assert store.sealed == [1, 2]
        for append in appends:
            store.verify(blob_of(append, 0, data))

    def test_a_group_larger_than_a_segment_is_taken(self, store: BlobStore) -> None:
        group = [record(pattern(MIB, seed), seq=seed) for seed in range(6)]
        store.append([record(b"x")], 0)
        append = store.append(group, 0)
        assert append.segment == 2
        assert len(list(store.scan_segment(2))) == 6

    def test_processes_never_share_a_segment(self, store: BlobStore, other: BlobStore) -> None:
        mine = store.append([record(b"mine")], 0)
        theirs = other.append([record(b"theirs")], 0)
        assert mine.segment != theirs.segment
        assert load(other, blob_of(mine, 0, b"mine"), 0, 4) == b"mine"
        assert load(store, blob_of(theirs, 0, b"theirs"), 0, 6) == b"theirs"
        other.sync_segment(mine.segment)

    def test_sync_of_a_missing_segment_is_refused(self, store: BlobStore) -> None:
        with pytest.raises(BlobMissing):
            store.sync_segment(77)

    def test_replay_restores_a_group(self, place: Place, store: BlobStore) -> None:
        data = pattern(5000)
        append = store.append([record(data), record(b"", 2)], MIB)
        assert append.raw is not None
        for start in (append.starts[0], append.offsets[0] + 100, append.starts[1] + 30):
            self.flip(place, Blob(SEGMENT, append.segment, 0, 0, 0), start)
        assert [intact for *_, intact in store.scan_segment(append.segment)] == []
        assert store.replay(append.segment, append.offset, append.raw)
        store.sync_segment(append.segment)
        store.verify(blob_of(append, 0, data))
        assert [intact for *_, intact in store.scan_segment(append.segment)] == [True, True]

    def test_replay_of_a_gone_segment_says_so(self, store: BlobStore) -> None:
        append = store.append([record(b"data")], MIB)
        assert append.raw is not None
        store.delete_segment(append.segment)
        assert not store.replay(append.segment, append.offset, append.raw)
        assert list(store.segments()) == []

    def test_a_file_reads_back_whatever_the_pieces(self, store: BlobStore) -> None:
        data = pattern(3 * MIB + 4097)
        for cuts in ((), (1,), (4096,), (MIB,), (MIB, 2 * MIB), (4095, 4097, 2 * MIB + 1)):
            edges = [0, *cuts, len(data)]
            pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
            blob = write_file(store, *pieces)
            assert blob == (FILE, blob.id, 0, len(data), xxh3_64_intdigest(data))
            assert load(store, blob, 0, len(data)) == data
            assert load(store, blob, MIB - 1, MIB + 1) == data[MIB - 1 : MIB + 1]
            store.verify(blob)

    def test_a_file_of_any_small_length_reads_back(self, store: BlobStore) -> None:
        for length in (0, 1, 511, 512, 4095, 4096, 4097, 8192):
            blob = write_file(store, pattern(length))
            assert blob.length == length
            assert load(store, blob, 0, length) == pattern(length)
            store.verify(blob)

    def test_a_file_takes_pool_buffers_that_are_used_again(self, store: BlobStore) -> None:
        data = pattern(2 * MIB + 5000)
        buffer = BUFFERS.acquire()
        writer = store.create_file()
        for start in range(0, len(data), MIB):
            piece = data[start : start + MIB]
            buffer[: len(piece)] = piece
            writer.write(buffer[: len(piece)])
        buffer[:] = bytes(MIB)
        BUFFERS.release(buffer)
        blob = writer.commit(sync=True)
        assert load(store, blob, 0, len(data)) == data

    def test_an_unsynced_file_reads_back(self, store: BlobStore) -> None:
        blob = write_file(store, pattern(5000), sync=False)
        assert load(store, blob, 0, 5000) == pattern(5000)

    def test_files_of_all_processes_have_ids_of_their_own(
        self, place: Place, store: BlobStore, other: BlobStore
    ) -> None:
        later = self.open(place, epoch=2, worker=0)
        stores = (store, other, later)
        blobs = [write_file(s, b"x", sync=False) for s in stores for _ in range(30)]
        assert len({blob.id for blob in blobs}) == 90
        assert all(0 < blob.id < 1 << 63 for blob in blobs)
        later.close()

    def test_an_aborted_file_leaves_nothing(self, store: BlobStore) -> None:
        writer = store.create_file()
        writer.write(memoryview(pattern(MIB + 10)))
        writer.abort()
        writer.abort()
        store.create_file().abort()
        assert list(store.files(2)) == []

    def test_writers_do_not_disturb_each_other(self, store: BlobStore) -> None:
        writers = [store.create_file() for _ in range(5)]
        for step in range(4):
            for index, writer in enumerate(writers):
                writer.write(memoryview(pattern(300_000, index * 10 + step)))
        for index, writer in enumerate(writers):
            blob = writer.commit(sync=False)
            want = b"".join(pattern(300_000, index * 10 + step) for step in range(4))
            assert load(store, blob, 0, len(want)) == want

    def test_a_missing_blob_is_refused(self, store: BlobStore) -> None:
        for blob in (Blob(FILE, 12345, 0, 10, 0), Blob(SEGMENT, 12345, 48, 10, 0)):
            for call in (lambda b=blob: store.read(b, 0, 10), lambda b=blob: store.span(b, 0, 10)):
                with pytest.raises(BlobMissing):
                    call()
            with pytest.raises(BlobMissing):
                store.verify(blob)
        with pytest.raises(BlobMissing):
            list(store.scan_segment(12345))

    def test_a_span_outlives_deletion(self, store: BlobStore, other: BlobStore) -> None:
        data = pattern(100_000)
        append = store.append([record(data)], 0)
        blobs = [blob_of(append, 0, data), write_file(store, data)]
        spans = [store.span(blob, 10, 90_000) for blob in blobs]
        other.delete_segment(append.segment)
        store.delete_file(blobs[1].id)
        store.forget_deleted()
        for span in spans:
            assert span.length == 89_990
            assert os.pread(span.fd, span.length, span.offset) == data[10:90_000]
            span.release()

    def test_a_deleted_blob_is_missing(self, store: BlobStore) -> None:
        append = store.append([record(b"data")], 0)
        blobs = [blob_of(append, 0, b"data"), write_file(store, b"data")]
        for blob in blobs:
            assert load(store, blob, 0, 4) == b"data"
        store.delete_segment(append.segment)
        store.delete_file(blobs[1].id)
        for blob in blobs:
            with pytest.raises(BlobMissing):
                store.read(blob, 0, 4)

    def test_a_blob_that_another_process_deleted_is_missing_once_forgotten(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        blob = write_file(store, b"data")
        assert load(store, blob, 0, 4) == b"data"
        other.delete_file(blob.id)
        store.forget_deleted()
        with pytest.raises(BlobMissing):
            store.read(blob, 0, 4)

    def test_deleting_what_is_missing_is_fine(self, store: BlobStore) -> None:
        store.delete_file(12345)
        store.delete_segment(12345)

    def test_verify_finds_any_damage(self, place: Place, store: BlobStore) -> None:
        data = pattern(70_000)
        append = store.append([record(data)], 0)
        for blob in (blob_of(append, 0, data), write_file(store, data)):
            for offset in (0, 35_000, 69_999):
                store.verify(blob)
                self.flip(place, blob, blob.offset + offset)
                with pytest.raises(BlobCorrupt):
                    store.verify(blob)
                self.flip(place, blob, blob.offset + offset)
            with pytest.raises(BlobCorrupt):
                store.verify(blob._replace(length=blob.length + 100_000))

    def test_scan_tells_all_of_each_record(self, store: BlobStore) -> None:
        data = pattern(2 * MIB + 3)
        group = [
            record(b"", 4, (1 << 64) - 1, b""),
            record(data, 255, 2, pattern(70_000)),
            record(b"abc", 0, 0, b"h"),
        ]
        append = store.append(group, 0)
        want = [
            (append.starts[n], append.offsets[n], item._replace(data=b""), len(item.data), True)
            for n, item in enumerate(group)
        ]
        assert list(store.scan_segment(append.segment)) == want

    def test_scan_reports_damage_and_goes_on_behind_it(
        self, place: Place, store: BlobStore
    ) -> None:
        append = store.append([record(pattern(2000, n), seq=n) for n in range(9)], 0)
        whole = Blob(SEGMENT, append.segment, 0, 0, 0)
        self.flip(place, whole, append.offsets[1] + 5)  # data
        self.flip(place, whole, append.offsets[3] - 1)  # head
        for byte in range(40):
            self.flip(place, whole, append.starts[5] + byte)  # header
        self.flip(place, whole, append.starts[7] + 18)  # lengths
        found = {r.seq: intact for _, _, r, _, intact in store.scan_segment(append.segment)}
        assert found == {0: True, 1: False, 2: True, 3: False, 4: True, 6: True, 8: True}
        heads = {r.seq: r.head for _, _, r, _, _ in store.scan_segment(append.segment)}
        assert [seq for seq, head in heads.items() if not head] == [3]

    def test_data_that_imitates_a_record_is_never_taken_for_one(
        self, place: Place, store: BlobStore
    ) -> None:
        genuine = store.append([record(b"victim", 1, 666)], MIB)
        assert genuine.raw is not None
        data = b"".join(bytes(shift) + genuine.raw for shift in range(9)) * 50
        append = store.append([record(data, seq=2), record(b"", seq=3)], 0)
        self.flip(place, blob_of(append, 0, data), append.starts[0] + 9)
        found = [r.seq for _, _, r, _, _ in store.scan_segment(append.segment)]
        assert found == [666, 3]

    def test_segments_and_files_are_listed(self, place: Place, store: BlobStore) -> None:
        for _ in range(4):
            store.append([record(pattern(3 * MIB))], 0)
        mine = {write_file(store, b"x").id for _ in range(20)}
        later = self.open(place, epoch=2, worker=0)
        write_file(later, b"x")
        assert sorted(store.segments()) == [1, 2, 3, 4]
        assert list(store.files(1)) == []
        assert set(store.files(2)) == mine
        later.close()

    def test_a_new_process_reads_what_the_last_left(self, place: Place) -> None:
        first = self.open(place, epoch=1, worker=0)
        append = first.append([record(b"data")], 0)
        blobs = [blob_of(append, 0, b"data"), write_file(first, b"data")]
        first.close()
        second = self.open(place, epoch=2, worker=0)
        assert second.append([record(b"more")], 0).segment != append.segment
        assert [load(second, blob, 0, 4) for blob in blobs] == [b"data", b"data"]
        second.close()

    def test_free_bytes_is_a_size(self, store: BlobStore) -> None:
        assert store.free_bytes() > 0
