"""The log stream: the last lines of all processes, then those to come, as MinIO's clients read."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.admin.client import Client
from tests.server.streams import Stream

from neve.server.log_stream import RingHandler, Wanted, follow_logs, last_lines, parse_wanted
from neve.server.shared import LOG_BYTES, LOGS_MAX, Shared
from neve.testing.server import LiveServer, wait_until


def record(message: str, level: int = logging.INFO, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("neve.test", level, "f.py", 1, message, (), exc_info)


def kept(slot: int, process: str, *records: logging.LogRecord, shared: Shared) -> None:
    handler = RingHandler(shared.logs, slot, process)
    for item in records:
        handler.emit(item)


def read(shared: Shared, wanted: Wanted) -> list[dict[str, Any]]:
    """The first lines that a reader gets."""

    async def first() -> list[dict[str, Any]]:
        async for data in follow_logs(shared, wanted, "the-store"):
            return [json.loads(line) for line in data.splitlines()]
        raise AssertionError("the stream ended")

    return asyncio.run(first())


def test_lines_of_all_processes_come_in_order_of_time() -> None:
    shared = Shared(2)
    records = [record(f"message {number}") for number in range(6)]
    for number, item in enumerate(records):
        item.created = 1_800_000_000 + number
        kept(number % 3 + 1, f"process-{number % 3}", item, shared=shared)
    entries = read(shared, Wanted(100))
    assert [entry["message"] for entry in entries] == [f"message {n}" for n in range(6)]
    assert entries[0] == {
        "deploymentid": "the-store",
        "level": "INFO",
        "errKind": "INFO",
        "time": "2027-01-15T08:00:00.000000Z",
        "node": "process-0",
        "message": "message 0",
    }
    assert [entry["message"] for entry in read(shared, Wanted(2))] == ["message 4", "message 5"]
    of_one = read(shared, Wanted(100, "process-1"))
    assert [entry["message"] for entry in of_one] == ["message 1", "message 4"]


def test_only_the_last_lines_are_kept_and_long_ones_are_cut() -> None:
    shared = Shared(1)
    kept(0, "p", *(record(f"{number} " + "\u2603" * 5000) for number in range(1100)), shared=shared)
    entries = read(shared, Wanted(5000))
    assert len(entries) == LOGS_MAX
    assert [entry["message"].split()[0] for entry in entries] == [
        str(number) for number in range(1100 - LOGS_MAX, 1100)
    ]
    assert all(100 < len(entry["message"].encode()) < LOG_BYTES for entry in entries)


def test_a_traceback_is_kept_with_its_end() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise ValueError("the very cause")

    shared = Shared(1)
    try:
        deep(60)
    except ValueError:
        kept(0, "p", record("it failed", logging.ERROR, sys.exc_info()), shared=shared)
    (entry,) = read(shared, Wanted())
    assert (entry["message"], entry["errKind"]) == ("it failed", "ERROR")
    assert entry["error"]["message"] == "ValueError: the very cause"
    assert any("test_log_stream" in line for line in entry["error"]["source"])


def test_kinds_and_limits_as_mc_sends_them() -> None:
    assert parse_wanted({"limit": "5", "logType": "all", "node": ""}) == Wanted(5)
    assert parse_wanted({"limit": "0"}).limit > 1_000_000
    assert parse_wanted({"limit": "many"}).limit == Wanted().limit
    shared = Shared(1)
    levels = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    kept(0, "p", *(record(str(level), level) for level in levels), shared=shared)
    for kind, messages in (
        ("minio", ["20", "30", "40", "50"]),
        ("application", ["40", "50"]),
        ("warning", ["30"]),
        ("FATAL", ["50"]),
    ):
        entries = read(shared, parse_wanted({"limit": "0", "logType": kind}))
        assert [entry["message"] for entry in entries] == messages


def test_what_a_killed_process_said_last_can_be_read_on_a_live_server(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", workers=1) as server:
        with Stream(server, "log?limit=0&logType=all") as stream:
            assert stream.answer.status == 200
            server.signal(signal.SIGHUP)
            wait_until(lambda: b"reopening logs" in stream.raw)
        worker = server.children()[1]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(server.children()) == 2 and worker not in server.children())
        wait_until(server.is_ready)
        with Stream(server, "log?limit=0&logType=all") as stream:
            wait_until(lambda: b"was killed by signal 9" in stream.raw)
            entries = stream.documents()
            assert {entry["node"] for entry in entries} == {"supervisor"}
            assert [entry["level"] for entry in entries] == ["INFO", "ERROR"]
            assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", deployment(entries))
            wait_until(lambda: stream.raw.endswith(b"  "))  # signs of life
            assert server.stop() == 0
            wait_until(lambda: stream.over)


def deployment(entries: list[dict[str, Any]]) -> str:
    (store,) = {entry["deploymentid"] for entry in entries}
    return str(store)


@pytest.mark.parametrize("path", ["log", "trace?s3=true"])
def test_streams_are_for_those_who_may(live_server: LiveServer, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{live_server.endpoint}/minio/admin/v3/{path}")
    error.value.close()
    assert error.value.code == 403


def test_the_last_lines_at_once_by_level_process_and_text() -> None:
    shared = Shared(1)
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    for number in range(2500):
        item = record(f"line {number}", levels[number % 5])
        item.created = 1_800_000_000 + number
        kept(number % 2 + 1, f"process-{number % 2}", item, shared=shared)
    lines = last_lines(shared, 5000, {})
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(500, 2500)]
    assert lines[-1]["level"] == "CRITICAL"
    assert len(last_lines(shared, 3, {})) == 3
    levels_of = {
        name: {line["level"] for line in last_lines(shared, 5000, {"level": name})}
        for name in ("warning", "error", "fatal")
    }
    assert levels_of == {
        "warning": {"WARNING", "ERROR", "CRITICAL"},
        "error": {"ERROR", "CRITICAL"},
        "fatal": {"CRITICAL"},
    }
    found = last_lines(shared, 5000, {"process": "process-1", "text": "LINE 24", "level": "info"})
    assert [line["message"] for line in found] == [f"line {n}" for n in range(2401, 2500, 2)]
    later = last_lines(shared, 5000, {"since": lines[-3]["time"]})
    assert [line["message"] for line in later] == ["line 2498", "line 2499"]


def test_errors_are_told_with_where_they_come_from() -> None:
    shared = Shared(1)
    try:
        raise ValueError("the very cause")
    except ValueError:
        kept(1, "p", record("it failed", logging.ERROR, sys.exc_info()), shared=shared)
    (line,) = last_lines(shared, 10, {"text": "very cause"})
    assert line["error"] == "ValueError: the very cause"
    assert any("test_log_stream.py" in part for part in line["source"])


def test_last_lines_of_a_live_server(fresh_server: LiveServer) -> None:
    client = Client(fresh_server)
    os.kill(fresh_server.children()[0], signal.SIGKILL)

    def said() -> list[str]:
        lines = client("GET", "neve/logs?process=supervisor&level=error").json["lines"]
        assert all(line["process"] == "supervisor" for line in lines)
        return [line["message"] for line in lines]

    wait_until(lambda: any("steward was killed by signal 9" in line for line in said()))
    answer = client("GET", "neve/logs?level=loud")
    assert (answer.status, answer.code) == (400, "XMinioAdminInvalidArgument")
