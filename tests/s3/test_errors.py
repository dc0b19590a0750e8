"""Errors as answers: the table, the XML, and that nothing inside leaks out."""

import logging
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

from neve import errors
from neve.s3.errors import CODES, DOMAIN, S3Error, from_domain
from neve.s3.response import error_response


def leaves(kind: type) -> set[type]:
    below = kind.__subclasses__()
    return {leaf for child in below for leaf in leaves(child)} if below else {kind}


def test_every_domain_error_and_storage_fault_has_a_code() -> None:
    kinds = leaves(errors.DomainError) | leaves(errors.StoreFault) | leaves(errors.BodyError)
    assert {kind for kind in kinds if kind.__module__ == "neve.errors"} == set(DOMAIN)
    assert set(DOMAIN.values()) <= set(CODES)


def test_every_code_has_an_http_error_status_and_a_sentence() -> None:
    for code, (status, message) in CODES.items():
        assert status == 304 or 400 <= status < 600, code
        assert message[0].isupper(), code


def test_fields_of_domain_errors_are_shown() -> None:
    answer = from_domain(errors.NoSuchKey(Key="a<b"))
    response = error_response(answer, head=False, resource="/data/a%3Cb", request_id="R1")
    root = ElementTree.fromstring(response.body)
    found = {element.tag: element.text for element in root}
    assert found == {
        "Code": "NoSuchKey",
        "Message": "The specified key does not exist.",
        "Key": "a<b",
        "Resource": "/data/a%3Cb",
        "RequestId": "R1",
        "HostId": "R1",
    }
    assert dict(response.headers)[b"content-type"] == b"application/xml"


def test_an_error_not_in_the_table_tells_nothing() -> None:
    class Strange(errors.NeveError):
        pass

    assert from_domain(Strange("secret path /x")).message == CODES["InternalError"][1]
    assert from_domain(errors.BlobCorrupt("segment 7")).message == CODES["InternalError"][1]


def test_busy_and_full_say_when_and_what() -> None:
    busy = error_response(S3Error("SlowDown"), head=False, resource="/", request_id="R")
    assert (busy.status, dict(busy.headers)[b"retry-after"]) == (503, b"1")
    full = from_domain(errors.StoreFull())
    assert (full.status, full.code) == (507, "StorageFull")


def test_the_message_of_a_head_is_one_line() -> None:
    error = S3Error("InvalidArgument", 'a "b"\r\nx-evil: 1 é')
    response = error_response(error, head=True, resource="/", request_id="R")
    value = dict(response.headers)[b"x-minio-error-desc"]
    assert b"\n" not in value
    assert value.isascii()
    assert response.body == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_defect_is_internal_error_logged_once_with_its_request(
    store: Store,
    s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the machine room")

    allow(s3, "s3:*")
    monkeypatch.setattr(store.engine, "find", fail)
    monkeypatch.setattr(store.engine, "put_object", fail)
    with caplog.at_level(logging.ERROR):
        answer = store.send(method, "/data/k", {}, b"x" if method == "PUT" else b"")
    assert answer.status == 500
    assert b"machine room" not in answer.body
    assert store.requests[-1].error_code == "InternalError"
    records = [record for record in caplog.records if record.name == "neve.s3"]
    assert len(records) == 1
    assert "REQUESTID" in records[0].getMessage()
    assert records[0].exc_info is not None


def test_what_clients_do_wrong_is_not_logged(
    store: Store, s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "neve.s3"):
        for target in ("/data/nope", "/nope/k", "/data?max-keys=x", "/%zz/k"):
            assert store.signed("GET", target).status in (400, 404)
    assert [record for record in caplog.records if record.name == "neve.s3"] == []


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("//k", "InvalidURI"),
        ("/a%00b/k", "InvalidBucketName"),
        ("/data?" + "&".join(f"a{n}=1" for n in range(200)), "InvalidURI"),
        ("/data?prefix=%ff", "InvalidURI"),
        ("/data?prefix=%", "InvalidURI"),
    ],
)
def test_requests_that_name_nothing(store: Store, s3: Any, target: str, code: str) -> None:
    answer = store.send("GET", target)
    assert (answer.status, f"<Code>{code}</Code>".encode() in answer.body) == (400, True)
