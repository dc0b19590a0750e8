"""The processes of a real server: start, drain, restart after a crash, signals."""

import base64
import http.client
import json
import os
import signal
import socket
import stat
import threading
import time
import urllib.request
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

UPLOAD_BYTES = 50_000_000
assert UPLOAD_BYTES < 48 << 20


class SlowUpload:
    """A PUT of UPLOAD_BYTES that stops half way until it is told to go on."""

    def __init__(self, server: LiveServer, bucket: str, key: str) -> None:
        parameters = {"Bucket": bucket, "Key": key}
        url = server.client().generate_presigned_url("put_object", Params=parameters)
        parts = urlsplit(url)
        self.data = (os.urandom(1 << 20) * 48)[:UPLOAD_BYTES]
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        self.connection.putrequest("PUT", f"{parts.path}?{parts.query}")
        self.connection.putheader("Content-Length", str(UPLOAD_BYTES))
        self.connection.endheaders()
        self.connection.send(self.data[: UPLOAD_BYTES // 2])
        wait_until(lambda: in_flight(server) == 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def finish(self) -> int:
        """Send the rest; the status of the answer."""
        self.connection.send(self.data[UPLOAD_BYTES // 2 :])
        with self.connection.getresponse() as answer:
            return answer.status


def in_flight(server: LiveServer) -> int:
    """Requests in flight, as the metrics have it (at most a second old)."""
    request = urllib.request.Request(server.endpoint + "/neve/metrics")
    keys = base64.b64encode(f"{ACCESS_KEY}:{SECRET_KEY}".encode()).decode()
    request.add_header("Authorization", f"Basic {keys}")
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    return int(text.partition("\nneve_requests_in_flight ")[2].partition("\n")[0])


def accepts(server: LiveServer) -> bool:
    host, port = server.address.split(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_first_start_makes_and_shows_keys_and_later_ones_do_not(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", keys=None) as server:
        file = server.folder / "root-credentials.json"
        keys = json.loads(file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert keys["secret_key"] in server.output()
        assert str(file) in server.output()
        server.client().create_bucket(Bucket="first")
        server.restart()
        assert keys["secret_key"] not in server.output()
        assert str(file) in server.output()
        names = [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]]
        assert names == ["first"]


def test_keys_of_the_environment_are_used_and_neither_shown_nor_stored(
    fresh_server: LiveServer,
) -> None:
    assert ACCESS_KEY in fresh_server.output()
    assert SECRET_KEY not in fresh_server.output()
    assert not (fresh_server.folder / "root-credentials.json").exists()
    fresh_server.client().create_bucket(Bucket="mine")


def test_upload_in_flight_finishes_while_the_server_drains(fresh_server: LiveServer) -> None:
    fresh_server.client().create_bucket(Bucket="drain")
    with SlowUpload(fresh_server, "drain", "large") as upload:
        fresh_server.signal(signal.SIGTERM)
        wait_until(lambda: not accepts(fresh_server))
        assert upload.finish() == 200
    assert fresh_server.wait() == 0
    fresh_server.start()
    answer = fresh_server.client().get_object(Bucket="drain", Key="large")
    assert answer["Body"].read() == upload.data


def test_upload_that_does_not_end_in_time_is_cut_and_leaves_nothing(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", "--drain-timeout-s", "0.5") as server:
        server.client().create_bucket(Bucket="drain")
        with SlowUpload(server, "drain", "large") as upload:
            assert server.stop() == 0
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                upload.finish()
        server.start()
        with pytest.raises(ClientError, match="404"):
            server.client().head_object(Bucket="drain", Key="large")


def test_second_signal_cuts_what_is_in_flight(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", "--drain-timeout-s", "600") as server:
        server.client().create_bucket(Bucket="drain")
        with SlowUpload(server, "drain", "large") as upload:
            server.signal(signal.SIGINT)
            wait_until(lambda: not accepts(server))
            server.signal(signal.SIGINT)
            assert server.wait() == 1
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                upload.finish()
        server.start()
        with pytest.raises(ClientError, match="404"):
            server.client().head_object(Bucket="drain", Key="large")


def test_idle_connections_do_not_hold_up_the_end(fresh_server: LiveServer) -> None:
    host, port = fresh_server.address.split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]
    start = time.monotonic()
    assert fresh_server.stop() == 0
    assert time.monotonic() - start < 15
    for each in idle:
        each.close()


def test_service_goes_on_while_workers_are_killed(fresh_server: LiveServer) -> None:
    """Both workers are killed in turn under load; a client that retries sees no failure."""
    from botocore.config import Config

    retries = Config(retries={"total_max_attempts": 8, "mode": "standard"})
    client = fresh_server.client(config=retries)
    client.create_bucket(Bucket="crash")
    written: list[str] = []
    stop = threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        try:
            while not stop.is_set():
                key = f"key-{len(written)}"
                client.put_object(Bucket="crash", Key=key, Body=key.encode())
                written.append(key)
        except (BotoCoreError, ClientError) as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(2):
        before = set(fresh_server.children())
        victim = workers(fresh_server)[0]
        os.kill(victim, signal.SIGKILL)
        count = len(written)
        wait_until(lambda: len(set(fresh_server.children()) - before) == 1)  # noqa: B023
        wait_until(lambda: len(written) > count + 20)  # noqa: B023
    stop.set()
    writer.join()
    assert failures == []
    assert fresh_server.output().count("was killed by signal 9") == 2
    for key in written:
        assert client.get_object(Bucket="crash", Key=key)["Body"].read() == key.encode()
    assert fresh_server.stop() == 0


def workers(server: LiveServer) -> list[int]:
    """Pids of the processes that listen on the S3 port."""
    port = int(server.address.rpartition(":")[2])
    inodes = set()
    with open("/proc/net/tcp") as stream:
        for line in stream.readlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A":
                inodes.add(f"socket:[{fields[9]}]")
    found = []
    for pid in server.children():
        links = {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}
        if links & inodes:
            found.append(pid)
    return found


def test_every_worker_listens_for_itself(fresh_server: LiveServer) -> None:
    assert len(workers(fresh_server)) == 2
    assert len(fresh_server.children()) == 3


def test_change_of_a_bucket_holds_on_every_worker_at_once(live_server: LiveServer) -> None:
    clients = [live_server.client() for _ in range(8)]
    for round_ in range(5):
        name = f"everywhere-{round_}"
        clients[0].create_bucket(Bucket=name)
        for client in clients:
            client.head_bucket(Bucket=name)
        clients[1].delete_bucket(Bucket=name)
        for client in clients:
            with pytest.raises(ClientError, match="404"):
                client.head_bucket(Bucket=name)


def test_killed_server_leaves_no_process_and_keeps_what_it_acknowledged(
    fresh_server: LiveServer,
) -> None:
    client = fresh_server.client()
    client.create_bucket(Bucket="kept")
    client.put_object(Bucket="kept", Key="k", Body=b"acknowledged")
    children = fresh_server.children()
    fresh_server.signal(signal.SIGKILL)
    assert fresh_server.wait() == -signal.SIGKILL
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children))
    fresh_server.start()
    assert client.get_object(Bucket="kept", Key="k")["Body"].read() == b"acknowledged"


def test_idle_memory_is_within_its_budget(fresh_server: LiveServer) -> None:
    """120 MB PSS for the whole tree (architecture, section 9)."""
    total = 0
    for pid in (fresh_server.pid, *fresh_server.children()):
        with open(f"/proc/{pid}/smaps_rollup") as stream:
            total += next(int(line.split()[1]) for line in stream if line.startswith("Pss:"))
    assert total < 120_000


def test_who_is_not_logged_in_learns_no_name_from_the_panel(fresh_server: LiveServer) -> None:
    client = fresh_server.client()
    client.create_bucket(Bucket="confidential-name")
    client.put_object(Bucket="confidential-name", Key="secret-key-name", Body=bytes(2048))
    with urllib.request.urlopen(fresh_server.panel + "/", timeout=30) as answer:
        page = answer.read().decode()
        policy = answer.headers["content-security-policy"]
    assert "Access key" in page
    for secret in ("confidential-name", "secret-key-name", ACCESS_KEY, SECRET_KEY):
        assert secret not in page
    assert "default-src 'none'" in policy


def test_panel_says_what_it_does_not_have(live_server: LiveServer) -> None:
    connection = http.client.HTTPConnection(live_server.panel.removeprefix("http://"))
    for method, path, status in (("GET", "/x", 404), ("POST", "/", 405), ("HEAD", "/", 303)):
        connection.request(method, path)
        with connection.getresponse() as answer:
            answer.read()
            assert answer.status == status
    connection.close()


@pytest.mark.parametrize("form", ["text", "json"])
def test_access_log_has_a_line_per_request_without_secrets(tmp_path: Path, form: str) -> None:
    log = tmp_path / "access.log"
    with LiveServer(tmp_path / "data", "--access-log", str(log), "--log-format", form) as server:
        client = server.client()
        client.create_bucket(Bucket="logged")
        request_id = client.put_object(Bucket="logged", Key="k\u00e9y", Body=b"x" * 77)[
            "ResponseMetadata"
        ]["HTTPHeaders"]["x-amz-request-id"]
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": "logged", "Key": "k\u00e9y"}
        )
        signature = url.rpartition("Signature=")[2]
        with urllib.request.urlopen(url) as answer:
            assert len(answer.read()) == 77
        wait_until(lambda: log.exists() and log.read_text().count("k%C3%A9y") == 2)
        log.rename(tmp_path / "access.log.1")
        server.signal(signal.SIGHUP)
        wait_until(log.exists)
        with pytest.raises(ClientError):
            client.head_object(Bucket="logged", Key="absent")
        assert server.stop() == 0
    first, second = (tmp_path / "access.log.1").read_text(), log.read_text()
    put = next(line for line in first.splitlines() if request_id in line)
    assert ACCESS_KEY in put
    assert "PutObject" in put
    assert "77" in put
    assert "absent" in second
    assert "404" in second
    for secret in (signature, SECRET_KEY):
        assert secret not in first + second
    if form == "json":
        assert json.loads(put)["key"] == "k\u00e9y"


def test_relaxed_durability_is_said(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", "--durability", "relaxed", workers=1) as server:
        assert "RELAXED" in server.output()
        server.client().create_bucket(Bucket="fast")
