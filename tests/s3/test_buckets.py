"""Buckets: creating, listing, deleting, and what an unconfigured one answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.s3.conftest import Store, allow


def test_a_bucket_is_made_found_and_deleted(store: Store, code: Callable[..., Any]) -> None:
    s3 = store.client()
    made = s3.create_bucket(Bucket="new-bucket")
    assert made["Location"] == "/new-bucket"
    assert s3.head_bucket(Bucket="new-bucket")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="new-bucket")["LocationConstraint"] is None
    created = s3.list_buckets()["Buckets"][0]["CreationDate"]
    assert abs(created - datetime.now(UTC)) < timedelta(minutes=1)
    s3.delete_bucket(Bucket="new-bucket")
    assert code(s3.head_bucket, Bucket="new-bucket") == (404, "404")
    assert code(s3.delete_bucket, Bucket="new-bucket") == (404, "NoSuchBucket")
    assert code(s3.get_bucket_location, Bucket="new-bucket") == (404, "NoSuchBucket")
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_made_again_is_a_conflict(s3: Any, code: Callable[..., Any]) -> None:
    # AWS: 409 in every region but us-east-1, whose 200 is kept for old clients only.
    assert code(s3.create_bucket, Bucket="data") == (409, "BucketAlreadyOwnedByYou")


@pytest.mark.parametrize(
    "name", ["ab", "A-b", "a..b", "192.168.1.1", "-ab", "ab-", "a_b", "x" * 64, "xn--ab", "a b"]
)
def test_names_that_aws_refuses(store: Store, name: str) -> None:
    answer = store.signed("PUT", "/" + name.replace(" ", "%20"))
    assert answer.status == 400
    assert b"<Code>InvalidBucketName</Code>" in answer.body


def test_the_location_must_be_here(s3: Any, code: Callable[..., Any]) -> None:
    here = {"LocationConstraint": "us-east-1"}
    s3.create_bucket(Bucket="here", CreateBucketConfiguration=here)
    there = {"LocationConstraint": "eu-west-3"}
    refused = code(s3.create_bucket, Bucket="there", CreateBucketConfiguration=there)
    assert refused == (400, "InvalidLocationConstraint")


def test_what_a_new_bucket_would_not_have_is_refused(s3: Any, code: Callable[..., Any]) -> None:
    for arguments, expected in (
        ({"ObjectOwnership": "Nobody"}, (400, "InvalidArgument")),
        ({"ACL": "log-delivery-write"}, (501, "NotImplemented")),
        ({"GrantRead": "id=1"}, (400, "InvalidArgument")),
    ):
        assert code(s3.create_bucket, Bucket="another", **arguments) == expected
    s3.create_bucket(Bucket="another", ACL="private", ObjectOwnership="BucketOwnerEnforced")


def test_a_configuration_that_is_no_xml_is_malformed(store: Store, s3: Any) -> None:
    def spoil(params: Any, **_: Any) -> None:
        params["body"] = b"<CreateBucketConfiguration>"

    s3.meta.events.register("before-call.s3.CreateBucket", spoil)
    with pytest.raises(s3.exceptions.ClientError, match="MalformedXML"):
        s3.create_bucket(Bucket="another")


def test_a_bucket_with_objects_is_not_deleted(s3: Any, code: Callable[..., Any]) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"")
    assert code(s3.delete_bucket, Bucket="data") == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="data", Key="k")
    s3.create_multipart_upload(Bucket="data", Key="k")
    s3.delete_bucket(Bucket="data")


def test_buckets_are_listed_in_pages(store: Store, code: Callable[..., Any]) -> None:
    s3 = store.client()
    names = ["alpha", "beta-1", "beta-2", "gamma"]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == names
    found = []
    for page in s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1}):
        found += [b["Name"] for b in page["Buckets"]]
    assert found == names
    page = s3.list_buckets(Prefix="beta")
    assert ([b["Name"] for b in page["Buckets"]], page["Prefix"]) == (["beta-1", "beta-2"], "beta")
    assert page["Buckets"][0]["BucketRegion"] == "us-east-1"
    assert len(s3.list_buckets(BucketRegion="us-east-1")["Buckets"]) == 4
    assert code(s3.list_buckets, BucketRegion="mars-1") == (400, "InvalidArgument")
    assert code(s3.list_buckets, MaxBuckets=2**31) == (400, "InvalidArgument")
    assert store.signed("GET", "/?max-buckets=0").status == 400
    assert code(s3.list_buckets, ContinuationToken="x") == (400, "InvalidArgument")


def test_the_anonymous_neither_list_nor_make_buckets(store: Store) -> None:
    assert store.send("GET", "/").status == 403
    assert store.send("PUT", "/mine").status == 403
    assert store.client().list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("operation", "code_"),
    [
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
    ],
)
def test_what_is_not_configured_says_so(
    s3: Any, code: Callable[..., Any], operation: str, code_: str
) -> None:
    assert code(getattr(s3, operation), Bucket="data") == (404, code_)
    assert code(getattr(s3, operation), Bucket="nope") == (404, "NoSuchBucket")


def test_removing_what_is_not_configured_succeeds(s3: Any) -> None:
    for operation in (
        s3.delete_bucket_tagging,
        s3.delete_bucket_lifecycle,
        s3.delete_bucket_cors,
        s3.delete_bucket_encryption,
        s3.delete_bucket_replication,
        s3.delete_bucket_website,
        s3.delete_public_access_block,
    ):
        assert operation(Bucket="data")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_what_has_a_default_returns_it(s3: Any) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket="data")
    status = s3.get_bucket_policy_status(Bucket="data")["PolicyStatus"]
    assert status == {"IsPublic": False}
    assert s3.get_bucket_request_payment(Bucket="data")["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket="data")
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket="data")
    notifications = s3.get_bucket_notification_configuration(Bucket="data")
    assert set(notifications) == {"ResponseMetadata"}


def test_configuring_what_is_not_there_yet_is_not_implemented(
    s3: Any, code: Callable[..., Any]
) -> None:
    for call, arguments in (
        (s3.put_bucket_logging, {"BucketLoggingStatus": {}}),
        (s3.get_object_torrent, {"Key": "k"}),
    ):
        assert code(call, Bucket="data", **arguments) == (501, "NotImplemented")


def test_a_preflight_is_refused_as_on_a_bucket_without_cors(store: Store, s3: Any) -> None:
    headers = {"Origin": "https://viewer.test", "Access-Control-Request-Method": "GET"}
    for target in ("/data", "/data/k"):
        answer = store.send("OPTIONS", target, headers)
        assert answer.status == 403
        assert b"<Code>AccessForbidden</Code>" in answer.body
        assert b"CORS is not enabled for this bucket" in answer.body
    assert store.send("OPTIONS", "/data").status == 400
    assert store.send("OPTIONS", "/data", {"Origin": "https://viewer.test"}).status == 400


def test_head_bucket_needs_the_right_to_list(store: Store, s3: Any) -> None:
    assert store.send("HEAD", "/data").status == 403
    allow(s3, "s3:ListBucket")
    assert store.send("HEAD", "/data").status == 200
