"""The audit trail of a live server: what is in it unasked, what is not, and who may search it."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from tests.admin.client import Client
from tests.admin.test_rights import user

from neve.answer import Response
from neve.audit.trail import DIRECTORY, Trail, segments
from neve.config import TRAIL_EVENTS
from neve.server.trail import REFUSALS_AT_ONCE, RequestTrail, operations_of
from neve.testing.server import SECRET_KEY, LiveServer


def audit_of(server: LiveServer, **query: str) -> list[dict[str, Any]]:
    answer = Client(server)("GET", f"neve/audit?{urlencode(query)}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["entries"]
    return found


def operations(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["operation"] for entry in entries]


def refused(call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError):
        call(**arguments)


def test_changes_and_refusals_are_kept_unasked_and_objects_are_not(
    fresh_server: LiveServer,
) -> None:
    client = fresh_server.client()
    client.create_bucket(Bucket="trail")
    client.put_bucket_tagging(Bucket="trail", Tagging={"TagSet": [{"Key": "kind", "Value": "raw"}]})
    client.put_object(Bucket="trail", Key="k", Body=b"1")
    client.get_object(Bucket="trail", Key="k")
    refused(client.get_object, Bucket="trail", Key="absent")
    amy = user(fresh_server, "trail-amy", "readonly")
    theirs = fresh_server.client(
        aws_access_key_id=amy.access_key, aws_secret_access_key=amy.secret_key
    )
    refused(theirs.put_object, Bucket="trail", Key="k", Body=b"2")
    wrong = fresh_server.client(aws_secret_access_key="not-the-secret")
    refused(wrong.list_objects_v2, Bucket="trail")
    client.delete_object(Bucket="trail", Key="k")
    client.delete_bucket(Bucket="trail")
    assert operations(audit_of(fresh_server)) == [
        "DeleteBucket",
        "ListObjectsV2",
        "PutObject",
        "AdminSetPolicyForUserOrGroup",
        "AdminAddUser",
        "PutBucketTagging",
        "CreateBucket",
    ]
    (entry,) = audit_of(fresh_server, user="trail-amy")
    assert (entry["allowed"], entry["status"], entry["key"]) == (False, 403, "k")
    assert operations(audit_of(fresh_server, decision="refused", bucket="trail")) == [
        "ListObjectsV2",
        "PutObject",
    ]
    assert operations(audit_of(fresh_server, event="admin", text="TRAIL-AMY")) == [
        "AdminSetPolicyForUserOrGroup",
        "AdminAddUser",
    ]
    paths = segments(str(fresh_server.folder / DIRECTORY))
    kept = b"".join(Path(path).read_bytes() for _, path in paths)
    assert amy.secret_key.encode() not in kept
    assert SECRET_KEY.encode() not in kept
    fresh_server.restart()
    assert len(audit_of(fresh_server)) == 7


def test_pages_of_a_live_server(fresh_server: LiveServer) -> None:
    client = fresh_server.client()
    for number in range(5):
        client.create_bucket(Bucket=f"paged-{number}")
    found, marker = [], ""
    for _ in range(3):
        asked = urlencode({"event": "CreateBucket", "limit": "2", "marker": marker})
        page = Client(fresh_server)("GET", f"neve/audit?{asked}").json
        found += [entry["bucket"] for entry in page["entries"]]
        marker = page["next_marker"]
    assert found == [f"paged-{number}" for number in range(4, -1, -1)]
    since = audit_of(fresh_server, bucket="paged-3")[0]["time"]
    assert len(audit_of(fresh_server, since=since)) == 2
    assert len(audit_of(fresh_server, until=since)) == 3


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("off", []),
        ("reads", ["GetObject"]),
        ("writes,refusals", ["DeleteObjects", "PutObject", "CreateBucket"]),
        ("all", ["DeleteObjects", "GetObject", "PutObject", "CreateBucket"]),
    ],
)
def test_it_can_be_widened_and_turned_off(tmp_path: Path, setting: str, wanted: list[str]) -> None:
    with LiveServer(tmp_path / "data", "--audit-trail", setting) as server:
        client = server.client()
        client.create_bucket(Bucket="wide")
        client.put_object(Bucket="wide", Key="k", Body=b"1")
        client.get_object(Bucket="wide", Key="k")
        client.delete_objects(Bucket="wide", Delete={"Objects": [{"Key": "k"}]})
        found = [name for name in operations(audit_of(server)) if name != "AdminSearchAudit"]
        assert found == wanted
        assert (server.folder / DIRECTORY).exists() is (setting != "off")


def test_the_audit_logs_file_is_searched_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LiveServer(tmp_path / "data", "--audit-log", str(path)) as server:
        client = server.client()
        client.create_bucket(Bucket="both")
        client.put_object(Bucket="both", Key="k", Body=b"1")
        client.get_object(Bucket="both", Key="k")
        client.put_bucket_tagging(
            Bucket="both", Tagging={"TagSet": [{"Key": "kind", "Value": "raw"}]}
        )
        wanted = ["PutBucketTagging", "GetObject", "PutObject", "CreateBucket"]
        assert operations(audit_of(server, bucket="both")) == wanted
        lines = path.read_bytes().splitlines()
        paths = segments(str(server.folder / DIRECTORY))
        kept = b"".join(Path(each).read_bytes() for _, each in paths).splitlines()
        assert len(kept) == 2
        assert set(kept) <= set(lines)


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "decision=maybe", "limit=1001", "marker=x", "event=" + "a," * 21],
)
def test_what_cannot_be_asked(live_server: LiveServer, query: str) -> None:
    answer = Client(live_server)("GET", f"neve/audit?{query}")
    assert (answer.status, answer.code) == (400, "XMinioAdminInvalidArgument")


def test_who_watches_the_server_may_not_watch_its_users(live_server: LiveServer) -> None:
    for name, policy, status in (
        ("trail-ops", "diagnostics", 403),
        ("trail-ad", "consoleAdmin", 200),
    ):
        assert user(live_server, name, policy)("GET", "neve/audit").status == status


def request_of(operation: str, **values: Any) -> Any:
    given: dict[str, Any] = {
        "operation": operation, "error_code": "", "details": None, "raw_path": b"/b/k",
        "caller": SimpleNamespace(kind="user", name="amy", is_unlimited=False), "decision": None,
        "auth": SimpleNamespace(access_key="AKAMY"), "headers": {}, "id": "0", "client": "::1",
        "secure": False, "method": "PUT", "bucket": "b", "key": "k", "raw_query": b"",
    }  # fmt: skip
    return SimpleNamespace(**(given | values))


class Kept:
    """A trail of requests, and what it wrote."""

    def __init__(self, folder: Path, *events: str) -> None:
        self._folder = folder
        trail = Trail(str(folder), 8 << 20, lambda written, dropped: None)
        self.trail = RequestTrail(frozenset(events), trail, "worker-0")

    def note(self, request: Any, status: int = 200) -> None:
        """As the worker does it."""
        if request.error_code or request.operation in self.trail.operations:
            self.trail.note(request, Response(status), 0, 0, 0.001, None)

    def entries(self) -> list[dict[str, Any]]:
        paths = segments(str(self._folder / DIRECTORY))
        data = b"".join(Path(path).read_bytes() for _, path in paths)
        return [json.loads(line) for line in data.splitlines()]


def test_a_flood_of_refusals_does_not_push_out_all_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path, "changes", "refusals")
    started = time.monotonic()
    for _ in range(2000):
        kept.note(request_of("GetObject", error_code="AccessDenied"), 403)
        kept.note(request_of("PutBucketPolicy", error_code="AccessDenied"), 403)
    kept.note(request_of("PutBucketPolicy"))
    took = time.monotonic() - started
    found = kept.entries()
    assert REFUSALS_AT_ONCE + 1 <= len(found) <= REFUSALS_AT_ONCE + 2 + took * 5
    assert found[-1]["allowed"] is True
    assert len([record for record in caplog.records if "too many" in record.message]) == 1


def test_refusals_of_requests_that_nobody_signed_are_left_out(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "changes", "refusals")
    anonymous = SimpleNamespace(kind="anonymous", name="", is_unlimited=False)
    kept.note(request_of("GetObject", error_code="AccessDenied", caller=anonymous), 403)
    kept.note(request_of("PutBucketPolicy", error_code="AccessDenied", caller=anonymous), 403)
    kept.note(request_of("GetObject", error_code="AccessDenied", caller=None), 403)
    claimed = {b"authorization": b"AWS4-HMAC-SHA256 Credential=AKGUESS/2026/x, Signature=s3cret"}
    bad = request_of("GetObject", error_code="SignatureDoesNotMatch", caller=None, headers=claimed)
    kept.note(bad, 403)
    (entry,) = kept.entries()
    assert entry["access_key"] == "AKGUESS"
    assert "s3cret" not in json.dumps(entry)


def test_of_many_objects_those_that_were_refused_count(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "refusals")
    for error in ("", "AccessDenied"):
        details = {"objects": [{"key": "a", "version_id": "", "error": error}]}
        kept.note(request_of("DeleteObjects", details=lambda found=details: found))
    (entry,) = kept.entries()
    assert (entry["allowed"], entry["objects"][0]["error"]) == (False, "AccessDenied")


def test_which_operations_are_changes() -> None:
    changes = operations_of(frozenset(("changes",)))
    assert {
        "CreateBucket", "DeleteBucket", "PutBucketPolicy", "DeleteBucketCors", "PutBucketAcl",
        "PutObjectLockConfiguration", "PutStoreQuota", "AdminAddUser", "AdminExportIam",
        "AdminService", "AdminSetConfigKv",
    } <= changes  # fmt: skip
    assert not changes & {
        "PutObject", "GetObject", "DeleteObject", "DeleteObjects", "PostObject", "UploadPart",
        "PutObjectAcl", "GetBucketPolicy", "ListBuckets", "AdminCanDo", "AdminListUsers",
        "AdminUpkeep", "AdminTrace", "AdminSearchAudit",
    }  # fmt: skip
    everything = operations_of(frozenset(TRAIL_EVENTS))
    assert {"PutObject", "GetObject", "DeleteObjects", "AdminListUsers"} <= everything
