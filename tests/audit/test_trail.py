"""The audit trail: bounded segments that several processes write, and the search through them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from neve.audit.entry import Entry, encode_line, stamp
from neve.audit.search import Query, search
from neve.audit.trail import DIRECTORY, SEGMENTS, Trail, segments

START_S = 1_800_000_000


class Counted:
    def __init__(self) -> None:
        self.written = self.dropped = 0

    def __call__(self, written: int, dropped: int) -> None:
        self.written += written
        self.dropped += dropped


def line_of(number: int, **values: Any) -> bytes:
    given = {"time": stamp(START_S + number), "category": "write", "operation": "PutBucketPolicy"}
    return encode_line(Entry(**(given | {"request_id": str(number)} | values)))


def ids(entries: list[dict[str, Any]]) -> list[int]:
    return [int(entry["request_id"]) for entry in entries]


def lines_in(folder: Path) -> list[int]:
    data = b"".join(Path(path).read_bytes() for _, path in segments(str(folder / DIRECTORY)))
    return ids([json.loads(line) for line in data.splitlines()])


EVERYTHING = Query()


def sought(folder: Path, query: Query = EVERYTHING, log: str = "", **options: Any) -> list[int]:
    """What is found on all pages."""
    found: list[int] = []
    marker, pages = "", 0
    while marker or not pages:
        page = search(
            str(folder / DIRECTORY), log, query, marker=marker, **({"limit": 7} | options)
        )
        found += ids(page.entries)
        marker = page.marker
        pages += 1
        assert pages < 500
    return found


def test_several_writers_lose_and_tear_nothing_while_segments_change(tmp_path: Path) -> None:
    count, writers = 3000, 3
    size = len(line_of(10**6))
    go, may = os.pipe()
    pids = []
    for writer in range(writers):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.close(may)
                # Room for all, in segments of about forty lines.
                trail = Trail(str(tmp_path), size * 40 * SEGMENTS * 20, Counted())
                trail._segment_bytes = size * 40
                os.read(go, 1)
                for number in range(writer, count * writers, writers):
                    trail.write(line_of(number))
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    os.close(go)
    os.close(may)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    assert sorted(lines_in(tmp_path)) == list(range(count * writers))
    paths = segments(str(tmp_path / DIRECTORY))
    assert len(paths) >= 100
    # Between the look at the size and the write each of the others can come in with a line.
    assert all(os.stat(path).st_size <= size * (40 + writers) for _, path in paths)


def test_the_oldest_make_room_and_writers_that_were_away_find_the_others(tmp_path: Path) -> None:
    size = len(line_of(10**6))
    bound = size * 10 * SEGMENTS
    busy, away = (Trail(str(tmp_path), bound, Counted()) for _ in range(2))
    away.write(line_of(0))
    for number in range(1, 1000):
        busy.write(line_of(number))
        total = sum(os.stat(path).st_size for _, path in segments(str(tmp_path / DIRECTORY)))
        assert total <= bound + 2 * size
    away.write(line_of(1000))
    kept = lines_in(tmp_path)
    assert kept == list(range(kept[0], 1001))
    assert 130 <= len(kept) <= 165


def test_a_trail_whose_folder_was_removed_begins_anew(tmp_path: Path) -> None:
    counted = Counted()
    trail = Trail(str(tmp_path), 1 << 20, counted)
    trail.write(line_of(1))
    for _, path in segments(str(tmp_path / DIRECTORY)):
        os.unlink(path)
    (tmp_path / DIRECTORY / "lock").unlink()
    (tmp_path / DIRECTORY).rmdir()
    trail.write(line_of(2))
    assert lines_in(tmp_path) == [2]
    assert (counted.written, counted.dropped) == (2, 0)


def test_what_cannot_be_written_is_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / DIRECTORY).write_text("a file where the directory should be")
    counted = Counted()
    trail = Trail(str(tmp_path), 1 << 20, counted)
    trail.write(line_of(1))
    assert (counted.written, counted.dropped) == (0, 1)
    assert "audit trail" in caplog.text
    (tmp_path / DIRECTORY).unlink()
    trail.write(line_of(2))
    assert lines_in(tmp_path) == [2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trail of 200 entries in several segments."""
    trail = Trail(str(tmp_path), len(line_of(100)) * 30 * SEGMENTS, Counted())
    for number in range(200):
        values: dict[str, Any] = {}
        if number % 10 == 0:
            values = {"principal": "alice", "access_key": "AKALICE", "bucket": "ice", "key": "a/b"}
        if number % 50 == 7:
            values = {"allowed": False, "category": "admin", "operation": "AdminAddUser"}
        if number == 63:
            values = {"principal": "gl\u00e4tscher", "user_agent": 'Quoted "Agent"/1'}
        if number == 64:
            values = {"objects": [{"key": "many/1"}, {"key": "many/2"}]}
        trail.write(line_of(number, **values))
    assert len(segments(str(tmp_path / DIRECTORY))) > 5
    return tmp_path


def test_pages_are_newest_first_and_complete(folder: Path) -> None:
    newest_first = list(range(199, -1, -1))
    assert sought(folder) == newest_first
    assert sought(folder, limit=1) == newest_first
    assert sought(folder, limit=1000) == newest_first


def test_what_is_written_meanwhile_moves_nothing(folder: Path) -> None:
    page = search(str(folder / DIRECTORY), "", Query(), limit=50)
    Trail(str(folder), 1 << 20, Counted()).write(line_of(500))
    rest = search(str(folder / DIRECTORY), "", Query(), limit=500, marker=page.marker)
    assert ids(page.entries) + ids(rest.entries) == list(range(199, -1, -1))
    assert sought(folder)[0] == 500


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(user="alice"), range(190, -1, -10)),
        (Query(user="AKALICE", key="a/b"), range(190, -1, -10)),
        (Query(user="ali"), []),
        (Query(bucket="ice", key="a/*", since=stamp(START_S + 175)), [190, 180]),
        (Query(key="a/"), []),
        (Query(key="many/2"), [64]),
        (Query(key="many/*"), [64]),
        (Query(decision="refused"), [157, 107, 57, 7]),
        (Query(events=("admin",)), [157, 107, 57, 7]),
        (Query(events=("putobject", "adminadd*")), [157, 107, 57, 7]),
        (Query(user="gl\u00e4tscher"), [63]),
        (Query(text='QUOTED "agent"'), [63]),
        (Query(since=stamp(START_S + 198)), [199, 198]),
        (Query(until=stamp(START_S + 2)), [1, 0]),
    ],
)
def test_only_what_is_wanted_is_found(folder: Path, query: Query, wanted: Any) -> None:
    assert sought(folder, query) == list(wanted)


def test_the_work_of_a_call_is_bounded_and_goes_on_where_it_ended(folder: Path) -> None:
    query = Query(user="nobody")
    page = search(str(folder / DIRECTORY), "", query, limit=10, bytes_max=20_000)
    assert page.entries == []
    assert page.marker
    assert sought(folder, bytes_max=20_000) == list(range(199, -1, -1))
    assert sought(folder, query, bytes_max=20_000) == []


def test_torn_and_foreign_lines_are_passed_over(folder: Path) -> None:
    newest = segments(str(folder / DIRECTORY))[-1][1]
    good = Path(newest).read_bytes()
    torn = b'{"version":1,"time":"2027\n\x00\x00\x00\n[1]\n{"a":\xff}\n' + line_of(300)
    Path(newest).write_bytes(good + torn + b'{"version":1,"time":"2027-01-15T')
    assert sought(folder) == [300, *range(199, -1, -1)]
    Path(newest).write_bytes(good + b"x" * (5 << 20) + b"\n" + line_of(300))
    assert sought(folder, bytes_max=3 << 20) == [300, *range(199, -1, -1)]


def test_the_logs_file_is_searched_too_and_nothing_is_found_twice(folder: Path) -> None:
    log = folder / "audit.log"
    more = [line_of(number, category="read", operation="GetObject") for number in range(150, 260)]
    same = [Path(path).read_bytes() for _, path in segments(str(folder / DIRECTORY))]
    lines = b"".join(same).splitlines(keepends=True)[100:]
    log.write_bytes(b"".join(sorted((*more, *lines), key=lambda line: json.loads(line)["time"])))
    both = [
        *range(259, 199, -1),
        *sorted([*range(150, 200)] * 2, reverse=True),
        *range(149, -1, -1),
    ]
    for limit in (1, 7, 1000):
        assert sought(folder, log=str(log), limit=limit) == both


def test_after_a_rotation_of_the_logs_file_the_trail_goes_on(folder: Path) -> None:
    log = folder / "audit.log"
    log.write_bytes(b"".join(line_of(number) for number in range(500, 520)))
    page = search(str(folder / DIRECTORY), str(log), Query(), limit=5)
    log.rename(folder / "audit.log.1")
    log.write_bytes(line_of(600))
    rest = search(str(folder / DIRECTORY), str(log), Query(), limit=1000, marker=page.marker)
    assert ids(page.entries) == [519, 518, 517, 516, 515]
    assert ids(rest.entries) == list(range(199, -1, -1))


def test_a_folder_without_a_trail_has_no_entries(tmp_path: Path) -> None:
    assert sought(tmp_path) == []
    assert sought(tmp_path, log=str(tmp_path / "absent")) == []
    assert sought(tmp_path, log="-") == []


@pytest.mark.parametrize("marker", ["1", "1.2.3", "1.2.3.x", "-1.2.3.4", "1.2.3.4.5"])
def test_a_marker_that_is_none_is_refused(tmp_path: Path, marker: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        search(str(tmp_path), "", Query(), limit=1, marker=marker)
