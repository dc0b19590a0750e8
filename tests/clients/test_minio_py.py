"""minio-py, MinIO's own Python client."""

import datetime
import io
import json
import urllib.request

import pytest
from minio import Minio
from minio.commonconfig import AndOperator, ComposeSource, CopySource, Filter, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import (
    AbortIncompleteMultipartUpload,
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)

from neve.testing.server import LiveServer


@pytest.fixture
def client(live_server: LiveServer) -> Minio:
    return Minio(
        live_server.address,
        access_key=live_server.access_key,
        secret_key=live_server.secret_key,
        secure=False,
    )


def test_buckets(client: Minio, bucket: str) -> None:
    assert client.bucket_exists(bucket)
    assert not client.bucket_exists("absent-bucket")
    assert bucket in [each.name for each in client.list_buckets()]
    client.remove_bucket(bucket)
    assert not client.bucket_exists(bucket)


def test_objects(client: Minio, bucket: str) -> None:
    data = bytes(range(256)) * 100
    client.put_object(bucket, "a/b", io.BytesIO(data), len(data), metadata={"k": "v"})
    stat = client.stat_object(bucket, "a/b")
    assert stat.size == len(data)
    assert stat.metadata["x-amz-meta-k"] == "v"
    answer = client.get_object(bucket, "a/b", offset=10, length=20)
    assert answer.read() == data[10:30]
    answer.release_conn()
    assert [each.object_name for each in client.list_objects(bucket)] == ["a/"]
    found = [each.object_name for each in client.list_objects(bucket, recursive=True)]
    assert found == ["a/b"]
    errors = client.remove_objects(bucket, [DeleteObject("a/b"), DeleteObject("absent")])
    assert list(errors) == []
    with pytest.raises(S3Error, match="NoSuchKey"):
        client.stat_object(bucket, "a/b")


def test_stream_of_unknown_length_goes_in_parts(client: Minio, bucket: str) -> None:
    data = bytes(range(256)) * 50_000
    client.put_object(bucket, "large", io.BytesIO(data), -1, part_size=5 << 20)
    answer = client.get_object(bucket, "large")
    assert answer.read() == data
    answer.release_conn()


def test_copy_and_compose(client: Minio, bucket: str) -> None:
    data = bytes(range(256)) * 25_000
    client.put_object(bucket, "one", io.BytesIO(data), len(data))
    client.copy_object(bucket, "two", CopySource(bucket, "one"))
    sources = [ComposeSource(bucket, "one"), ComposeSource(bucket, "two")]
    client.compose_object(bucket, "both", sources)
    answer = client.get_object(bucket, "both")
    assert answer.read() == data * 2
    answer.release_conn()


def test_lifecycle_rules(client: Minio, bucket: str) -> None:
    tags = Tags.new_object_tags()
    tags.update({"k": "v", "l": "w"})
    rules = [
        Rule(
            "Enabled",
            rule_filter=Filter(AndOperator(prefix="tmp/", tags=tags)),
            rule_id="tagged",
            expiration=Expiration(days=3),
        ),
        Rule(
            "Disabled",
            rule_filter=Filter(prefix=""),
            rule_id="rest",
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=9),
            abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(1),
        ),
    ]
    assert client.get_bucket_lifecycle(bucket) is None
    client.set_bucket_lifecycle(bucket, LifecycleConfig(rules))
    there = client.get_bucket_lifecycle(bucket)
    assert there is not None
    first, second = there.rules
    assert (first.rule_id, first.status, first.expiration.days) == ("tagged", "Enabled", 3)
    assert first.rule_filter.and_operator.prefix == "tmp/"
    assert dict(first.rule_filter.and_operator.tags) == {"k": "v", "l": "w"}
    assert second.status == "Disabled"
    assert second.noncurrent_version_expiration.noncurrent_days == 9
    assert second.abort_incomplete_multipart_upload.days_after_initiation == 1
    client.delete_bucket_lifecycle(bucket)
    assert client.get_bucket_lifecycle(bucket) is None


def test_policy_and_presigned(client: Minio, bucket: str, live_server: LiveServer) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
    client.set_bucket_policy(bucket, json.dumps(policy))
    assert json.loads(client.get_bucket_policy(bucket)) == policy
    client.put_object(bucket, "k", io.BytesIO(b"public"), 6)
    with urllib.request.urlopen(f"{live_server.endpoint}/{bucket}/k") as answer:
        assert answer.read() == b"public"
    client.delete_bucket_policy(bucket)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{live_server.endpoint}/{bucket}/k")
    url = client.presigned_get_object(bucket, "k", datetime.timedelta(minutes=5))
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"public"
