"""Requests of the panel count as its visitor's, those of anybody else as what they are.

The token of a server is nowhere to be read, so the server of these tests is given one they know.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.admin.client import Client
from tests.server.streams import Stream

from neve.server.http_request import Request
from neve.server.shared import Shared
from neve.server.visitors import introduce, introduction, new_token
from neve.testing.live import SOURCE, LiveServer, wait_until

TOKEN = b"7" * 64
VISITOR = "203.0.113.9"
_SITE = f"import neve.server.visitors\nneve.server.visitors.new_token = lambda: {TOKEN!r}\n"


def said(token: bytes = TOKEN, address: str = VISITOR, *, secure: bool = False) -> dict[str, str]:
    return {"X-Neve-Client": introduction(token, address, secure=secure)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("visited")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(_SITE)
    path = f"{folder / 'site'}:{SOURCE}"
    logs = ("--audit-log", str(folder / "audit"), "--access-log", str(folder / "access"))
    with LiveServer(folder / "data", *logs, environment={"PYTHONPATH": path}) as live:
        s3 = live.client()
        s3.create_bucket(Bucket="near")
        s3.put_object(Bucket="near", Key="k", Body=b"1")
        policy = {"Version": "2012-10-17", "Statement": [_for(VISITOR), _safe()]}
        s3.put_bucket_policy(Bucket="near", Policy=json.dumps(policy))
        yield live


def _for(address: str) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::near/*",
        "Condition": {"IpAddress": {"aws:SourceIp": f"{address}/32"}},
    }


def _safe() -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::near",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }


def fetch(server: LiveServer, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Make a plain request; (status, request id)."""
    request = urllib.request.Request(f"{server.endpoint}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["x-amz-request-id"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amz-request-id"]


def test_policies_see_the_address_of_the_visitor(server: LiveServer) -> None:
    assert fetch(server, "/near/k", said())[0] == 200
    assert fetch(server, "/near/k", {})[0] == 403
    assert fetch(server, "/near/k", said(address="203.0.113.8"))[0] == 403
    assert fetch(server, "/near/k", said(address="2001:db8::1"))[0] == 403


def test_policies_see_how_the_visitor_came(server: LiveServer) -> None:
    assert fetch(server, "/near", said(secure=True))[0] == 200
    assert fetch(server, "/near", said())[0] == 403


@pytest.mark.parametrize(
    "value",
    [
        introduction(b"6" * 64, VISITOR),
        introduction(b"", VISITOR),
        introduction(TOKEN[:-1], VISITOR),
        introduction(TOKEN + b"7", VISITOR),
        VISITOR,
        "",
        f"{introduction(TOKEN, VISITOR)};http",
        f"{introduction(TOKEN, VISITOR)}, {introduction(TOKEN, VISITOR)}",
        introduction(TOKEN, "<b>"),
        "é;" + VISITOR,
    ],
)
def test_what_is_not_said_by_the_panel_changes_nothing(server: LiveServer, value: str) -> None:
    assert fetch(server, "/near/k", {"X-Neve-Client": value})[0] == 403


def test_a_signed_request_may_bear_it(server: LiveServer) -> None:
    asks = {"asks": [{"action": "s3:GetObject", "bucket": "near", "object": "k"}]}
    for signed in (said(), said(b"6" * 64)):
        answer = Client(server)("POST", "neve/can", asks, headers=signed)
        assert answer.json["answers"][0]["allowed"], answer.body


def test_the_address_is_written_down_and_the_token_never(server: LiveServer) -> None:
    folder = server.folder.parent
    with Stream(server, "trace?s3=true&err=false&threshold=0s").await_alive() as stream:
        ids = {
            fetch(server, "/near/k", said())[1]: VISITOR,
            fetch(server, "/near/k", said(b"6" * 64))[1]: "127.0.0.1",
        }
        found: dict[str, str] = {}

        def traced() -> bool:
            for entry in stream.documents():
                found[entry["custom"]["requestId"]] = entry["http"]["request"]["client"]
            return ids.keys() <= found.keys()

        wait_until(traced)
        assert {id: found[id] for id in ids} == ids
        assert all(
            entry["http"]["request"]["headers"].get("X-Neve-Client", ["***"]) == ["***"]
            for entry in stream.documents()
        )
    audit = folder / "audit"
    wait_until(lambda: all(id in audit.read_text() for id in ids))
    entries = [json.loads(line) for line in audit.read_text().splitlines()]
    assert {
        each["request_id"]: each["client"] for each in entries if each["request_id"] in ids
    } == ids
    access = folder / "access"
    wait_until(lambda: f"{VISITOR} " in access.read_text())
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 5
    written = [data for data in written if not data.startswith(b"import neve")]
    assert not any(TOKEN in data or b"6" * 64 in data for data in written)


def test_every_run_has_a_token_of_its_own() -> None:
    tokens = {Shared(1).visitor_token, Shared(1).visitor_token, new_token()}
    assert len(tokens) == 3
    assert all(re.fullmatch(rb"[0-9a-f]{64}", token) for token in tokens)


def test_without_a_token_nobody_is_believed() -> None:
    request = Request("GET", b"/", b"", {b"x-neve-client": b";203.0.113.9"}, "1.1", True)
    request.client = "127.0.0.1"
    introduce(request, b"")
    assert request.client == "127.0.0.1"
