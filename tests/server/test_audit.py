"""The audit log of a live server: what is in it for each kind of request, and what never is."""

import datetime
import http.server
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.admin.client import Client

from neve.answer import Response
from neve.audit.entry import FIELDS, VERSION
from neve.config import AUDIT_EVENTS
from neve.server.audit import entry_of
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

Entry = dict[str, Any]


class Audited:
    """A server that audits into a file, and what is in the file."""

    def __init__(self, server: LiveServer, path: Path) -> None:
        self.server = server
        self.path = path

    def text(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def entries(self) -> list[Entry]:
        return [json.loads(line) for line in self.text().splitlines()]

    def of(self, request_id: str) -> Entry:
        """The one entry of a request."""

        def found() -> list[Entry]:
            return [entry for entry in self.entries() if entry["request_id"] == request_id]

        wait_until(lambda: bool(found()))
        (entry,) = found()
        return entry


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    path = folder / "audit.log"
    with LiveServer(folder / "data", "--audit-log", str(path)) as server:
        server.client().create_bucket(Bucket="shelf")
        yield Audited(server, path)


def id_of(answer: Any) -> str:
    return str(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Make a plain request; (status, request id)."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["x-amz-request-id"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amz-request-id"]


def metrics_of(server: LiveServer) -> str:
    with urllib.request.urlopen(f"{server.endpoint}/neve/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def refused(call: Any, **arguments: Any) -> str:
    """Make a call that is refused; its request id."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return id_of(error.value.response)


def test_every_field_of_a_write_by_root(audited: Audited) -> None:
    answer = audited.server.client().put_object(
        Bucket="shelf", Key="a/gl\u00e4tscher", Body=b"12345"
    )
    entry = audited.of(id_of(answer))
    assert list(entry) == list(FIELDS)
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(entry.pop("time"))
    assert abs(age.total_seconds()) < 60
    assert 0 < entry.pop("ms") < 60_000
    assert re.fullmatch(r"worker-\d", entry.pop("process"))
    assert "Boto3" in entry.pop("user_agent")
    assert entry == {
        "version": VERSION,
        "request_id": id_of(answer),
        "category": "write",
        "operation": "PutObject",
        "principal_kind": "root",
        "principal": ACCESS_KEY,
        "access_key": ACCESS_KEY,
        "client": "127.0.0.1",
        "secure": False,
        "method": "PUT",
        "bucket": "shelf",
        "key": "a/gl\u00e4tscher",
        "version_id": "",
        "copy_source": "",
        "objects": [],
        "arguments": {},
        "status": 200,
        "error": "",
        "allowed": True,
        "reason": "root",
        "policy": "",
        "statement": "",
        "bytes_in": 5,
        "bytes_out": 0,
    }


def test_a_read_a_listing_and_a_copy(audited: Audited) -> None:
    client = audited.server.client()
    client.put_object(Bucket="shelf", Key="source", Body=b"123")
    read = audited.of(id_of(client.get_object(Bucket="shelf", Key="source")))
    assert (read["category"], read["operation"], read["bytes_out"]) == ("read", "GetObject", 3)
    listing = audited.of(id_of(client.list_objects_v2(Bucket="shelf")))
    assert (listing["category"], listing["operation"]) == ("read", "ListObjectsV2")
    assert (listing["bucket"], listing["key"]) == ("shelf", "")
    copied = client.copy_object(Bucket="shelf", Key="copy", CopySource="shelf/source")
    assert audited.of(id_of(copied))["copy_source"] == "shelf/source"


def test_what_is_not_there_was_not_refused(audited: Audited) -> None:
    client = audited.server.client()
    entry = audited.of(refused(client.get_object, Bucket="shelf", Key="absent"))
    assert (entry["status"], entry["error"]) == (404, "NoSuchKey")
    assert (entry["allowed"], entry["reason"]) == (True, "root")


def test_the_anonymous_without_a_policy(audited: Audited) -> None:
    status, request_id = fetch(f"{audited.server.endpoint}/shelf/secret")
    entry = audited.of(request_id)
    assert status == entry["status"] == 403
    assert entry["error"] == "AccessDenied"
    assert (entry["principal_kind"], entry["principal"], entry["access_key"]) == (
        "anonymous", "", ""
    )  # fmt: skip
    assert (entry["allowed"], entry["reason"]) == (False, "nothing allows it")
    assert (entry["bucket"], entry["key"]) == ("shelf", "secret")


def test_a_policy_is_named_by_the_statement_that_decided(audited: Audited) -> None:
    client = audited.server.client()
    client.create_bucket(Bucket="ruled")
    client.put_object(Bucket="ruled", Key="open/k", Body=b"1")
    resource = "arn:aws:s3:::ruled"
    everybody = {"Principal": "*", "Action": "s3:GetObject"}
    statements = [
        {"Sid": "Open", "Effect": "Allow", "Resource": f"{resource}/open/*", **everybody},
        {"Effect": "Deny", "Resource": f"{resource}/closed/*", **everybody},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    client.put_bucket_policy(Bucket="ruled", Policy=policy)
    _, request_id = fetch(f"{audited.server.endpoint}/ruled/open/k")
    entry = audited.of(request_id)
    assert (entry["status"], entry["allowed"], entry["statement"]) == (200, True, "Open")
    assert entry["reason"] == "bucket policy allows"
    _, request_id = fetch(f"{audited.server.endpoint}/ruled/closed/k")
    entry = audited.of(request_id)
    assert (entry["status"], entry["allowed"], entry["statement"]) == (403, False, "NO_ID-1")
    assert entry["reason"] == "bucket policy denies"
    entry = audited.of(refused(client.get_object, Bucket="ruled", Key="closed/k"))
    assert (entry["principal_kind"], entry["allowed"], entry["statement"]) == (
        "root", False, "NO_ID-1"
    )  # fmt: skip


def test_every_object_of_a_delete_is_named_with_what_became_of_it(audited: Audited) -> None:
    client = audited.server.client()
    client.create_bucket(Bucket="swept")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": "arn:aws:s3:::swept/kept/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_bucket_policy(Bucket="swept", Policy=policy)
    for key in ("a", "kept/b"):
        client.put_object(Bucket="swept", Key=key, Body=b"1")
    objects = [{"Key": "kept/b"}, {"Key": "a"}, {"Key": "never"}]
    entry = audited.of(id_of(client.delete_objects(Bucket="swept", Delete={"Objects": objects})))
    assert entry["objects"] == [
        {"key": "kept/b", "version_id": "", "error": "AccessDenied"},
        {"key": "a", "version_id": "", "error": ""},
        {"key": "never", "version_id": "", "error": ""},
    ]
    assert (entry["status"], entry["allowed"]) == (200, False)


def test_versions_are_named_those_made_and_those_asked_for(audited: Audited) -> None:
    client = audited.server.client()
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    put = client.put_object(Bucket="versions", Key="k", Body=b"1")
    assert audited.of(id_of(put))["version_id"] == put["VersionId"]
    where = {"Bucket": "versions", "Key": "k"}
    read = client.get_object(**where, VersionId=put["VersionId"])
    assert audited.of(id_of(read))["version_id"] == put["VersionId"]
    marker = client.delete_object(**where)
    assert audited.of(id_of(marker))["version_id"] == marker["VersionId"]
    absent = "0" * 32
    entry = audited.of(refused(client.delete_object_tagging, **where, VersionId=absent))
    assert entry["version_id"] == absent
    objects = [{"Key": "k"}, {"Key": "k", "VersionId": put["VersionId"]}]
    swept = client.delete_objects(Bucket="versions", Delete={"Objects": objects})
    made = [item["DeleteMarkerVersionId"] for item in swept["Deleted"] if "DeleteMarker" in item]
    assert [item["version_id"] for item in audited.of(id_of(swept))["objects"]] == [
        *made,
        put["VersionId"],
    ]
    assert len(made) == 1


def test_what_a_lock_refuses_was_not_refused_by_policies(audited: Audited) -> None:
    client = audited.server.client()
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    held = {"Bucket": "locked", "Key": "k"}
    version = client.put_object(**held, Body=b"1", ObjectLockLegalHoldStatus="ON")["VersionId"]
    entry = audited.of(refused(client.delete_object, **held, VersionId=version))
    assert (entry["error"], entry["allowed"]) == ("AccessDenied", False)
    assert entry["reason"] == "not by policies: a lock or another rule"


def test_administration_is_written_down_with_its_arguments_and_without_secrets(
    audited: Audited,
) -> None:
    client = Client(audited.server)
    answer = client("PUT", "set-bucket-quota?bucket=shelf", {"quota": 1 << 30, "quotatype": "hard"})
    entry = audited.of(answer.headers["x-amz-request-id"])
    assert (entry["category"], entry["operation"]) == ("admin", "AdminSetBucketQuota")
    assert (entry["principal"], entry["access_key"]) == (ACCESS_KEY, ACCESS_KEY)
    assert (entry["allowed"], entry["status"]) == (True, 200)
    assert entry["arguments"] == {"bucket": "shelf", "quota": 1 << 30, "quotatype": "hard"}
    secret = {"secretKey": "a-secret-of-amy", "status": "enabled", "policy": "other-secret"}
    answer = client("PUT", "add-user?accessKey=amy&X-Amz-Signature=5ec7e7", secret, sealed=True)
    entry = audited.of(answer.headers["x-amz-request-id"])
    assert (entry["category"], entry["operation"]) == ("admin", "AdminAddUser")
    assert entry["arguments"]["accessKey"] == "amy"
    for text in (b"a-secret-of-amy", b"other-secret", b"5ec7e7"):
        assert text not in audited.text()
    status, request_id = fetch(f"{audited.server.endpoint}/minio/admin/v3/info")
    entry = audited.of(request_id)
    assert (status, entry["category"], entry["allowed"]) == (403, "admin", False)


def test_a_user_is_named_with_the_key_that_signed_and_the_policy_that_decided(
    audited: Audited,
) -> None:
    server = audited.server
    admin = Client(server).minio()
    admin.user_add("amy", "secret-of-amy-1")
    admin.attach_policy(["readonly"], user="amy")
    server.client().put_object(Bucket="shelf", Key="for-amy", Body=b"1")
    own = Client(server, "amy", "secret-of-amy-1").minio()
    made = own.add_service_account(access_key="amys-key-0", secret_key="secret-of-key-0")
    assert "amys-key-0" in made
    client = server.client(aws_access_key_id="amys-key-0", aws_secret_access_key="secret-of-key-0")
    entry = audited.of(id_of(client.get_object(Bucket="shelf", Key="for-amy")))
    assert (entry["principal_kind"], entry["principal"]) == ("user", "amy")
    assert entry["access_key"] == "amys-key-0"
    assert (entry["allowed"], entry["policy"]) == (True, "policy readonly")
    assert entry["reason"] == "policy readonly allows"
    assert entry["statement"] == "NO_ID-0"
    entry = audited.of(refused(client.put_object, Bucket="shelf", Key="by-amy", Body=b"1"))
    assert (entry["allowed"], entry["reason"]) == (False, "nothing allows it")
    assert (entry["policy"], entry["bucket"], entry["key"]) == ("", "shelf", "by-amy")
    answer = Client(server, "amy", "secret-of-amy-1")("GET", "list-users")
    entry = audited.of(answer.headers["x-amz-request-id"])
    assert (entry["operation"], entry["principal"]) == ("AdminListUsers", "amy")
    assert (entry["status"], entry["allowed"]) == (403, False)
    entries = audited.entries()
    (attach,) = [entry for entry in entries if entry["operation"] == "AdminAttachPolicy"]
    assert attach["arguments"] == {"policies": ["readonly"], "user": "amy"}
    (make,) = [entry for entry in entries if entry["operation"] == "AdminAddServiceAccount"]
    assert (make["principal"], make["arguments"]["accessKey"]) == ("amy", "amys-key-0")
    for secret in (b"secret-of-amy-1", b"secret-of-key-0"):
        assert secret not in audited.text()


def test_who_could_not_be_recognised_is_written_down_as_claimed(audited: Audited) -> None:
    client = audited.server.client(aws_secret_access_key="not-the-secret")
    entry = audited.of(refused(client.list_buckets))
    assert (entry["principal_kind"], entry["principal"]) == ("unknown", "")
    assert entry["access_key"] == ACCESS_KEY
    assert (entry["error"], entry["allowed"]) == ("SignatureDoesNotMatch", False)
    assert entry["reason"] == "not authenticated"
    client = audited.server.client(aws_access_key_id="NOBODY")
    entry = audited.of(refused(client.get_object, Bucket="shelf", Key="a b/gl\u00e4tscher"))
    assert (entry["error"], entry["access_key"]) == ("InvalidAccessKeyId", "NOBODY")
    assert (entry["bucket"], entry["key"]) == ("shelf", "a b/gl\u00e4tscher")
    status, request_id = fetch(f"{audited.server.endpoint}/shelf/k?X-Amz-Signature=5ec7e7")
    entry = audited.of(request_id)
    assert (status, entry["error"]) == (400, "AuthorizationQueryParametersError")
    assert (entry["allowed"], entry["reason"]) == (False, "not authenticated")


def test_preflights_are_decided_by_the_cors_rules(audited: Audited) -> None:
    client = audited.server.client()
    client.create_bucket(Bucket="viewed")
    rule = {"AllowedOrigins": ["https://a.example"], "AllowedMethods": ["GET"]}
    client.put_bucket_cors(Bucket="viewed", CORSConfiguration={"CORSRules": [rule]})
    for origin, allowed in (("https://a.example", True), ("https://b.example", False)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        _, request_id = fetch(f"{audited.server.endpoint}/viewed/k", "OPTIONS", **headers)
        entry = audited.of(request_id)
        assert (entry["category"], entry["bucket"], entry["key"]) == ("read", "viewed", "k")
        assert (entry["allowed"], entry["reason"]) == (allowed, "CORS rules of the bucket")


def test_no_secret_and_no_signature_is_ever_in_the_file(audited: Audited) -> None:
    client, secrets, ids = audited.server.client(), [SECRET_KEY], []
    client.put_object(Bucket="shelf", Key="shared", Body=b"the-body-itself")
    secrets.append("the-body-itself")
    for version in ("s3v4", "s3"):
        from botocore.config import Config

        signer = audited.server.client(config=Config(signature_version=version))
        url = signer.generate_presigned_url(
            "get_object", Params={"Bucket": "shelf", "Key": "shared"}, ExpiresIn=60
        )
        query = parse_qs(urlsplit(url).query)
        secrets += query.get("X-Amz-Signature", []) + query.get("Signature", [])
        links = (url, url + "00", url.replace("X-Amz-Signature", "X%2DAmz-Signature"))
        ids += [fetch(link, Referer=url)[1] for link in links]
    ids.append(fetch(f"{audited.server.endpoint}/shelf/k?X-Amz-Security-Token=t0ken-of-session")[1])
    secrets.append("t0ken-of-session")
    for header in ("AWS AKID:c2lnbmF0dXJl", "Bearer a-bearer-token", "Basic dXNlcjpwYXNz"):
        ids.append(fetch(f"{audited.server.endpoint}/shelf/k", Authorization=header)[1])
        secrets.append(header.partition(" ")[2].rpartition(":")[2])
    headers: list[str] = []
    client.meta.events.register(
        "before-send.s3", lambda request, **_: headers.append(request.headers["Authorization"])
    )
    ids.append(id_of(client.get_object(Bucket="shelf", Key="shared")))
    secrets += [str(header, "latin-1").rpartition("Signature=")[2] for header in headers]
    assert len(secrets) == 9
    for request_id in ids:
        audited.of(request_id)
    text = audited.text().decode()
    for secret in secrets:
        assert len(secret) > 7
        assert secret not in text
    assert "Signature=" not in text
    assert "AWS4-HMAC-SHA256" not in text


def test_probes_are_no_entries_and_refused_metrics_are(audited: Audited) -> None:
    count = len(audited.entries())
    assert fetch(f"{audited.server.endpoint}/minio/health/ready")[0] == 200
    status, request_id = fetch(f"{audited.server.endpoint}/neve/metrics")
    entry = audited.of(request_id)
    assert (status, entry["allowed"], entry["operation"]) == (401, False, "")
    assert len(audited.entries()) == count + 1


def test_workers_share_the_file_without_a_torn_line_and_a_rotation_loses_none(
    tmp_path: Path,
) -> None:
    path, old = tmp_path / "audit.log", tmp_path / "audit.log.1"
    with LiveServer(tmp_path / "data", "--audit-log", str(path)) as server:
        server.client().create_bucket(Bucket="busy")
        ids: list[str] = []

        def work() -> None:
            client = server.client()
            for number in range(100):
                key = "k" * 900 + str(number)
                ids.append(id_of(client.put_object(Bucket="busy", Key=key, Body=b"")))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(ids) > 100)
        path.rename(old)
        server.signal(signal.SIGHUP)
        for thread in threads:
            thread.join()
        wait_until(path.exists)
    lines = (old.read_bytes() + path.read_bytes()).splitlines()
    entries = [json.loads(line) for line in lines]
    assert {entry["process"] for entry in entries} == {"worker-0", "worker-1"}
    puts = [entry["request_id"] for entry in entries if entry["operation"] == "PutObject"]
    assert sorted(puts) == sorted(ids)
    assert len(ids) == 600
    assert path.stat().st_size > 0


def test_only_what_was_asked_for_is_audited(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    arguments = ("--audit-log", str(path), "--audit-events", "writes,refusals,admin")
    with LiveServer(tmp_path / "data", *arguments) as server:
        client = server.client()
        client.create_bucket(Bucket="quiet")
        client.put_object(Bucket="quiet", Key="k", Body=b"1")
        client.get_object(Bucket="quiet", Key="k")
        client.list_objects_v2(Bucket="quiet")
        refused(client.get_object, Bucket="quiet", Key="absent")
        fetch(f"{server.endpoint}/quiet/k")
        client.delete_object(Bucket="quiet", Key="k")
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(entry["operation"], entry["status"]) for entry in entries] == [
        ("CreateBucket", 200),
        ("PutObject", 200),
        ("GetObject", 403),
        ("DeleteObject", 204),
    ]


def test_the_webhook_of_a_live_server_and_its_metrics(tmp_path: Path) -> None:
    lines: list[bytes] = []
    headers: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers.append(self.headers["Authorization"])
            lines.extend(self.rfile.read(int(self.headers["Content-Length"])).splitlines())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    receiver = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/audit"
    environment = {"NEVE_AUDIT_WEBHOOK_TOKEN": "hook-token"}
    arguments = ("--audit-webhook", url, "--metrics-public")
    with LiveServer(tmp_path / "data", *arguments, environment=environment) as server:
        client = server.client()
        client.create_bucket(Bucket="told")
        ids = [
            id_of(client.put_object(Bucket="told", Key=f"k{number}", Body=b"1"))
            for number in range(20)
        ]
        wait_until(lambda: len(lines) == 21)
        wait_until(lambda: 'neve_audit_entries_total{to="webhook"} 21' in metrics_of(server))
        assert 'neve_audit_lost_total{to="webhook"} 0' in metrics_of(server)
        receiver.shutdown()
        receiver.server_close()
        client.put_object(Bucket="told", Key="late", Body=b"1")
        assert server.stop() == 0
        assert "1 audit entries did not get into the audit webhook" in server.output()
        assert "hook-token" not in server.output()
    assert {json.loads(line)["request_id"] for line in lines} > set(ids)
    assert set(headers) == {"Bearer hook-token"}


def test_what_a_killed_worker_had_queued_is_counted_and_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, answers nothing
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/audit"
        arguments = ("--audit-webhook", url, "--metrics-public")
        with LiveServer(tmp_path / "data", *arguments, workers=1) as server:
            for _ in range(7):
                fetch(f"{server.endpoint}/nowhere/k")
            assert server.is_ready()  # answered after the others have been written down
            worker = server.children()[1]
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: "7 audit entries did not get into the webhook" in server.output())
            wait_until(server.is_ready)
            assert 'neve_audit_lost_total{to="webhook"} 7' in metrics_of(server)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--audit-log", "/proc/nowhere/audit.log"), "The audit log /proc/nowhere/audit.log"),
        (("--audit-webhook", "ftp://h/x"), "--audit-webhook cannot be used"),
        (("--audit-webhook", "http://user:secret@h/x"), "--audit-webhook cannot be used"),
        (("--audit-events", "reads,everything"), "--audit-events cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    server = LiveServer(tmp_path / "data", *arguments)
    server.spawn()
    assert server.wait() != 0
    assert message in server.output()
    assert not (tmp_path / "data").exists()


def test_the_page_has_the_fields_and_the_events_of_the_code() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "audit-log.md"
    rows = re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)
    assert tuple(rows) == (*AUDIT_EVENTS, *FIELDS)


def test_cost_of_an_entry() -> None:
    """An entry is made in microseconds; without an audit log nothing of it is (see `_done`)."""
    request = SimpleNamespace(
        operation="GetObject", error_code="", details=None, raw_path=b"/b/k",
        caller=SimpleNamespace(kind="root", name="r"),
        decision=None, auth=SimpleNamespace(access_key="r"), headers={}, id="0", client="::1",
        secure=False, method="GET", bucket="b", key="k", raw_query=b"",
    )  # fmt: skip
    response = Response(200, [(b"etag", b"x")])
    started = time.perf_counter()
    for _ in range(1000):
        assert entry_of(request, response, 0, 1, 0.001, "worker-0") is not None  # type: ignore[arg-type]
    assert (time.perf_counter() - started) / 1000 < 100e-6
