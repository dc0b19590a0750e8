"""The audit log's file: whole lines of many processes, rotation, and lines that were lost."""

import json
import logging
import os
import resource
import signal
from pathlib import Path

import pytest

from neve.audit.entry import Entry, encode_line
from neve.audit.file import AuditFile
from neve.errors import StoreRefused


def line_of(**values: object) -> bytes:
    given = {"time": "2026-11-28T00:00:00.000000Z", "category": "read", "operation": "GetObject"}
    return encode_line(Entry(**(given | values)))  # type: ignore[arg-type]


class Counted:
    def __init__(self) -> None:
        self.written = self.dropped = 0

    def __call__(self, written: int, dropped: int) -> None:
        self.written += written
        self.dropped += dropped


def test_lines_of_several_processes_stay_whole_and_all_arrive(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    pids = []
    for number in range(4):
        pid = os.fork()
        if not pid:
            file = AuditFile(str(path))
            for index in range(500):
                objects = [{"key": "k" * 100}] * (index % 200)
                file.write(line_of(request_id=f"{number}-{index}", objects=objects))
            os._exit(0)  # without closing: nothing is kept back
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert {entry["request_id"] for entry in entries} == {
        f"{number}-{index}" for number in range(4) for index in range(500)
    }
    assert len(entries) == 2000


def test_a_line_is_in_the_file_as_soon_as_it_was_written(tmp_path: Path) -> None:
    counted = Counted()
    file = AuditFile(str(tmp_path / "audit.log"), counted)
    file.write(line_of(key="gl\u00e4tscher\u2028\n"))
    text = (tmp_path / "audit.log").read_bytes()
    assert text.count(b"\n") == 1
    assert json.loads(text)["key"] == "gl\u00e4tscher\u2028\n"
    assert (counted.written, counted.dropped) == (1, 0)


def test_reopening_writes_to_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    file = AuditFile(str(path))
    file.write(line_of(request_id="OLD"))
    path.rename(tmp_path / "audit.log.1")
    file.reopen()
    file.write(line_of(request_id="NEW"))
    file.close()
    assert b"OLD" in (tmp_path / "audit.log.1").read_bytes()
    assert b"NEW" in path.read_bytes()
    assert b"OLD" not in path.read_bytes()


def test_the_old_file_is_kept_when_the_new_one_cannot_be_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = AuditFile(str(folder / "audit.log"))
    folder.rename(tmp_path / "moved")
    file.reopen()
    file.write(line_of(request_id="STILL"))
    assert b"STILL" in (tmp_path / "moved" / "audit.log").read_bytes()
    assert "cannot be written" in caplog.text


def test_unwritable_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=r"audit log .* cannot be written: .*\.$"):
        AuditFile(str(tmp_path / "missing" / "audit.log"))


def test_what_a_full_disk_loses_is_counted_and_said_and_no_later_line_is_torn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.log"
    counted = Counted()
    file = AuditFile(str(path), counted)
    whole = line_of(request_id="ONE")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, before[1]))
        with caplog.at_level(logging.ERROR):
            file.write(whole)
            file.write(line_of(request_id="TORN"))
            file.write(line_of(request_id="LOST"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (counted.written, counted.dropped) == (1, 2)
    assert "1 audit entries did not get into the audit log" in caplog.text
    with caplog.at_level(logging.ERROR):
        file.write(line_of(request_id="AFTER"))
    assert "it works again" in caplog.text
    lines = path.read_bytes().splitlines()
    assert [json.loads(lines[at])["request_id"] for at in (0, -1)] == ["ONE", "AFTER"]
