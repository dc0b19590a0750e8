"""Bucket policies: the operations, and what they open and close for callers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow


def test_a_policy_comes_back_byte_for_byte(s3: Any) -> None:
    document = (
        '{ "Version":"2012-10-17",\n "Statement":[{"Effect":"Allow","Principal":"*",'
        '"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}] }'
    )
    s3.put_bucket_policy(Bucket="data", Policy=document)
    assert s3.get_bucket_policy(Bucket="data")["Policy"] == document
    assert s3.get_bucket_policy_status(Bucket="data")["PolicyStatus"]["IsPublic"] is True
    s3.delete_bucket_policy(Bucket="data")
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="data")
    s3.delete_bucket_policy(Bucket="data")


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        "[]",
        "not json",
        '{"Statement": [{"Effect": "Allow"}]}',
        '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "x"}}',
    ],
)
def test_what_is_no_policy_changes_nothing(
    s3: Any, code: Callable[..., Any], document: str
) -> None:
    allow(s3, "s3:GetObject")
    before = s3.get_bucket_policy(Bucket="data")["Policy"]
    assert code(s3.put_bucket_policy, Bucket="data", Policy=document) == (400, "MalformedPolicy")
    assert s3.get_bucket_policy(Bucket="data")["Policy"] == before


def test_a_policy_over_20_kib_is_refused(s3: Any, code: Callable[..., Any]) -> None:
    def document(size: int) -> str:
        statement = {
            "Sid": "",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::data/*",
        }
        text = json.dumps({"Statement": [statement]}, separators=(",", ":"))
        return text.replace('"Sid":""', '"Sid":"' + "x" * (size - len(text)) + '"')

    s3.put_bucket_policy(Bucket="data", Policy=document(20_480))
    refused = code(s3.put_bucket_policy, Bucket="data", Policy=document(20_481))
    assert refused == (400, "MalformedPolicy")
    refused = code(s3.put_bucket_policy, Bucket="data", Policy=document(400_000))
    assert refused[0] == 400


@pytest.mark.parametrize(
    ("method", "target", "action"),
    [
        ("GET", "/data/k", "s3:GetObject"),
        ("HEAD", "/data/k", "s3:GetObject"),
        ("GET", "/data/k?attributes", "s3:GetObjectAttributes"),
        ("GET", "/data/k?acl", "s3:GetObjectAcl"),
        ("GET", "/data/k?tagging", "s3:GetObjectTagging"),
        ("PUT", "/data/new", "s3:PutObject"),
        ("DELETE", "/data/k", "s3:DeleteObject"),
        ("GET", "/data", "s3:ListBucket"),
        ("HEAD", "/data", "s3:ListBucket"),
        ("GET", "/data?list-type=2", "s3:ListBucket"),
        ("GET", "/data?versions", "s3:ListBucketVersions"),
        ("GET", "/data?location", "s3:GetBucketLocation"),
        ("GET", "/data?policy", "s3:GetBucketPolicy"),
        ("GET", "/data?policyStatus", "s3:GetBucketPolicyStatus"),
        ("DELETE", "/data?policy", "s3:DeleteBucketPolicy"),
        ("GET", "/data?acl", "s3:GetBucketAcl"),
        ("GET", "/data?versioning", "s3:GetBucketVersioning"),
        ("DELETE", "/data", "s3:DeleteBucket"),
    ],
)
def test_the_anonymous_may_do_what_the_policy_says_and_nothing_else(
    store: Store, s3: Any, method: str, target: str, action: str
) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    headers = {"x-amz-object-attributes": "ETag"}
    assert store.send(method, target, headers).status == 403
    others = [
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetBucketAcl",
        "s3:GetBucketLocation", "s3:GetObjectAcl", "s3:ListBucketVersions",
    ]  # fmt: skip
    allow(s3, *[other for other in others if other != action])
    assert store.send(method, target, headers).status == 403
    granted = [action, "s3:GetObject"] if "attributes" in target else [action]
    allow(s3, *granted)
    assert store.send(method, target, headers).status in (200, 204, 409)


def test_head_is_allowed_where_get_is(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    allow(s3, "s3:GetObject")
    assert store.send("GET", "/data/k").status == store.send("HEAD", "/data/k").status == 200


def test_a_denied_head_says_why_in_its_fields(store: Store, s3: Any) -> None:
    answer = store.send("HEAD", "/data/k")
    assert (answer.status, answer.body) == (403, b"")
    assert answer.headers["x-minio-error-code"] == "AccessDenied"


def test_who_may_not_list_is_not_told_what_is_absent(store: Store, s3: Any) -> None:
    allow(s3, "s3:GetObject")
    for method in ("GET", "HEAD"):
        assert store.send(method, "/data/absent").status == 403
    allow(s3, "s3:GetObject", "s3:ListBucket")
    for method in ("GET", "HEAD"):
        assert store.send(method, "/data/absent").status == 404


def test_the_right_to_list_a_prefix_tells_what_is_absent_below_it(store: Store, s3: Any) -> None:
    statements = [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::data/*",
        },
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::data",
            "Condition": {"StringLike": {"s3:prefix": "open/*"}},
        },
    ]
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Statement": statements}))
    assert store.send("GET", "/data/open/absent").status == 404
    assert store.send("GET", "/data/closed/absent").status == 403


def put_options(store: Store, options: Any) -> int:
    return store.signed("PUT", "/data?neve-options", json.dumps(options).encode()).status


def test_public_404_tells_readers_what_is_absent(store: Store, s3: Any) -> None:
    allow(s3, "s3:GetObject", "s3:PutObject")
    s3.put_object(Bucket="data", Key="k", Body=b"")
    assert store.send("GET", "/data/absent").status == 403
    assert put_options(store, {"public_404": True}) == 204
    got = store.signed("GET", "/data?neve-options")
    assert json.loads(got.body) == {"public_404": True, "cors": None}
    for method in ("GET", "HEAD"):
        assert store.send(method, "/data/absent").status == 404
    # It opens nothing to those who may not read, and lists nothing.
    assert store.send("GET", "/data").status == 403
    allow(s3, "s3:ListBucketVersions")
    assert store.send("GET", "/data/absent").status == 403
    allow(s3, "s3:GetObject")
    assert put_options(store, {"public_404": None}) == 204
    assert store.send("GET", "/data/absent").status == 403
    got = store.signed("GET", "/data?neve-options")
    assert json.loads(got.body) == {"public_404": False, "cors": None}


@pytest.mark.parametrize("options", [{"unknown": True}, {"public_404": "yes"}, [1], "x"])
def test_switches_that_are_not_there_are_refused(store: Store, s3: Any, options: Any) -> None:
    assert put_options(store, options) == 400


def test_only_the_owner_may_use_the_switches(store: Store, s3: Any) -> None:
    allow(s3, "s3:*")
    assert store.send("GET", "/data?neve-options").status == 403
    assert store.send("PUT", "/data?neve-options", {}, b'{"public_404": true}').status == 403


def test_a_deny_holds_for_root_but_never_for_the_policy_itself(
    s3: Any, code: Callable[..., Any]
) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    allow(s3, "s3:*", effect="Deny")
    assert code(s3.get_object, Bucket="data", Key="k") == (403, "AccessDenied")
    assert code(s3.list_objects_v2, Bucket="data") == (403, "AccessDenied")
    s3.get_bucket_policy(Bucket="data")
    s3.delete_bucket_policy(Bucket="data")
    s3.get_object(Bucket="data", Key="k")


def test_tags_in_a_put_need_their_own_action(store: Store, s3: Any) -> None:
    allow(s3, "s3:PutObject")
    headers = {"x-amz-tagging": "a=b"}
    assert store.send("PUT", "/data/k", headers, b"").status == 403
    allow(s3, "s3:PutObject", "s3:PutObjectTagging")
    assert store.send("PUT", "/data/k", headers, b"").status == 200


def test_policies_can_look_at_the_tags_of_an_object(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="open", Body=b"", Tagging="public=yes")
    s3.put_object(Bucket="data", Key="closed", Body=b"", Tagging="public=no")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data/*",
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/public": "yes"}},
    }
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Statement": [statement]}))
    assert store.send("GET", "/data/open").status == 200
    assert store.send("GET", "/data/closed").status == 403
    assert store.send("GET", "/data/absent").status == 403


def test_version_null_needs_the_action_of_versions(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    allow(s3, "s3:GetObject")
    assert store.send("GET", "/data/k?versionId=null").status == 403
    allow(s3, "s3:GetObjectVersion")
    assert store.send("GET", "/data/k?versionId=null").status == 200
