"""Tags of objects and buckets: documents, headers, limits, and what policies may ask of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

Tags = dict[str, str]
Code = Callable[..., tuple[int, str]]


def tagging(tags: Tags) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(s3: Any, key: str = "k", bucket: str = "data") -> Tags:
    answer = s3.get_object_tagging(Bucket=bucket, Key=key)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def put_tags(s3: Any, tags: Tags, key: str = "k") -> None:
    s3.put_object_tagging(Bucket="data", Key=key, Tagging=tagging(tags))


BODIES = {"empty": b"", "small": b"bytes", "large": b"x" * (2 << 20)}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_tags_change_nothing_else_of_the_object(s3: Any, body: bytes) -> None:
    s3.put_object(Bucket="data", Key="k", Body=body, Metadata={"a": "b"}, ContentType="text/x")
    before = s3.head_object(Bucket="data", Key="k")
    put_tags(s3, {"one": "1", "ünï": "ключ 鍵", "empty": ""})
    after = s3.get_object(Bucket="data", Key="k")
    assert tags_of(s3) == {"one": "1", "ünï": "ключ 鍵", "empty": ""}
    assert after["Body"].read() == body
    assert after["TagCount"] == 3
    for name in ("ETag", "LastModified", "Metadata", "ContentType"):
        assert after[name] == before[name]
    put_tags(s3, {"two": "2"})
    assert tags_of(s3) == {"two": "2"}
    answer = s3.delete_object_tagging(Bucket="data", Key="k")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags_of(s3) == {}
    assert "TagCount" not in s3.head_object(Bucket="data", Key="k")
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == body


def test_a_multipart_object_keeps_its_parts_when_it_is_tagged(small_parts: Store) -> None:
    s3 = small_parts.client()
    s3.create_bucket(Bucket="data")
    upload = s3.create_multipart_upload(Bucket="data", Key="k", Tagging="born=with")["UploadId"]
    parts = []
    for number in (1, 2):
        answer = s3.upload_part(
            Bucket="data", Key="k", UploadId=upload, PartNumber=number, Body=b"%d" % number
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(
        Bucket="data", Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert tags_of(s3) == {"born": "with"}
    put_tags(s3, {"a": "b"})
    assert s3.get_object(Bucket="data", Key="k", PartNumber=2)["Body"].read() == b"2"
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"12"
    assert tags_of(s3) == {"a": "b"}


def test_tags_come_with_a_put_and_are_shown_in_the_order_of_their_keys(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="foo=bar&bar&sp%20ace=a%2Bb")
    answer = s3.get_object_tagging(Bucket="data", Key="k")["TagSet"]
    assert [tag["Key"] for tag in answer] == ["bar", "foo", "sp ace"]
    assert tags_of(s3) == {"bar": "", "foo": "bar", "sp ace": "a+b"}


def test_a_put_takes_the_tags_away_with_the_old_object(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="a=b")
    s3.put_object(Bucket="data", Key="k", Body=b"")
    assert tags_of(s3) == {}


def test_a_copy_has_the_tags_of_its_source_or_those_it_is_given(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="a=b")
    source = {"Bucket": "data", "Key": "k"}
    s3.copy_object(Bucket="data", Key="same", CopySource=source, Tagging="not=this")
    s3.copy_object(
        Bucket="data", Key="new", CopySource=source, Tagging="c=d", TaggingDirective="REPLACE"
    )
    s3.copy_object(Bucket="data", Key="none", CopySource=source, TaggingDirective="REPLACE")
    assert [tags_of(s3, key) for key in ("same", "new", "none")] == [{"a": "b"}, {"c": "d"}, {}]


def test_who_may_not_read_the_tags_of_a_source_copies_none(
    s3: Any, store: Store, anonymous: Any, code: Code
) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="a=b")
    source = {"Bucket": "data", "Key": "k"}
    allow(s3, "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging")
    copy = {"Bucket": "data", "Key": "c", "CopySource": source}
    assert code(anonymous.copy_object, **copy) == (403, "AccessDenied")
    allow(s3, "s3:GetObject", "s3:PutObject", "s3:GetObjectTagging")
    assert code(anonymous.copy_object, **copy) == (403, "AccessDenied")
    allow(s3, "s3:GetObject", "s3:PutObject", "s3:GetObjectTagging", "s3:PutObjectTagging")
    anonymous.copy_object(**copy)
    assert tags_of(s3, "c") == {"a": "b"}


LIMITS: dict[str, tuple[Tags, str]] = {
    "ten": ({str(n): "" for n in range(10)}, ""),
    "eleven": ({str(n): "" for n in range(11)}, "BadRequest"),
    "key of 128": ({"k" * 128: ""}, ""),
    "key of 129": ({"k" * 129: ""}, "InvalidTag"),
    "value of 256": ({"k": "é" * 256}, ""),
    "value of 257": ({"k": "é" * 257}, "InvalidTag"),
    "every allowed sign": ({"+ -=._:/@": "+ -=._:/@"}, ""),
    "sign in the key": ({"a?": "v"}, "InvalidTag"),
    "sign in the value": ({"a": "<v>"}, "InvalidTag"),
    "reserved": ({"AWS:x": "v"}, "InvalidTag"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_tags_have_limits(s3: Any, code: Code, name: str) -> None:
    tags, expected = LIMITS[name]
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="old=tag")
    arguments = {"Bucket": "data", "Key": "k", "Tagging": tagging(tags)}
    if expected:
        assert code(s3.put_object_tagging, **arguments) == (400, expected)
        assert tags_of(s3) == {"old": "tag"}
    else:
        s3.put_object_tagging(**arguments)
        assert tags_of(s3) == tags


MALFORMED = {
    "other root": b"<Tags><TagSet/></Tags>",
    "no set": b"<Tagging/>",
    "no value": b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    "no tag": b"<Tagging><TagSet><Key>a</Key></TagSet></Tagging>",
    "two keys": (
        b"<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value>c</Value></Tag></TagSet></Tagging>"
    ),
    "nothing": b"",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_document_is_refused(s3: Any, store: Store, name: str) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    for target in ("/data/k?tagging", "/data?tagging"):
        answer = store.signed("PUT", target, MALFORMED[name])
        assert (answer.status, b"<Code>MalformedXML</Code>" in answer.body) == (400, True)


def test_a_tag_without_a_key_is_refused(s3: Any, store: Store) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    body = b"<Tagging><TagSet><Tag><Key></Key><Value>v</Value></Tag></TagSet></Tagging>"
    assert b"<Code>InvalidTag</Code>" in store.signed("PUT", "/data/k?tagging", body).body


def test_one_key_twice_is_refused(s3: Any, store: Store) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    tag = "<Tag><Key>a</Key><Value>b</Value></Tag>"
    body = f"<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>".encode()
    assert b"<Code>InvalidTag</Code>" in store.signed("PUT", "/data/k?tagging", body).body


def test_an_absent_object_has_no_tags_to_set(s3: Any, code: Code) -> None:
    absent = {"Bucket": "data", "Key": "absent"}
    gone = (404, "NoSuchKey")
    assert code(s3.get_object_tagging, **absent) == gone
    assert code(s3.put_object_tagging, **absent, Tagging=tagging({"a": "b"})) == gone
    assert code(s3.delete_object_tagging, **absent) == gone


def test_anonymous_callers_need_the_right_to_each_operation(
    s3: Any, anonymous: Any, code: Code
) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="a=b")
    at = {"Bucket": "data", "Key": "k"}
    calls = {
        "s3:GetObjectTagging": (anonymous.get_object_tagging, {}),
        "s3:PutObjectTagging": (anonymous.put_object_tagging, {"Tagging": tagging({"c": "d"})}),
        "s3:DeleteObjectTagging": (anonymous.delete_object_tagging, {}),
    }
    for allowed in ("s3:GetObject", *calls):
        allow(s3, allowed)
        for action, (call, arguments) in calls.items():
            if action == allowed:
                call(**at, **arguments)
            else:
                assert code(call, **at, **arguments) == (403, "AccessDenied")
    assert tags_of(s3) == {}


def conditional(s3: Any, action: str, key: str, value: str) -> None:
    """Let everybody do the action where the condition key has the value."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": action,
        "Resource": "arn:aws:s3:::data/*",
        "Condition": {"StringEquals": {key: value}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps(document))


def test_a_policy_can_ask_for_the_tags_an_object_has(s3: Any, anonymous: Any, code: Code) -> None:
    s3.put_object(Bucket="data", Key="public", Body=b"p")
    s3.put_object(Bucket="data", Key="private", Body=b"p")
    put_tags(s3, {"security": "public"}, "public")
    put_tags(s3, {"security": "private"}, "private")
    conditional(s3, "s3:GetObject", "s3:ExistingObjectTag/security", "public")
    assert anonymous.get_object(Bucket="data", Key="public")["Body"].read() == b"p"
    denied = (403, "AccessDenied")
    assert code(anonymous.get_object, Bucket="data", Key="private") == denied
    put_tags(s3, {"security": "private"}, "public")
    assert code(anonymous.get_object, Bucket="data", Key="public") == denied


def test_a_policy_can_ask_for_the_tags_in_the_document(s3: Any, anonymous: Any, code: Code) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    conditional(s3, "s3:PutObjectTagging", "s3:RequestObjectTag/security", "public")
    put = {"Bucket": "data", "Key": "k"}
    refused = tagging({"security": "private"})
    assert code(anonymous.put_object_tagging, **put, Tagging=refused) == (403, "AccessDenied")
    assert tags_of(s3) == {}
    anonymous.put_object_tagging(**put, Tagging=tagging({"security": "public", "x": "y"}))
    assert tags_of(s3) == {"security": "public", "x": "y"}


def test_versions_of_tags_are_those_of_null(s3: Any, code: Code) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    at = {"Bucket": "data", "Key": "k", "VersionId": "null"}
    assert s3.put_object_tagging(**at, Tagging=tagging({"a": "b"}))["VersionId"] == "null"
    assert s3.get_object_tagging(**at)["VersionId"] == "null"
    assert s3.delete_object_tagging(**at)["VersionId"] == "null"
    other = {**at, "VersionId": "other"}
    assert code(s3.get_object_tagging, **other) == (404, "NoSuchVersion")
    assert code(s3.delete_object_tagging, **other) == (404, "NoSuchVersion")


def test_a_bucket_has_tags(s3: Any, code: Code) -> None:
    def put(tags: Tags) -> None:
        s3.put_bucket_tagging(Bucket="data", Tagging=tagging(tags))

    def get() -> Tags:
        answer = s3.get_bucket_tagging(Bucket="data")
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    absent = (404, "NoSuchTagSet")
    assert code(s3.get_bucket_tagging, Bucket="data") == absent
    put({"team": "océan", "cost": ""})
    assert get() == {"team": "océan", "cost": ""}
    fifty = {str(n): "v" for n in range(50)}
    put(fifty)
    many = tagging({**fifty, "51": "v"})
    assert code(s3.put_bucket_tagging, Bucket="data", Tagging=many) == (400, "BadRequest")
    assert get() == fifty
    s3.delete_bucket_tagging(Bucket="data")
    assert code(s3.get_bucket_tagging, Bucket="data") == absent
    s3.delete_bucket_tagging(Bucket="data")
    assert code(s3.get_bucket_tagging, Bucket="other") == (404, "NoSuchBucket")


def test_bucket_tags_need_rights_of_their_own(s3: Any, anonymous: Any, code: Code) -> None:
    s3.put_bucket_tagging(Bucket="data", Tagging=tagging({"a": "b"}))
    assert code(anonymous.get_bucket_tagging, Bucket="data") == (403, "AccessDenied")
    allow(s3, "s3:GetBucketTagging")
    assert anonymous.get_bucket_tagging(Bucket="data")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert code(anonymous.delete_bucket_tagging, Bucket="data") == (403, "AccessDenied")
    assert s3.get_bucket_tagging(Bucket="data")["TagSet"]
