"""The conformance suite of catalogs: what every implementation of `Catalog` must do.

Subclass `CatalogTests` in a test module and say how a catalog and a backup are opened. Each test
proves the sentence of the protocol that its name says.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from neve.catalog.catalog import (
    EMPTY_SEQ_MIN,
    BucketRow,
    Catalog,
    GarbageRow,
    PartRow,
    Reader,
    SegmentRow,
    Transaction,
    UploadRow,
)
from neve.errors import NoSuchKey, PreconditionFailed, StoreFault
from neve.testing.listing import ListingTests, fill, list_row, object_row
from neve.testing.usage import UsageTests, count_everything
from neve.testing.versions import VersionTests, version_row

T = TypeVar("T")


def run(catalog: Catalog, command: Callable[[Transaction], T]) -> T:
    """Return the result of one command in a transaction of its own."""
    result = catalog.transact([command])[0]
    if isinstance(result, Exception):
        raise result
    return result


def writing(primitive: str, *arguments: Any) -> Callable[[Transaction], Any]:
    """Return the command that is one primitive of a transaction."""
    return lambda txn: getattr(txn, primitive)(*arguments)


def call(catalog: Catalog, primitive: str, *arguments: Any) -> Any:
    """Return what one primitive of a transaction says."""
    return run(catalog, writing(primitive, *arguments))


def bucket_row(name: str, tree: int = 1, policy: bytes | None = None) -> BucketRow:
    """A bucket of somebody's."""
    return BucketRow(name, tree, "owner", 5, "eu", policy, b"opt")


def upload_row(id: str, tree: int, key: str, created_us: int = 5) -> UploadRow:
    """An upload without parts."""
    return UploadRow(id, tree, key, created_us, "owner", b"meta", "crc32;COMPOSITE")


def part_row(upload: str, number: int, size: int = 1) -> PartRow:
    """A part of an upload."""
    return PartRow(upload, number, size, "e" * 32, 9, "crc32;x", b"pieces")


def write_everything(txn: Transaction) -> int:
    """Use every primitive that writes, on new rows and on those an earlier call left."""
    tree = txn.create_tree()
    for key in ("a/1", "a/2", "b"):
        txn.put_object(object_row(tree, key, size=tree))
    txn.delete_object(tree, "b")
    txn.replace_blob(tree, "a/1", b"blob", b"moved")
    for rank in (1, 2, 3):
        txn.put_version(version_row(tree, "a/1", rank, f"v{rank}", marker=rank == 2))
    txn.delete_version(tree, "a/1", 1)
    txn.add_usage(tree, 2, 2 * tree, 1, 1)
    count_everything(txn, tree)
    txn.delete_tree(txn.create_tree())
    txn.put_bucket(bucket_row("bucket", tree))
    txn.put_bucket(bucket_row("other", tree))
    txn.delete_bucket("other")
    txn.delete_manifest(txn.put_manifest(b"no more"))
    txn.put_manifest(b"parts")
    txn.put_upload(upload_row("u", tree, "a", tree))
    txn.put_part(part_row("u", 1, size=tree))
    txn.put_upload(upload_row("v", tree, "a"))
    txn.delete_upload("v")
    segment = txn.create_segment(tree)
    txn.add_segment(segment, 10, 5, 3)
    txn.seal_segment(segment)
    txn.put_segment(SegmentRow(segment + 1, False, 1, 1, 1, 1))
    txn.delete_segment(segment + 1)
    txn.put_redo(segment, 0, b"data")
    for row in txn.garbage(2**62, 9):
        txn.delete_garbage([row.id])
    txn.add_garbage(1, tree, tree)
    txn.add_reference(1, 1, 2)
    txn.put_setting("name", b"%d" % tree)
    return tree


def dump(reader: Reader) -> list[Any]:
    """All that a reader can see."""
    trees = sorted({*reader.trees(), *reader.object_trees()})
    uploads = reader.uploads(None, "", "", "", 999)
    return [
        reader.buckets(),
        [(tree, reader.usage(tree), reader.objects(tree, "", 999)) for tree in trees],
        [(reader.version_usage(tree), reader.all_versions(tree, "", 0, 999)) for tree in trees],
        [(reader.owners(tree), reader.prefixes(tree)) for tree in trees],
        reader.manifests(0, 999),
        [(row, reader.parts(row.id, 0, 999)) for row in uploads],
        reader.segments(),
        reader.redo(),
        reader.garbage(2**62, 999),
        [reader.references(tier, blob) for tier in range(3) for blob in range(3)],
        reader.settings(""),
    ]


class CatalogTests(UsageTests, ListingTests, VersionTests):
    """Every sentence of the protocol."""

    def open(self, path: Path) -> Catalog:
        """Return a new, empty catalog in the folder."""
        raise NotImplementedError

    def open_backup(self, path: Path) -> Catalog:
        """Return the catalog that `backup` wrote to the file."""
        raise NotImplementedError

    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        catalog = self.open(tmp_path)
        yield catalog
        catalog.close()

    def test_a_new_catalog_is_empty(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        assert dump(reader) == [[], [], [], [], [], [], [], [], [], [0] * 9, []]
        assert reader.bucket("x") is None
        assert reader.object(1, "x") is None
        assert reader.manifest(1) is None
        assert reader.upload("x") is None
        assert reader.part("x", 1) is None
        assert reader.setting("x") is None
        assert reader.usage(1) == (0, 0)
        assert reader.redo_segments() is None

    def test_a_reader_sees_the_newest_commit_at_once(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        tree = fill(catalog, [])
        for size in range(5):
            call(catalog, "put_object", object_row(tree, "k", size))
            assert reader.object(tree, "k") == object_row(tree, "k", size)
            assert reader.scan(tree, "", None, 9) == [list_row("k", size)]

    def test_the_state_is_equal_until_something_is_committed(self, catalog: Catalog) -> None:
        reader = catalog.reader()
        tree = fill(catalog, [])
        seen = {state := reader.state()}
        assert state is not None
        for size in range(5):
            reader.object(tree, "k")
            assert reader.state() == state
            call(catalog, "put_object", object_row(tree, "k", size))
            state = reader.state()
            assert state not in seen
            seen.add(state)
            catalog.checkpoint()
            assert reader.object(tree, "k") == object_row(tree, "k", size)

    def test_a_reader_of_another_thread_sees_groups_whole(self, catalog: Catalog) -> None:
        tree = fill(catalog, [])
        done = threading.Event()
        torn: list[Any] = []
        seen: set[int] = set()

        def watch() -> None:
            reader = catalog.reader()
            while True:
                last = done.is_set()
                sizes = {row[1] for row in reader.scan(tree, "", None, 9)}
                listed = {row[1] for row in reader.scan_delimited(tree, "", "/", "", 9)}
                torn.extend(found for found in (sizes, listed) if len(found) > 1)
                seen.update(sizes)
                if last:
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            for size in range(1, 201):
                rows = [object_row(tree, key, size) for key in "abc"]
                catalog.transact([writing("put_object", row) for row in rows])
        finally:
            done.set()
            thread.join()
        assert not torn
        assert 200 in seen

    def test_transact_gives_the_results_in_order(self, catalog: Catalog) -> None:
        results = catalog.transact([lambda txn: txn.trees(), lambda txn: txn.setting("x"), dump])
        assert results == [[], None, dump(catalog.reader())]
        assert catalog.transact([]) == []

    def test_reads_of_a_transaction_see_its_own_writes(self, catalog: Catalog) -> None:
        run(catalog, write_everything)
        inside = catalog.transact([write_everything, dump])[1]
        assert inside == dump(catalog.reader())
        assert inside[0] == [bucket_row("bucket", inside[1][-1][0])]

    def test_a_domain_error_is_the_result_and_the_group_goes_on(self, catalog: Catalog) -> None:
        tree = fill(catalog, ["old"])
        errors = [NoSuchKey(key="k"), PreconditionFailed()]

        def refuse(txn: Transaction) -> None:
            assert txn.object(tree, "new") is not None
            raise errors[0]

        def refuse_again(txn: Transaction) -> None:
            assert txn.object(tree, "old") is None
            raise errors[1]

        results = catalog.transact(
            [
                lambda txn: txn.put_object(object_row(tree, "new")),
                refuse,
                lambda txn: txn.delete_object(tree, "old"),
                refuse_again,
            ]
        )
        assert results == [None, errors[0], None, errors[1]]
        assert catalog.reader().scan(tree, "", None, 9) == [list_row("new")]

    @pytest.mark.parametrize("error", [RuntimeError, StoreFault, KeyboardInterrupt])
    def test_any_other_exception_rolls_the_group_back(
        self, catalog: Catalog, error: type[BaseException]
    ) -> None:
        run(catalog, write_everything)
        before = dump(catalog.reader())

        def fail(txn: Transaction) -> None:
            assert dump(txn) != before
            raise error("boom")

        with pytest.raises(error, match="boom"):
            catalog.transact([write_everything, fail, write_everything])
        assert dump(catalog.reader()) == before
        run(catalog, write_everything)
        assert dump(catalog.reader()) != before

    def test_put_object_replaces_the_whole_row(self, catalog: Catalog) -> None:
        tree = fill(catalog, ["k"])
        row = object_row(tree, "k")._replace(seq=9, meta=b"", checksum=None, blob=b"")
        call(catalog, "put_object", row)
        assert catalog.reader().objects(tree, "", 9) == [row]
        found = catalog.reader().object(tree, "k")
        assert found == row
        assert found._fields == row._fields

    def test_rows_hold_the_extremes(self, catalog: Catalog) -> None:
        tree = fill(catalog, [])
        row = object_row(tree, "\U0010ffff" * 256)._replace(
            seq=2**63 - 1, size=2**63 - 1, mtime_us=-1, meta=bytes(range(256)) * 40
        )
        call(catalog, "put_object", row)
        assert catalog.reader().object(tree, row.key) == row

    def test_replace_blob_only_if_it_is_the_old_one(self, catalog: Catalog) -> None:
        tree = fill(catalog, ["k"])

        def replace(old: bytes, key: str = "k") -> bool:
            return bool(call(catalog, "replace_blob", tree, key, old, b"new"))

        assert not replace(b"blob", "absent")
        assert not replace(b"other")
        assert catalog.reader().object(tree, "k") == object_row(tree, "k")
        assert replace(b"blob")
        assert not replace(b"blob")
        assert catalog.reader().object(tree, "k") == object_row(tree, "k")._replace(blob=b"new")

    def test_delete_object_of_an_absent_key_does_nothing(self, catalog: Catalog) -> None:
        tree = fill(catalog, ["k"])
        call(catalog, "delete_object", tree, "j")
        call(catalog, "delete_object", tree + 1, "k")
        assert catalog.reader().scan(tree, "", None, 9) == [list_row("k")]

    def test_buckets_are_replaced_by_name_and_come_in_name_order(self, catalog: Catalog) -> None:
        for name in ("b", "a.b", "c", "a-b", "c"):
            row = bucket_row(name, policy=b"p" if name == "c" else None)
            call(catalog, "put_bucket", row)
        reader = catalog.reader()
        assert [row.name for row in reader.buckets()] == ["a-b", "a.b", "b", "c"]
        assert reader.bucket("c") == bucket_row("c", policy=b"p")
        call(catalog, "delete_bucket", "c")
        assert reader.bucket("c") is None

    def test_usage_is_the_sum_of_what_was_added(self, catalog: Catalog) -> None:
        one, two = fill(catalog, []), fill(catalog, [])
        assert catalog.reader().usage(one) == (0, 0)
        call(catalog, "add_usage", one, 2, 2**50)
        call(catalog, "add_usage", one, -1, -1)
        assert catalog.reader().usage(one) == (1, 2**50 - 1)
        assert catalog.reader().usage(two) == (0, 0)
        assert catalog.reader().trees() == [one, two]
        call(catalog, "delete_tree", one)
        call(catalog, "add_usage", one, 1, 1)
        assert catalog.reader().trees() == [two]
        assert catalog.reader().usage(one) == (0, 0)

    def test_object_trees_are_those_that_hold_an_object(self, catalog: Catalog) -> None:
        trees = [fill(catalog, ["k", "l"]), fill(catalog, []), fill(catalog, ["k"])]
        assert catalog.reader().object_trees() == [trees[0], trees[2]]
        call(catalog, "delete_object", trees[2], "k")
        assert catalog.reader().object_trees() == [trees[0]]

    def test_create_tree_takes_the_id_that_a_rebuild_gives(self, catalog: Catalog) -> None:
        assert call(catalog, "create_tree", 40) == 40
        assert call(catalog, "create_tree", 20) == 20
        assert call(catalog, "create_tree") == 41
        assert catalog.reader().trees() == [20, 40, 41]

    def test_ids_are_never_used_twice(self, catalog: Catalog) -> None:
        def once(txn: Transaction) -> list[int]:
            tree, segment = txn.create_tree(), txn.create_segment(1)
            manifest = txn.put_manifest(b"m")
            txn.put_redo(segment, 0, b"r")
            txn.add_garbage(1, 1, 1)
            redo, garbage = txn.redo()[-1][0], txn.garbage(2, 9)[-1].id
            txn.delete_tree(tree)
            txn.delete_segment(segment)
            txn.delete_manifest(manifest)
            txn.delete_redo(redo)
            txn.delete_garbage([garbage])
            return [tree, segment, manifest, redo, garbage]

        rounds = catalog.transact([once, once]) + catalog.transact([once])
        for ids in zip(*rounds, strict=True):
            assert sorted(set(ids)) == list(ids)
        assert dump(catalog.reader())[4:7] == [[], [], []]

    def test_manifests_are_walked_by_id(self, catalog: Catalog) -> None:
        ids = [call(catalog, "put_manifest", b"%d" % n) for n in range(4)]
        reader = catalog.reader()
        assert reader.manifest(ids[2]) == b"2"
        assert reader.manifests(ids[1], 2) == [(ids[1], b"1"), (ids[2], b"2")]
        call(catalog, "delete_manifest", ids[2])
        assert reader.manifest(ids[2]) is None
        assert [id for id, _ in reader.manifests(0, 9)] == [ids[0], ids[1], ids[3]]

    def test_delete_upload_takes_its_parts_along(self, catalog: Catalog) -> None:
        def begin(txn: Transaction) -> None:
            for upload in ("u", "v"):
                txn.put_upload(upload_row(upload, 1, "k"))
                for number in (2, 10000, 1):
                    txn.put_part(part_row(upload, number))

        run(catalog, begin)
        reader = catalog.reader()
        call(catalog, "put_part", part_row("u", 2, size=77))
        assert reader.part("u", 2) == part_row("u", 2, size=77)
        assert [row.number for row in reader.parts("u", 0, 99)] == [1, 2, 10000]
        assert reader.parts("u", 1, 1) == [part_row("u", 2, size=77)]
        assert reader.upload("u") == upload_row("u", 1, "k")
        call(catalog, "delete_upload", "u")
        assert reader.upload("u") is None
        assert reader.parts("u", 0, 99) == []
        assert len(reader.parts("v", 0, 99)) == 3
        call(catalog, "delete_upload", "absent")

    def test_uploads_order_by_key_then_time_then_id(self, catalog: Catalog) -> None:
        rows = [
            upload_row("9", 1, "a", 3),
            upload_row("8", 1, "b", 1),
            upload_row("5", 1, "b", 2),
            upload_row("7", 1, "b", 2),
            upload_row("6", 1, "b", 4),
            upload_row("3", 1, "b/c", 1),
            upload_row("4", 1, "c\U0010ffff", 1),
            upload_row("1", 2, "b", 3),
        ]
        catalog.transact([writing("put_upload", row) for row in rows[::-1]])
        reader = catalog.reader()

        def ids(*arguments: Any) -> str:
            return "".join(row.id for row in reader.uploads(*arguments))

        assert ids(1, "", "", "", 99) == "9857634"
        assert ids(None, "", "", "", 99) == "98571634"
        assert ids(1, "b", "", "", 99) == "85763"
        assert ids(1, "c\U0010ffff", "", "", 99) == "4"
        assert ids(1, "", "b", "", 99) == "34"
        assert ids(1, "", "b", "5", 99) == "7634"
        assert ids(1, "", "b", "5", 2) == "76"
        assert ids(1, "", "b", "6", 99) == "34"
        assert ids(1, "", "aa", "8", 99) == "857634"
        assert ids(1, "", "b", "gone", 99) == "857634"
        assert ids(1, "", "b", "9", 99) == "857634"
        assert ids(1, "b/", "a", "9", 99) == "3"
        assert ids(1, "a", "b", "8", 99) == ""
        assert ids(None, "", "b", "7", 99) == "1634"
        assert ids(1, "", "", "8", 99) == "9857634"

    def test_segments_grow(self, catalog: Catalog) -> None:
        first = call(catalog, "create_segment", 5)
        second = call(catalog, "create_segment", 6)
        reader = catalog.reader()
        assert reader.segments()[0] == SegmentRow(first, False, 0, 0, 5, EMPTY_SEQ_MIN)
        call(catalog, "add_segment", first, 100, 80, 7)
        call(catalog, "add_segment", first, 0, -30)
        call(catalog, "seal_segment", first)
        call(catalog, "add_segment", first, 105, 5, 9)
        call(catalog, "add_segment", first, 104, 0)
        assert reader.segments()[0] == SegmentRow(first, True, 105, 55, 5, 7)
        assert reader.segments()[0].sealed is True
        call(catalog, "add_segment", first, 0, 0, 6)
        assert reader.segments()[0].seq_min == 6
        call(catalog, "delete_segment", first)
        call(catalog, "add_segment", first, 1, 1, 1)
        call(catalog, "seal_segment", first)
        assert reader.segments() == [SegmentRow(second, False, 0, 0, 6, EMPTY_SEQ_MIN)]
        row = SegmentRow(second + 5, True, 9, 8, 7, 6)
        call(catalog, "put_segment", row)
        call(catalog, "put_segment", row._replace(live=1))
        assert reader.segments()[1:] == [row._replace(live=1)]
        assert call(catalog, "create_segment", 8) > row.id

    def test_redo_rows_are_forgotten_up_to_an_id(self, catalog: Catalog) -> None:
        for segment, offset in ((4, 0), (3, 0), (4, 10)):
            call(catalog, "put_redo", segment, offset, b"x" * 40000)
        reader = catalog.reader()
        rows = reader.redo()
        assert [row[1:3] for row in rows] == [(4, 0), (3, 0), (4, 10)]
        assert {row[3] for row in rows} == {b"x" * 40000}
        ids = [row[0] for row in rows]
        assert ids == sorted(ids)
        assert reader.redo_segments() == (ids[2], [3, 4])
        call(catalog, "delete_redo", ids[1])
        assert reader.redo() == rows[2:]
        call(catalog, "delete_redo", ids[2] + 100)
        assert reader.redo() == []
        assert reader.redo_segments() is None
        call(catalog, "put_redo", 1, 2, b"new")
        (row,) = reader.redo()
        assert row[0] > ids[2]
        assert row[1:] == (1, 2, b"new")
        assert reader.redo_segments() == (row[0], [1])

    def test_garbage_comes_oldest_first_and_younger_stays(self, catalog: Catalog) -> None:
        for blob, at_us in ((1, 30), (2, 10), (3, 20), (4, 10)):
            call(catalog, "add_garbage", 1, blob, at_us)
        reader = catalog.reader()
        assert [row.blob for row in reader.garbage(99, 99)] == [2, 4, 3, 1]
        assert [row.blob for row in reader.garbage(20, 99)] == [2, 4]
        rows = reader.garbage(99, 3)
        assert rows[2] == GarbageRow(rows[2].id, 1, 3, 20)
        call(catalog, "delete_garbage", [rows[0].id, rows[2].id, 999])
        call(catalog, "delete_garbage", [])
        assert [row.blob for row in reader.garbage(99, 99)] == [4, 1]

    def test_references_count_extra_owners_and_go_at_zero(self, catalog: Catalog) -> None:

        def add(count: int) -> int:
            return int(call(catalog, "add_reference", 1, 7, count))

        reader = catalog.reader()
        assert [add(1), add(2), add(-1)] == [1, 3, 2]
        assert reader.references(1, 7) == 2
        assert reader.references(2, 7) == 0
        assert [add(-2), add(1), add(-1)] == [0, 1, 0]
        assert reader.references(1, 7) == 0

    def test_settings_are_set_and_removed(self, catalog: Catalog) -> None:
        for name in ("a.2", "a.1", "a/", "b", "a.2"):
            call(catalog, "put_setting", name, name.encode())
        reader = catalog.reader()
        assert reader.setting("a.2") == b"a.2"
        assert reader.settings("a.") == [("a.1", b"a.1"), ("a.2", b"a.2")]
        assert [name for name, _ in reader.settings("")] == ["a.1", "a.2", "a/", "b"]
        call(catalog, "put_setting", "a.2", None)
        call(catalog, "put_setting", "c", None)
        call(catalog, "put_setting", "b", b"")
        assert reader.setting("a.2") is None
        assert reader.setting("b") == b""

    def test_sync_and_checkpoint_lose_nothing(self, catalog: Catalog) -> None:
        run(catalog, write_everything)
        before = dump(catalog.reader())
        catalog.sync()
        for truncate in (False, True, False):
            figures = catalog.checkpoint(truncate=truncate)
            assert set(figures) == {"wal_bytes", "pages"}
            assert figures["wal_bytes"] == 0
            assert dump(catalog.reader()) == before

    def test_backup_is_a_copy_of_one_moment(self, catalog: Catalog, tmp_path: Path) -> None:
        run(catalog, write_everything)
        before = dump(catalog.reader())
        calls: list[tuple[int, int]] = []
        catalog.backup(str(tmp_path / "copy"), lambda done, total: calls.append((done, total)))
        assert calls[-1][0] == calls[-1][1] > 0
        run(catalog, write_everything)
        copy = self.open_backup(tmp_path / "copy")
        assert dump(copy.reader()) == before
        run(copy, write_everything)
        assert dump(copy.reader())[0] == dump(catalog.reader())[0]
        copy.close()

    def test_a_closed_catalog_refuses_writes(self, catalog: Catalog) -> None:
        catalog.close()
        with pytest.raises(StoreFault):
            run(catalog, write_everything)
