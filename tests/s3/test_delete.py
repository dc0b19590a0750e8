"""DeleteObject and DeleteObjects."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="data").get("Contents", [])]


@pytest.fixture
def abc(s3: Any) -> Any:
    for key in "abc":
        s3.put_object(Bucket="data", Key=key, Body=key.encode())
    return s3


def test_deleting_what_is_not_there_is_fine(abc: Any) -> None:
    for _ in range(2):
        answer = abc.delete_object(Bucket="data", Key="a")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert keys(abc) == ["b", "c"]


def test_deleting_version_null_deletes_the_object(abc: Any) -> None:
    assert abc.delete_object(Bucket="data", Key="a", VersionId="null")["VersionId"] == "null"
    assert keys(abc) == ["b", "c"]


def test_deleting_needs_its_action(store: Store, abc: Any) -> None:
    assert store.send("DELETE", "/data/a").status == 403
    allow(abc, "s3:DeleteObject")
    assert store.send("DELETE", "/data/a").status == 204
    assert keys(abc) == ["b", "c"]


def delete(s3: Any, *objects: dict[str, Any], quiet: bool = False) -> Any:
    return s3.delete_objects(Bucket="data", Delete={"Objects": list(objects), "Quiet": quiet})


def test_many_keys_go_at_once(abc: Any) -> None:
    answer = delete(abc, {"Key": "a"}, {"Key": "absent"}, {"Key": "c", "VersionId": "null"})
    assert answer["Deleted"] == [
        {"Key": "a"},
        {"Key": "absent"},
        {"Key": "c", "VersionId": "null"},
    ]
    assert "Errors" not in answer
    assert keys(abc) == ["b"]


def test_quiet_names_only_what_failed(abc: Any) -> None:
    answer = delete(abc, {"Key": "a"}, {"Key": "b", "ETag": '"other"'}, quiet=True)
    assert "Deleted" not in answer
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("b", "PreconditionFailed")]
    assert keys(abc) == ["b", "c"]


def test_each_key_has_its_own_conditions(abc: Any) -> None:
    etag = abc.head_object(Bucket="data", Key="a")["ETag"]
    modified = abc.head_object(Bucket="data", Key="b")["LastModified"]
    answer = delete(
        abc,
        {"Key": "a", "ETag": etag},
        {"Key": "b", "LastModifiedTime": modified, "Size": 1},
        {"Key": "c", "Size": 2},
        {"Key": "absent", "ETag": '"x"'},
        {"Key": "absent too", "Size": 2},
    )
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [
        ("c", "PreconditionFailed"),
        ("absent", "NoSuchKey"),
    ]
    assert keys(abc) == ["c"]


def test_keys_that_cannot_be_are_refused_alone(abc: Any) -> None:
    answer = delete(abc, {"Key": "a"}, {"Key": "x" * 1025}, {"Key": "b", "VersionId": "v 1"})
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [
        ("x" * 1025, "KeyTooLongError"),
        ("b", "InvalidArgument"),
    ]
    assert keys(abc) == ["b", "c"]


@pytest.mark.parametrize("key", ["<&>\"'", " blanks ", "ü/é", "a\nb", "x" * 1024])
def test_any_key_can_be_deleted(s3: Any, key: str) -> None:
    s3.put_object(Bucket="data", Key=key, Body=b"")
    assert delete(s3, {"Key": key})["Deleted"] == [{"Key": key}]
    assert keys(s3) == []


def test_a_thousand_keys_and_no_more(s3: Any, code: Callable[..., Any]) -> None:
    objects = [{"Key": f"{n:04}" + "&" * 100} for n in range(1001)]
    assert len(delete(s3, *objects[:1000])["Deleted"]) == 1000
    refused = code(s3.delete_objects, Bucket="data", Delete={"Objects": objects})
    assert refused == (400, "MalformedXML")


def post(store: Store, body: bytes, **headers: str) -> tuple[int, bytes]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = store.send("POST", "/data?delete", fields, body)
    return answer.status, answer.body


BODY = b"<Delete><Object><Key>a</Key></Object></Delete>"
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()


def test_a_document_without_any_digest_is_refused(store: Store, abc: Any) -> None:
    allow(abc, "s3:DeleteObject")
    status, body = post(store, BODY)
    assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)
    assert keys(abc) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content_md5": MD5},
        {"x_amz_checksum_sha256": base64.b64encode(hashlib.sha256(BODY).digest()).decode()},
        {"x_amz_content_sha256": hashlib.sha256(BODY).hexdigest()},
    ],
)
def test_one_digest_is_enough(store: Store, abc: Any, headers: dict[str, str]) -> None:
    allow(abc, "s3:DeleteObject")
    assert post(store, BODY, **headers)[0] == 200
    assert keys(abc) == ["b", "c"]


def test_a_digest_that_does_not_match_deletes_nothing(store: Store, abc: Any) -> None:
    allow(abc, "s3:DeleteObject")
    status, body = post(store, BODY + b" ", content_md5=MD5)
    assert (status, b"<Code>BadDigest</Code>" in body) == (400, True)
    assert keys(abc) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"<Delete></Delete>",
        b"<Other><Object><Key>a</Key></Object></Other>",
        b'<!DOCTYPE x [<!ENTITY e "a">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b"\xff\xfe",
    ],
)
def test_what_is_no_list_of_keys_is_malformed(store: Store, abc: Any, body: bytes) -> None:
    allow(abc, "s3:DeleteObject")
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    status, answer = post(store, body, content_md5=digest)
    assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True)
    assert keys(abc) == ["a", "b", "c"]


def test_the_right_to_delete_is_asked_for_each_key(store: Store, abc: Any) -> None:
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert post(store, body, content_md5=digest)[0] == 403
    allow(abc, "s3:GetObject", "s3:PutObject")
    assert post(store, body, content_md5=digest)[0] == 403
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": "arn:aws:s3:::data/a",
    }
    # root deletes whatever a policy for others says, unless one forbids it.
    abc.put_object(Bucket="data", Key="d", Body=b"")
    assert delete(abc, {"Key": "d"})["Deleted"] == [{"Key": "d"}]
    allow(abc, "s3:DeleteObject", effect="Deny")
    assert [e["Code"] for e in delete(abc, {"Key": "a"})["Errors"]] == ["AccessDenied"]
    abc.put_bucket_policy(Bucket="data", Policy=json.dumps({"Statement": [statement]}))
    status, answer = post(store, body, content_md5=digest)
    assert status == 200
    assert b"<Deleted><Key>a</Key></Deleted>" in answer
    assert b"<Error><Key>b</Key><Code>AccessDenied</Code>" in answer
    assert keys(abc) == ["b", "c"]


def test_a_bucket_that_is_not_there(s3: Any, code: Callable[..., Any]) -> None:
    assert code(s3.delete_object, Bucket="nope", Key="k") == (404, "NoSuchBucket")
    arguments = {"Bucket": "nope", "Delete": {"Objects": [{"Key": "k"}]}}
    assert code(s3.delete_objects, **arguments) == (404, "NoSuchBucket")
