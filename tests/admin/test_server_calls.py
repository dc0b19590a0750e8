"""Info, usage, quotas, settings and the service, asked by the `minio` package and by raw calls."""

import json
import os
import socket
from pathlib import Path

import pytest
import urllib3
from tests.admin.client import Answer, Client

from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until


def make_bucket(server: LiveServer, name: str, *bodies: bytes) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket=name)
    for index, body in enumerate(bodies):
        s3.put_object(Bucket=name, Key=f"object-{index}", Body=body)


def test_info_counts_what_the_store_holds(fresh_server: LiveServer) -> None:
    make_bucket(fresh_server, "first-bucket", b"12345", b"123")
    make_bucket(fresh_server, "second-bucket", b"1")
    info = json.loads(Client(fresh_server).minio().info())
    assert info["mode"] == "online"
    assert info["buckets"]["count"] == 2
    assert info["objects"]["count"] == 3
    assert info["usage"]["size"] == 9
    (server,) = info["servers"]
    (drive,) = server["drives"]
    assert drive["state"] == "ok"
    stat = os.statvfs(fresh_server.folder)
    assert drive["totalspace"] == stat.f_blocks * stat.f_frsize
    assert 0 <= server["uptime"] < 3600
    mark = json.loads(Path(fresh_server.folder, "neve.json").read_text())
    assert info["deploymentID"].replace("-", "") == mark["store"]


def test_data_usage_is_exact_at_once(fresh_server: LiveServer) -> None:
    make_bucket(fresh_server, "usage-bucket", b"x" * 1000, b"y" * 24)
    usage = json.loads(Client(fresh_server).minio().get_data_usage_info())
    assert usage["objectsCount"] == 2
    assert usage["objectsTotalSize"] == 1024
    assert usage["bucketsSizes"] == {"usage-bucket": 1024}
    assert usage["bucketsUsageInfo"]["usage-bucket"]["objectsCount"] == 2
    assert "capacity" not in usage
    with_capacity = Client(fresh_server)("GET", "datausageinfo?capacity=true").json
    assert with_capacity["capacity"] >= with_capacity["freeCapacity"] > 0


def test_storage_info_names_the_folder(live_server: LiveServer) -> None:
    info = Client(live_server)("GET", "storageinfo").json
    assert [disk["path"] for disk in info["Disks"]] == [str(live_server.folder)]


def test_account_info_lists_the_buckets_of_the_caller(live_server: LiveServer) -> None:
    make_bucket(live_server, "account-bucket", b"1234")
    info = json.loads(Client(live_server).minio().account_info())
    assert info["AccountName"] == ACCESS_KEY
    (bucket,) = [row for row in info["Buckets"] if row["name"] == "account-bucket"]
    assert (bucket["size"], bucket["objects"]) == (4, 1)
    assert bucket["access"] == {"read": True, "write": True}


def test_a_quota_is_set_read_and_cleared(live_server: LiveServer) -> None:
    make_bucket(live_server, "quota-bucket")
    admin = Client(live_server).minio()
    admin.bucket_quota_set("quota-bucket", 12345)
    quota = json.loads(admin.bucket_quota_get("quota-bucket"))
    assert quota == {"quota": 12345, "size": 0, "rate": 0, "requests": 0, "quotatype": "hard"}
    admin.bucket_quota_clear("quota-bucket")
    assert "quotatype" not in json.loads(admin.bucket_quota_get("quota-bucket"))


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"quota": -1}, 400, "XMinioAdminInvalidArgument"),
        ({"quota": True}, 400, "XMinioAdminInvalidArgument"),
        ({"quota": "1GiB"}, 400, "XMinioAdminInvalidArgument"),
        ({"quota": 1 << 63}, 400, "XMinioAdminInvalidArgument"),
        ({"quota": 1, "quotatype": "fifo"}, 400, "XMinioAdminInvalidArgument"),
        ({"size": 1, "rate": 5}, 501, "NotImplemented"),
        ([], 400, "XMinioAdminConfigBadJSON"),
        (b"{", 400, "XMinioAdminConfigBadJSON"),
        (b"\xff\xfe", 400, "XMinioAdminConfigBadJSON"),
    ],
)
def test_bad_quotas_are_refused(
    live_server: LiveServer, document: object, status: int, code: str
) -> None:
    client = Client(live_server)
    if client("GET", "get-bucket-quota?bucket=bad-quota-bucket").status == 404:
        make_bucket(live_server, "bad-quota-bucket")
    answer = client("PUT", "set-bucket-quota?bucket=bad-quota-bucket", document)  # type: ignore[arg-type]
    assert (answer.status, answer.code) == (status, code)
    assert client("GET", "get-bucket-quota?bucket=bad-quota-bucket").json["quota"] == 0


def test_settings_are_shown_without_secrets(live_server: LiveServer) -> None:
    text = Client(live_server)("GET", "config").plain.decode()
    assert "site region=us-east-1" in text
    assert "connections_max=20000" in text
    assert SECRET_KEY not in text
    assert "root_" not in text
    one = Client(live_server)("GET", "get-config-kv?key=site").plain.decode()
    assert one == "site region=us-east-1 domain="


def test_settings_have_help_and_most_cannot_be_changed(live_server: LiveServer) -> None:
    client = Client(live_server)
    groups = client("GET", "help-config-kv?subSys=&key=").json
    assert [row["key"] for row in groups["keysHelp"]] == ["quota", "site", "server", "limits"]
    (row,) = client("GET", "help-config-kv?subSys=site&key=region").json["keysHelp"]
    assert "NEVE_REGION" in row["description"]
    for method, path, body in (
        ("PUT", "set-config-kv", b"site region=elsewhere"),
        ("PUT", "config", b"site region=elsewhere"),
        ("DELETE", "del-config-kv", b"site"),
        ("PUT", "set-config-kv", b"nonsense a=b"),
    ):
        answer = client(method, path, body, sealed=True)
        assert (answer.status, answer.code) == (400, "XMinioConfigError"), path
    assert client("GET", "get-config-kv?key=nonsense").code == "XMinioConfigError"
    assert client("GET", "list-config-history-kv?count=10").unsealed == []
    assert client("PUT", "restore-config-history-kv?restoreId=1").code == "XMinioConfigError"
    text = client("GET", "get-config-kv?key=site").plain
    assert text == b"site region=us-east-1 domain="


def test_the_quota_of_new_buckets_is_a_setting(fresh_server: LiveServer) -> None:
    client = Client(fresh_server)

    def told(text: str) -> Answer:
        return client("PUT", "set-config-kv", text.encode(), sealed=True)

    def now() -> str:
        return client("GET", "get-config-kv?key=quota").plain.decode()

    assert now() == "quota bytes= objects= soft="
    answer = told("quota bytes=1MiB soft=80")
    assert answer.headers["x-minio-config-applied"] == "true"
    assert now() == "quota bytes=1048576 objects= soft=80"
    assert told('quota objects="5"').status == 200
    assert now() == "quota bytes=1048576 objects=5 soft=80"
    make_bucket(fresh_server, "limited-bucket")
    assert client("GET", "get-bucket-quota?bucket=limited-bucket").json["quota"] == 1 << 20
    for wrong in ("bytes=much", "soft=101", "objects=-1", "colour=red", "bytes", "'"):
        answer = told(f"quota {wrong}")
        assert (answer.status, answer.code) == (400, "XMinioConfigError"), wrong
    assert now() == "quota bytes=1048576 objects=5 soft=80"
    # A whole configuration comes back as it went, unless it would change what is read-only.
    exported = client("GET", "config").plain
    assert client("DELETE", "del-config-kv", b"quota", sealed=True).status == 200
    assert now() == "quota bytes= objects= soft="
    changed = exported.replace(b"us-east-1", b"elsewhere")
    answer = client("PUT", "config", changed, sealed=True)
    assert "NEVE_REGION" in answer.json["Message"]
    assert now() == "quota bytes= objects= soft="
    assert client("PUT", "config", exported, sealed=True).status == 200
    assert now() == "quota bytes=1048576 objects=5 soft=80"


def test_a_frozen_server_refuses_s3_and_goes_on_administering(fresh_server: LiveServer) -> None:
    client = Client(fresh_server)

    def status() -> int:
        # Without keys and without a connection to keep: each asks any of the workers.
        headers = {"Connection": "close"}
        return urllib3.request("GET", fresh_server.endpoint, headers=headers, retries=False).status

    answer = client("POST", "service?action=freeze&type=2")
    assert answer.json == {"action": "freeze", "dryRun": False}
    wait_until(lambda: [status() for _ in range(8)] == [503] * 8)
    assert client("GET", "info").status == 200
    client("POST", "service?action=unfreeze&type=2")
    # With the next request, whichever worker answers it.
    assert [status() for _ in range(16)] == [403] * 16


def test_dry_runs_do_nothing_and_unknown_actions_are_refused(live_server: LiveServer) -> None:
    client = Client(live_server)
    answer = client("POST", "service?action=stop&type=2&dry-run=true")
    assert answer.json["dryRun"] is True
    assert client("POST", "service?action=explode&type=2").code == "XMinioAdminInvalidArgument"
    assert client("GET", "info").status == 200


def test_the_server_restarts_as_the_same_process_with_what_it_held(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        server = LiveServer(tmp_path / "data", environment=environment)
        server.address = free_address()
        server.panel_address = free_address()
        with server:
            assert manager.recv(100) == b"READY=1"
            make_bucket(server, "kept-bucket", b"kept")
            before = set(server.children())
            Client(server).minio().service_restart()
            # systemd must not take it for the end of the service.
            assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(100) == b"READY=1"
            wait_until(lambda: _is_new(server, before))
            usage = json.loads(Client(server).minio().get_data_usage_info())
            assert usage["bucketsSizes"] == {"kept-bucket": 4}
            assert server.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


def free_address() -> str:
    """A loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def _is_new(server: LiveServer, before: set[int]) -> bool:
    try:
        answer = urllib3.request("GET", f"{server.endpoint}/minio/health/live", retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200 and not before & set(server.children())


def test_the_server_stops_in_order(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data").start()
    try:
        Client(server).minio().service_stop()
        assert server.wait() == 0
    finally:
        server.close()
