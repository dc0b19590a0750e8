"""SqliteCatalog among processes: many writers of one file, and writers that are killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from neve.catalog.catalog import ObjectRow
from neve.catalog.sqlite import SqliteCatalog
from neve.engine.rows import Rows
from neve.testing.catalog import run

WRITER = """
import sys
from neve.catalog.catalog import ObjectRow
from neve.catalog.sqlite import SqliteCatalog

path, name, tree, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
catalog = SqliteCatalog(path)
print("open", flush=True)
sys.stdin.readline()
begun = catalog.reader().scan(tree, name, name + "0", 1000000)
for number in range(len(begun) // 3, len(begun) // 3 + rounds):
    def put(txn, number=number):
        for leaf in range(3):
            key = f"{name}/{number:06}/{leaf}"
            txn.put_object(ObjectRow(tree, key, 1, 1, "e", 1, b"m", None, b"b"))
        txn.put_redo(1, number, bytes(9000))
        txn.add_usage(tree, 3, 3)
    def count(txn, number=number):
        txn.put_setting("count", b"%d" % (int(txn.setting("count") or 0) + 1))
        if number % 20 == 0:
            txn.delete_redo(txn.redo_segments()[0])
    catalog.transact([put, count])
    catalog.sync()
    print(number, flush=True)
"""


@contextmanager
def writer(path: str, name: str, tree: int, rounds: int) -> Iterator[subprocess.Popen[str]]:
    """A process that opens the catalog and writes when told: one line per synced group."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, path, name, str(tree), str(rounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
        process.stdout.close()


def go(*processes: subprocess.Popen[str]) -> None:
    """Let them write, all at once."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "catalog.db")
    SqliteCatalog(path, create=True).close()
    return path


def check_groups(catalog: SqliteCatalog, tree: int, names: str) -> dict[str, int]:
    """Every group is whole, and the sums are those of the rows; groups per writer."""
    reader = catalog.reader()
    keys = [row[0] for row in reader.scan(tree, "", None, 10**6)]
    groups = {name: sum(key.startswith(name) for key in keys) // 3 for name in names}
    assert keys == [
        f"{name}/{number:06}/{leaf}"
        for name in names
        for number in range(groups[name])
        for leaf in range(3)
    ]
    assert reader.usage(tree) == (len(keys), len(keys))
    assert int(reader.setting("count") or 0) == sum(groups.values())
    return groups


def test_two_processes_write_at_once_and_neither_starves(path: str) -> None:
    catalog = SqliteCatalog(path)
    tree = run(catalog, lambda txn: txn.create_tree())
    with writer(path, "a", tree, 300) as one, writer(path, "b", tree, 300) as two:
        go(one, two)
        while one.poll() is None or two.poll() is None:
            catalog.checkpoint()
            run(catalog, lambda txn: txn.put_setting("here", b"too"))
            rows = catalog.reader().scan(tree, "", None, 10**6)
            assert len(rows) % 3 == 0, "groups are seen whole"
        assert (one.returncode, two.returncode) == (0, 0)
    assert check_groups(catalog, tree, "ab") == {"a": 300, "b": 300}
    catalog.close()


def test_a_commit_of_another_process_is_seen_at_once(path: str) -> None:
    catalog = SqliteCatalog(path)
    tree = run(catalog, lambda txn: txn.create_tree())
    reader = catalog.reader()
    with writer(path, "a", tree, 50) as process:
        go(process)
        assert process.stdout is not None
        for line in process.stdout:
            assert reader.object(tree, f"a/{int(line):06}/2") is not None
    assert len(reader.scan(tree, "", None, 1000)) == 150
    catalog.close()


def test_killed_writers_leave_every_acknowledged_group_and_no_half_one(path: str) -> None:
    catalog = SqliteCatalog(path)
    tree = run(catalog, lambda txn: txn.create_tree())
    catalog.close()
    chance = Random(5)
    for turn in range(10):
        acknowledged = {}
        with writer(path, "a", tree, 10**6) as one, writer(path, "b", tree, 10**6) as two:
            go(one, two)
            pipes = {"a": one.stdout, "b": two.stdout}
            lines = {name: pipe.readline() for name, pipe in pipes.items() if pipe}
            for _ in range(chance.randrange(40)):
                lines = {name: pipe.readline() for name, pipe in pipes.items() if pipe}
            one.kill()
            two.kill()
            for name, pipe in pipes.items():
                assert pipe is not None
                last = (lines[name] + pipe.read()).split("\n")[-2]
                acknowledged[name] = int(last) + 1
        catalog = SqliteCatalog(path)
        groups = check_groups(catalog, tree, "ab")
        for name, count in acknowledged.items():
            assert groups[name] >= count, "acknowledged groups are there"
        assert catalog._writer.pragma("integrity_check") == "ok"
        catalog.checkpoint(truncate=turn % 3 == 0)
        catalog.close()


def test_rows_that_were_kept_are_as_fresh_as_rows_that_are_read(tmp_path: Path) -> None:
    path = str(tmp_path / "catalog.db")
    catalog = SqliteCatalog(path, create=True)
    tree = run(catalog, lambda txn: txn.create_tree())
    reader = catalog.reader()
    rows = Rows(reader)
    key = "k"

    def put(seq: int) -> None:
        row = ObjectRow(tree, key, seq, 1, "e", 1, b"m", None, b"b")
        run(catalog, lambda txn: txn.put_object(row))

    put(0)
    with writer(path, "other", tree, 60) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "open\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        for number in range(60):
            # Once this line is here, the other process has committed.
            assert other.stdout.readline() == f"{number}\n"
            found = rows.find(tree, f"other/{number:06}/2")
            assert found is not None and found.row.key == f"other/{number:06}/2"
            put(number + 1)
            mine = rows.find(tree, key)
            assert mine is not None and mine.row.seq == number + 1
            if number % 7 == 0:
                catalog.checkpoint(truncate=True)
                after = rows.find(tree, key)
                assert after is not None and after.row == mine.row
    again = rows.find(tree, key)
    assert again is not None and rows.find(tree, key) is again, "nothing is kept"
    catalog.close()
