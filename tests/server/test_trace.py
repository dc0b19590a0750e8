"""The request trace: all workers, in MinIO's form, only while somebody watches, without secrets."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.server.streams import Stream

from neve.answer import Response
from neve.server.shared import TRACE_BYTES, TRACED, TRACES_MAX, Shared
from neve.server.trace import Filter, Tracer, follow, parse_duration, parse_filter
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

TRACE = "trace?s3=true&err=false&threshold=0s"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("traced") / "data") as live:
        live.client().create_bucket(Bucket="shelf")
        yield live


def id_of(answer: Any) -> str:
    return str(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])


def ids(stream: Stream) -> list[str]:
    return [entry["custom"]["requestId"] for entry in stream.documents()]


def get(url: str, **headers: str) -> str:
    """Make a plain request, whatever comes of it; its request id."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return str(answer.headers["x-amz-request-id"])
    except urllib.error.HTTPError as error:
        with error:
            return str(error.headers["x-amz-request-id"])


def test_every_field_that_minios_clients_read(server: LiveServer) -> None:
    with Stream(server, TRACE).await_alive() as stream:
        assert stream.answer.status == 200
        answer = server.client().put_object(Bucket="shelf", Key="a b", Body=b"12345")
        wait_until(lambda: id_of(answer) in ids(stream))
        (entry,) = [item for item in stream.documents() if item["funcname"] == "s3.PutObject"]
    assert entry["type"] == 4
    assert entry["nodename"] == server.address
    assert entry["path"] == "/shelf/a%20b"
    assert entry["dur"] > 1000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["time"])
    assert entry["custom"]["principal"] == ACCESS_KEY
    request, response, stats = [entry["http"][name] for name in ("request", "response", "stats")]
    assert request["time"] == entry["time"] < response["time"]
    assert (request["proto"], request["method"]) == ("HTTP/1.1", "PUT")
    assert (request["path"], request["client"]) == ("/shelf/a%20b", "127.0.0.1")
    assert request["headers"]["Host"] == [server.address]
    assert "Boto3" in request["headers"]["User-Agent"][0]
    assert response["statuscode"] == 200
    assert response["headers"]["Etag"] == [answer["ETag"]]
    assert (stats["inputbytes"], stats["outputbytes"]) == (5, 0)
    assert 0 < stats["timetofirstbyte"] <= entry["dur"]


def test_a_watcher_of_one_worker_sees_the_requests_of_all(server: LiveServer) -> None:
    with Stream(server, TRACE).await_alive() as one, Stream(server, TRACE).await_alive() as two:
        # Each request has a connection of its own, and the kernel spreads them.
        made = [get(f"{server.endpoint}/shelf/k") for _ in range(24)]
        wait_until(lambda: set(made) <= set(ids(one)) and set(made) <= set(ids(two)))
        entries = [item for item in one.documents() if item["custom"]["requestId"] in made]
        assert len(entries) == len(made)
        assert {item["custom"]["process"] for item in entries} == {"worker-0", "worker-1"}


def test_filters_of_mc_and_of_our_own(server: LiveServer) -> None:
    client = server.client()
    client.put_object(Bucket="shelf", Key="filtered/k", Body=b"1")
    paths = ("trace?s3=true&err=true", "trace?s3=true&threshold=30s", "trace?internal=true")
    own = ("trace?s3=true&operation=GetObject", "trace?s3=true&path=/shelf/filtered/")
    streams = [Stream(server, path).await_alive() for path in (TRACE, *paths, *own)]
    everything, errors, slow, internal, gets, below = streams
    got = id_of(client.get_object(Bucket="shelf", Key="filtered/k"))
    other = id_of(client.list_objects_v2(Bucket="shelf"))
    refused = get(f"{server.endpoint}/shelf/filtered/k")
    probe = get(f"{server.endpoint}/minio/health/live")
    wait_until(lambda: {got, other, refused} <= set(ids(everything)))
    wait_until(lambda: probe in ids(internal))
    wait_until(lambda: refused in ids(errors) and {got, refused} <= set(ids(gets)))
    assert ids(errors) == [refused]
    assert ids(slow) == []
    assert not {got, other, refused} & set(ids(internal))
    assert ids(gets) == ids(below) == [got, refused]
    assert probe not in ids(everything)
    for stream in streams:
        stream.close()


def test_no_signature_and_no_token_is_in_a_trace(server: LiveServer) -> None:
    client, signatures = server.client(), []
    client.meta.events.register(
        "before-send.s3",
        lambda request, **_: signatures.append(
            str(request.headers["Authorization"], "latin-1").rpartition("Signature=")[2]
        ),
    )
    with Stream(server, TRACE).await_alive() as stream:
        client.put_object(Bucket="shelf", Key="secret", Body=b"the-body-itself")
        url = client.generate_presigned_url("get_object", {"Bucket": "shelf", "Key": "secret"})
        last = get(url, Referer=url, Cookie="session=c00kie")
        get(f"{server.endpoint}/shelf/k", Authorization="Bearer a-bearer-token")
        last = get(f"{server.endpoint}/shelf/k?X-Amz-Security-Token=t0ken&x=y")
        wait_until(lambda: last in ids(stream))
        text = stream.raw.decode()
    assert len(signatures) == 1
    presigned = url.partition("X-Amz-Signature=")[2]
    for secret in (
        SECRET_KEY, *signatures, presigned, "a-bearer-token", "t0ken", "c00kie", "the-body-itself"
    ):  # fmt: skip
        assert len(secret) > 4
        assert secret not in text
    assert "X-Amz-Signature=***" in text


def test_a_trace_is_asked_for_as_policies_say_and_in_a_form_that_is_understood(
    server: LiveServer,
) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{server.endpoint}/minio/admin/v3/trace?s3=true")
    error.value.close()
    assert error.value.code == 403
    with Stream(server, "trace?s3=true&threshold=soon") as stream:
        assert stream.answer.status == 400


def test_a_silent_server_sends_blanks(server: LiveServer) -> None:
    with Stream(server, "trace?scanner=true") as stream:
        wait_until(lambda: len(stream.raw) >= 2)
        assert stream.raw.strip() == b""


def spread(server: LiveServer) -> set[str]:
    """The workers that answer, as far as a few connections find out."""
    with Stream(server, TRACE).await_alive() as stream:
        made = [get(f"{server.endpoint}/shelf/k") for _ in range(12)]
        wait_until(lambda: set(made) <= set(ids(stream)))
        return {entry["custom"]["process"] for entry in stream.documents()}


def test_workers_and_watchers_may_die(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        server.client().create_bucket(Bucket="shelf")
        streams = [Stream(server, TRACE).await_alive() for _ in range(6)]
        streams.pop().close()  # as if killed: nothing is said to the server
        worker = server.children()[1]  # after the steward
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(server.children()) == 3 and worker not in server.children())
        wait_until(lambda: spread(server) == {"worker-0", "worker-1"})
        left = [stream for stream in streams if not stream.over]
        with Stream(server, TRACE).await_alive() as fresh:
            made = [get(f"{server.endpoint}/shelf/k") for _ in range(24)]
            for stream in (fresh, *left):
                wait_until(lambda stream=stream: set(made) <= set(ids(stream)))  # type: ignore[misc]
            # Watchers do not hold up the end.
            started = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - started < 10
            wait_until(lambda: fresh.over)


class Fake:
    """A request as the tracer sees it."""

    def __new__(cls, **changes: Any) -> Any:
        values: dict[str, Any] = {
            "operation": "GetObject", "error_code": "", "id": "00AA", "principal": "root",
            "raw_path": b"/b/k", "raw_query": b"", "headers": {b"host": b"h"}, "client": "::1",
            "method": "GET", "version": "1.1",
        }  # fmt: skip
        return SimpleNamespace(**(values | changes))


def traced() -> tuple[Shared, Tracer]:
    shared = Shared(1)
    shared.attach(2)
    return shared, Tracer(shared, "worker-0")


def test_nothing_is_written_once_nobody_renews_the_lease() -> None:
    shared, tracer = traced()
    assert not shared.cells[TRACED]
    tracer.note(Fake(), Response(200), 0, 0, 0.1)
    assert shared.traces.count(2) == 0
    shared.trace_for(30.0)
    tracer.note(Fake(), Response(200), 0, 0, 0.1)
    assert shared.traces.count(2) == 1
    shared.trace_for(-1.0)
    assert shared.cells[TRACED]
    tracer.note(Fake(), Response(200), 0, 0, 0.1)
    assert shared.traces.count(2) == 1
    assert not shared.cells[TRACED]


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {b"host": b"h", b"x-amz-meta-a": b'"' * TRACE_BYTES}},
        {"raw_path": b"/b/" + b'"' * 16_000, "raw_query": b'"' * 16_000},
        {"raw_path": b"/b/" + "\u2603".encode() * 5_000, "raw_query": b"\xff" * 5_000},
        {"raw_path": b"/b/" + b"\\" * 16_000, "headers": {b"h": b"x" * 60_000}},
    ],
)
def test_long_requests_are_shortened_and_still_traced(changes: dict[str, Any]) -> None:
    shared, tracer = traced()
    shared.trace_for(30.0)
    tracer.note(Fake(**changes), Response(404), 0, 0, 0.1)
    ((record,), _, _) = shared.traces.read(2, 0)
    entry = json.loads(record)
    assert entry["custom"]["shortened"] == "true"
    assert entry["path"].startswith("/b/")
    assert entry["http"]["response"]["statuscode"] == 404


async def next_lines(stream: Any) -> list[dict[str, Any]]:
    async for data in stream:
        if data.strip():
            return [json.loads(line) for line in data.splitlines()]
    raise AssertionError("the stream ended")


def test_a_watcher_that_is_too_slow_is_told_what_it_missed() -> None:
    import asyncio

    async def watch() -> list[dict[str, Any]]:
        shared, tracer = traced()
        stream = follow(shared, Filter())
        first = asyncio.ensure_future(next_lines(stream))
        while not shared.cells[TRACED]:
            await asyncio.sleep(0)
        for number in range(TRACES_MAX + 30):
            tracer.note(Fake(id=str(number)), Response(200), 0, 0, 0.1)
        return await first

    entries = asyncio.run(watch())
    assert len(entries) == TRACES_MAX
    assert [entry["custom"].get("lost") for entry in entries] == ["30"] + [None] * (TRACES_MAX - 1)
    assert {int(entry["custom"]["requestId"]) for entry in entries} == set(
        range(30, TRACES_MAX + 30)
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("0", 0), ("5ms", 0.005), ("1.5s", 1.5), ("1m30s", 90), ("1h0m0s", 3600),
     ("250\u00b5s", 250e-6), ("100ns", 1e-7)],
)  # fmt: skip
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "ms", "5 ms", "-5ms", "5msx", "x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_filter_takes_what_mc_sends() -> None:
    query = {"s3": "true", "internal": "false", "err": "true", "threshold": "5ms", "os": "true"}
    assert parse_filter(query) == Filter(4, True, 0.005, "", "")


def test_cost_without_a_watcher() -> None:
    """What a request pays while nobody watches: the test of one cell."""
    shared, _ = traced()
    started = time.perf_counter()
    for _ in range(10_000):
        if shared.cells[TRACED]:
            raise AssertionError
    assert (time.perf_counter() - started) / 10_000 < 5e-6


@pytest.mark.skipif(shutil.which("mc") is None, reason="MinIO's client is not installed")
def test_mc_shows_it(server: LiveServer, tmp_path: Path) -> None:
    environment = os.environ | {"MC_CONFIG_DIR": str(tmp_path)}
    keys = f"{server.access_key}:{server.secret_key}"
    environment["MC_HOST_n"] = f"http://{keys}@{server.address}"
    command = ["mc", "--json", "admin", "trace", "--errors", "n"]
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen(command, stdout=out, env=environment)
        try:
            wait_until(lambda: get(f"{server.endpoint}/shelf/no") in (tmp_path / "out").read_text())
        finally:
            process.kill()
            process.wait()
