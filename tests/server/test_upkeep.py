"""GET neve/upkeep on a live server: jobs, scrub and what it found, uploads, processes, counts."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.admin.client import Client
from tests.admin.test_rights import user

from neve.engine.scrub import PLACE
from neve.engine.store import open_catalog
from neve.server.metrics import Metrics
from neve.server.shared import STEWARD, Shared
from neve.server.upkeep import state_of
from neve.testing.server import LiveServer, wait_until


def upkeep_of(server: LiveServer, query: str = "") -> Any:
    answer = Client(server)("GET", f"neve/upkeep?{query}")
    assert answer.status == 200, answer.body
    return answer.json


def by_name(rows: list[dict[str, Any]], name: str, field: str = "name") -> dict[str, Any]:
    (found,) = [row for row in rows if row[field] == name]
    return found


def test_a_job_that_has_not_run_yet_says_when_it_will() -> None:
    shared = Shared(1)
    shared.attach(STEWARD)
    metrics = Metrics(shared)
    metrics.planned("abort-uploads", 3600.0)
    metrics.planned("scrub", 1.0)
    metrics.job("scrub", 0.25, failed=True, next_s=2.0)
    rare, scrub = state_of(shared)["jobs"]
    assert (rare["name"], rare["runs"], rare["last_run"]) == ("abort-uploads", 0, None)
    assert rare["next_run"] > scrub["next_run"] >= scrub["last_run"]
    assert (scrub["failures"], scrub["failing"], scrub["duration_s"]) == (1, True, 0.25)


def test_requests_and_errors_are_counted_the_most_frequent_first() -> None:
    shared = Shared(1)
    shared.attach(2)
    metrics = Metrics(shared)
    metrics.end("PutObject", 200, 0.1, 1, 0, "")
    for status, error in ((200, ""), (404, "NoSuchKey"), (404, "NoSuchKey"), (503, "SlowDown")):
        metrics.end("GetObject", status, 0.1, 0, 1, error)
    found = state_of(shared)
    row = {"operation": "GetObject", "count": 4, "client_errors": 2, "server_errors": 1}
    assert [each["operation"] for each in found["requests"]] == ["GetObject", "PutObject"]
    assert found["requests"][0] == row
    assert found["errors"] == [{"code": "NoSuchKey", "count": 2}, {"code": "SlowDown", "count": 1}]


def test_uploads_largest_buckets_requests_and_errors(fresh_server: LiveServer) -> None:
    client = fresh_server.client()
    for name, size in (("upkeep-small", 10), ("upkeep-large", 1000)):
        client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key="k", Body=b"x" * size)
    started = client.create_multipart_upload(Bucket="upkeep-small", Key="up")
    client.upload_part(
        Bucket="upkeep-small", Key="up", UploadId=started["UploadId"], PartNumber=1, Body=b"y" * 77
    )
    with contextlib.suppress(ClientError):
        client.get_object(Bucket="upkeep-small", Key="absent")
    found = upkeep_of(fresh_server)
    assert found["buckets"] == [
        {"name": "upkeep-large", "objects": 1, "bytes": 1000},
        {"name": "upkeep-small", "objects": 1, "bytes": 10},
    ]
    (upload,) = found["uploads"]["oldest"]
    assert (upload["bucket"], upload["key"], upload["bytes"]) == ("upkeep-small", "up", 77)
    assert (found["uploads"]["count"], found["uploads"]["more"]) == (1, False)
    assert by_name(found["requests"], "PutObject", "operation")["count"] == 2
    assert by_name(found["requests"], "GetObject", "operation")["client_errors"] == 1
    assert {"code": "NoSuchKey", "count": 1} in found["errors"]


def test_processes_and_their_restarts(fresh_server: LiveServer) -> None:
    found = upkeep_of(fresh_server)["processes"]
    assert [row["name"] for row in found] == ["supervisor", "steward", "worker-0", "worker-1"]
    assert {row["pid"] for row in found} == {fresh_server.pid, *fresh_server.children()}
    for row in found:
        assert row["state"] == "ready"
        assert 0 < row["pss_bytes"] <= row["rss_bytes"]
        assert row["restarts"] == 0
    steward = by_name(found, "steward")["pid"]
    os.kill(steward, signal.SIGKILL)

    def again() -> bool:
        row = by_name(upkeep_of(fresh_server)["processes"], "steward")
        return row["restarts"] == 1 and row["state"] == "ready" and row["pid"] != steward

    wait_until(again)


def test_damaged_objects_are_named_page_by_page(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        client = server.client()
        client.create_bucket(Bucket="upkeep-damaged")
        for number in range(3):
            body = bytes([number]) * (2 << 20)
            client.put_object(Bucket="upkeep-damaged", Key=f"k{number}", Body=body)
        server.stop()
        for file in (server.folder / "files").rglob("*"):
            if file.is_file():
                with open(file, "r+b") as stream:
                    stream.seek(1 << 20)
                    stream.write(b"damage")
        catalog = open_catalog(str(server.folder))
        catalog.transact([lambda txn: txn.put_setting(PLACE, None)])  # a new walk begins
        catalog.close()
        server.start()
        wait_until(lambda: upkeep_of(server)["scrub"]["findings"] == 3)
        first = upkeep_of(server, "limit=2")
        assert [(row["bucket"], row["key"]) for row in first["findings"]] == [
            ("upkeep-damaged", "k0"),
            ("upkeep-damaged", "k1"),
        ]
        assert {row["kind"] for row in first["findings"]} == {"corrupt"}
        rest = upkeep_of(server, f"limit=2&marker={first['next_marker']}")
        assert [row["key"] for row in rest["findings"]] == ["k2"]
        assert rest["next_marker"] == ""
        wait_until(lambda: upkeep_of(server)["scrub"]["finished"] is not None)
        scrub = upkeep_of(server)["scrub"]
        assert (scrub["running"], scrub["objects"], scrub["bytes"]) == (False, 3, 6 << 20)
        assert scrub["next"] > scrub["finished"]


@pytest.mark.parametrize("query", ["limit=x", "limit=1001", "marker=-1", "limit=" + "9" * 40])
def test_what_cannot_be_asked(live_server: LiveServer, query: str) -> None:
    answer = Client(live_server)("GET", f"neve/upkeep?{query}")
    assert (answer.status, answer.code) == (400, "XMinioAdminInvalidArgument")


def test_it_is_for_those_who_may_see_the_server(live_server: LiveServer) -> None:
    assert user(live_server, "upkeep-amy", "readwrite")("GET", "neve/upkeep").status == 403
    assert user(live_server, "upkeep-bob", "diagnostics")("GET", "neve/upkeep").status == 200
