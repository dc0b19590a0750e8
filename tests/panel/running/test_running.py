"""Dashboard, upkeep, audit, requests, logs, settings, export and import."""

import http.client
import io
import json
import zipfile
from collections.abc import Callable
from urllib.parse import urlencode

from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer, wait_until

PAGES = ("/dashboard", "/upkeep", "/audit", "/trace", "/logs", "/server")
HOSTILE = "<img src=x onerror=alert(1)>"


def upload(visitor: Visitor, path: str, data: bytes) -> Shown:
    """Send a file as a form of the panel does."""
    boundary = "neve-test-boundary"
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n{visitor.csrf}\r\n',
        f'--{boundary}\r\ncontent-disposition: form-data; name="archive"; filename="a.zip"\r\n',
        "content-type: application/zip\r\n\r\n",
    ]
    body = "".join(parts).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "content-type": f"multipart/form-data; boundary={boundary}",
        "origin": visitor.server.panel,
    }
    return visitor.request("POST", path, body, headers)


def raw_post(visitor: Visitor, path: str) -> bytes:
    """What a form answers with, as bytes."""
    connection = http.client.HTTPConnection(visitor.address, timeout=60)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {
        "cookie": cookie,
        "origin": visitor.server.panel,
        "content-type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", path, urlencode({"csrf": visitor.csrf}), headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status == 200, data
    return data


def test_dashboard_tells_what_is_stored(administrator: Visitor, server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="on-the-dashboard")
    client.put_object(Bucket="on-the-dashboard", Key="a", Body=bytes(3 << 20))
    wait_until(lambda: "3.0 MiB" in administrator.get("/dashboard").words)
    words = administrator.get("/dashboard").words
    assert "on-the-dashboard" in words
    assert "Latency" in words
    for span in ("24h", "7d", "30d", "nonsense"):
        assert administrator.get(f"/dashboard?span={span}").status == 200


def test_dashboard_of_a_server_that_has_just_begun(fresh_server: LiveServer) -> None:
    visitor = Visitor(fresh_server).login()
    assert visitor.get("/dashboard").status == 200
    assert visitor.get("/dashboard?span=30d").status == 200


def test_upkeep_tells_jobs_and_processes(administrator: Visitor, server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="half")
    client.create_multipart_upload(Bucket="half", Key="left-behind")
    words = administrator.get("/upkeep").words
    for expected in ("checkpoint", "steward", "worker-0", "half/left-behind"):
        assert expected in words


def test_audit_finds_who_did_what(administrator: Visitor, user: Callable[..., Visitor]) -> None:
    kate = user("kate", "readonly")
    kate.get("/users")  # refused
    administrator.get("/buckets")
    found = administrator.get("/audit?event=AdminAddUser").words
    assert "kate" in found
    wait_until(lambda: "AdminListUsers" in administrator.get("/audit?user=kate").words)
    assert "Nothing was found here." in administrator.get("/audit?user=nobody").words
    assert administrator.get("/audit?since=nonsense").status == 200
    assert "secret-of-the-user" not in administrator.get("/audit?text=kate").text


def test_requests_are_seen_as_they_come(administrator: Visitor, server: LiveServer) -> None:
    server.client().create_bucket(Bucket="watched")
    connection = http.client.HTTPConnection(administrator.address, timeout=60)
    cookie = "; ".join(f"{name}={value}" for name, value in administrator.cookies.items())
    connection.request("GET", "/trace/stream", headers={"cookie": cookie})
    answer = connection.getresponse()
    assert answer.status == 200

    def next_rows() -> list[dict[str, object]]:
        line = answer.readline()
        return [json.loads(line)] if line.strip() else []

    seen: list[dict[str, object]] = []
    while not seen:  # the watch may begin after the first of these
        server.client().put_object(Bucket="watched", Key="seen", Body=b"12345")
        seen = [row for row in next_rows() if row["api"] == "PutObject"]
    connection.close()
    assert seen[0]["status"] == 200
    assert seen[0]["path"] == "/watched/seen"
    assert server.secret_key not in json.dumps(seen)


def test_logs_are_filtered(administrator: Visitor) -> None:
    assert administrator.get("/logs").status == 200
    shown = administrator.get("/logs?level=error&process=worker-0&text=nothing-has-this")
    assert "There is no such line." in shown.words
    assert administrator.get("/logs?level=nonsense").status == 200


def test_quota_of_new_buckets_is_set(administrator: Visitor, server: LiveServer) -> None:
    administrator.get("/server")
    administrator.post("/server", bytes="5MiB", objects="", soft="")
    assert "5" in administrator.get("/server").words
    server.client().create_bucket(Bucket="under-quota")
    assert administrator.post("/server", bytes="nonsense", objects="", soft="").status == 400
    administrator.post("/server", bytes="", objects="", soft="")


def test_identities_are_exported_and_imported(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    user("louise", "readwrite")
    administrator.get("/server")
    data = raw_post(administrator, "/server/export-iam")
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    administrator.get("/user/remove?name=louise")
    administrator.post("/user/remove", name="louise", typed="louise")
    shown = upload(administrator, "/server/import-iam", data)
    assert shown.status == 200
    assert "louise" in shown.words
    keys = {"aws_access_key_id": "louise", "aws_secret_access_key": "secret-of-the-user"}
    server.client(**keys).list_buckets()
    assert upload(administrator, "/server/import-iam", b"no archive").status >= 400
    assert upload(administrator, "/server/import-iam", b"").status == 400


def test_settings_of_buckets_are_exported_and_imported(
    administrator: Visitor, server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="exported")
    tags = {"TagSet": [{"Key": "project", "Value": "x"}]}
    client.put_bucket_tagging(Bucket="exported", Tagging=tags)
    administrator.get("/server")
    data = raw_post(administrator, "/server/export-buckets")
    client.delete_bucket_tagging(Bucket="exported")
    assert upload(administrator, "/server/import-buckets", data).status == 200
    assert client.get_bucket_tagging(Bucket="exported")["TagSet"] == tags["TagSet"]


def test_restart_asks_first(administrator: Visitor) -> None:
    administrator.get("/server")
    shown = administrator.post("/server/service", action="restart")
    assert "Everybody must log in again" in shown.words
    assert administrator.get("/server").status == 200


def test_others_see_none_of_it(user: Callable[..., Visitor], visitor: Visitor) -> None:
    mona = user("mona", "readwrite")
    menu = mona.get("/buckets").text
    for path in PAGES:
        assert f'href="{path}"' not in menu
        shown = mona.get(path)
        assert shown.status == 403, path
        assert "Your policies do not allow this." in shown.words
        assert visitor.get(path, follow=False).status == 303
    assert mona.get("/trace/stream").status == 403
    for path in ("/server/export-iam", "/server/export-buckets"):
        assert mona.post(path).status == 403
    assert mona.post("/server/service", action="restart", sure="yes").status == 403
    assert mona.post("/server", bytes="1", objects="", soft="").status == 403


def test_hostile_text_is_text(administrator: Visitor, server: LiveServer) -> None:
    server.client().create_bucket(Bucket="hostile")
    server.client().create_multipart_upload(Bucket="hostile", Key=HOSTILE)
    administrator.get("/audit")
    for shown in (
        administrator.get("/audit", **dict.fromkeys(("user", "bucket", "key", "text"), HOSTILE)),
        administrator.get("/logs", process=HOSTILE, text=HOSTILE),
        administrator.get("/upkeep", marker=HOSTILE),
        administrator.get("/dashboard", span=HOSTILE),
    ):
        assert shown.status == 200
        assert HOSTILE not in shown.text
