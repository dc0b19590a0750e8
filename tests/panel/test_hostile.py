"""Requests that no page of ours sends: what has no key, is too deep, or is too large."""

import http.client
import json
from collections.abc import Callable

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer


def _send(visitor: Visitor, path: str, body: bytes, kind: str = "application/json") -> Shown:
    visitor.get("/buckets")
    origin = visitor.server.panel
    sent = {"content-type": kind, "accept": "application/json", "origin": origin}
    return visitor.request("POST", path, body, sent | {"x-csrf": visitor.csrf})


def test_without_a_key_nothing_happens_to_the_bucket(
    server: LiveServer, administrator: Visitor
) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="stays")
    fields = {"bucket": "stays", "key": "", "upload": "x"}
    _send(administrator, "/upload/abort", json.dumps(fields).encode())
    shown = administrator.post("/object/stays/delete-version?key=&version=null")
    assert shown.status == 404
    assert administrator.get("/object/stays/share", key="").status == 404
    s3.head_bucket(Bucket="stays")


@pytest.mark.parametrize(
    "body",
    [b'{"keys":' + b"[" * 100_000, b'{"bucket":"b","keys":["\\ud800"]}', b"[]", b"\xff"],
    ids=["deep", "surrogate", "list", "bytes"],
)
def test_json_that_cannot_be_is_refused(administrator: Visitor, body: bytes) -> None:
    assert _send(administrator, "/upload/sign", body).status == 400


def test_documents_that_cannot_be_are_refused(administrator: Visitor) -> None:
    for text in ("[" * 100_000, "1" * 6000):
        shown = administrator.post("/keys/new", limit="json", document=text, life="1d")
        assert shown.status == 400


def test_of_strangers_no_body_is_read(server: LiveServer) -> None:
    """The answer is there though the body has not come."""
    connection = http.client.HTTPConnection(server.panel.partition("//")[2], timeout=30)
    connection.putrequest("POST", "/upload/form")
    connection.putheader("content-type", "multipart/form-data; boundary=x")
    connection.putheader("content-length", str(60 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("location")) == (303, "/login")
    connection.close()


def test_only_files_are_large(user: Callable[..., Visitor]) -> None:
    visitor = user("large", "readwrite")
    form = "application/x-www-form-urlencoded"
    assert _send(visitor, "/upload/form", b"bucket=" + b"x" * (2 << 20), form).status == 413
    parts = b'--x\r\ncontent-disposition: form-data; name="bucket"\r\n\r\n'
    parts += b"x" * (1 << 20) + b"\r\n--x--\r\n"
    assert _send(visitor, "/upload/form", parts, "multipart/form-data; boundary=x").status == 400


def test_a_host_that_only_looks_like_an_address(visitor: Visitor) -> None:
    assert visitor.request("GET", "/login", headers={"host": "[:]:1"}).status == 200


def test_a_key_for_a_bucket_is_none_for_all(server: LiveServer, administrator: Visitor) -> None:
    server.client().create_bucket(Bucket="nightly")
    shown = administrator.post("/keys/new", limit="none", bucket="nightly", life="90d")
    assert shown.status == 400
    assert "choose its rights" in shown.words
