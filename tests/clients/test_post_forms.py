"""Browser forms as boto3 and minio-py sign them, sent as any HTTP library sends them."""

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.config import Config
from minio import Minio
from minio.datatypes import PostPolicy

from neve.testing.server import LiveServer

LARGE = bytes(range(256)) * (80 << 10)


def client(live_server: LiveServer, **config: Any) -> Any:
    """A boto3 client that says nothing of how to sign, unless `config` does."""
    return boto3.client(
        "s3",
        endpoint_url=live_server.endpoint,
        aws_access_key_id=live_server.access_key,
        aws_secret_access_key=live_server.secret_key,
        region_name="us-east-1",
        config=Config(**config),
    )


def send(url: str, fields: dict[str, str], data: bytes, name: str = "f.bin") -> Any:
    body = {**fields, "file": (name, data, "application/octet-stream")}
    return urllib3.PoolManager().request("POST", url, fields=body, retries=False)


@pytest.mark.parametrize("config", [{}, {"signature_version": "s3v4"}])
@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "20 MiB"])
def test_boto3(live_server: LiveServer, bucket: str, config: dict[str, str], data: bytes) -> None:
    s3 = client(live_server, **config)
    made = s3.generate_presigned_post(
        bucket,
        "in/${filename}",
        Fields={"success_action_status": "201", "x-amz-meta-by": "me"},
        Conditions=[
            {"success_action_status": "201"},
            {"x-amz-meta-by": "me"},
            ["content-length-range", 0, len(LARGE)],
        ],
    )
    answer = send(made["url"], made["fields"], data)
    assert answer.status == 201, answer.data
    there = s3.get_object(Bucket=bucket, Key="in/f.bin")
    assert hashlib.sha256(there["Body"].read()).digest() == hashlib.sha256(data).digest()
    assert there["Metadata"] == {"by": "me"}
    assert there["ETag"] == answer.headers["etag"]


@pytest.mark.parametrize("config", [{}, {"signature_version": "s3v4"}])
def test_boto3_is_held_to_what_it_signed(
    live_server: LiveServer, bucket: str, config: dict[str, str]
) -> None:
    s3 = client(live_server, **config)
    made = s3.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 1, 100]])
    assert b"EntityTooLarge" in send(made["url"], made["fields"], LARGE).data
    assert b"EntityTooSmall" in send(made["url"], made["fields"], b"").data
    other = {**made["fields"], "key": "other"}
    assert b"Policy Condition failed" in send(made["url"], other, b"x").data
    made = s3.generate_presigned_post(bucket, "k", ExpiresIn=-1)
    assert b"Policy expired" in send(made["url"], made["fields"], b"x").data
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_minio_py(live_server: LiveServer, bucket: str) -> None:
    minio = Minio(
        urlsplit(live_server.endpoint).netloc,
        access_key=live_server.access_key,
        secret_key=live_server.secret_key,
        secure=False,
        region="us-east-1",
    )
    policy = PostPolicy(bucket, datetime.now(UTC) + timedelta(minutes=5))
    policy.add_starts_with_condition("key", "in/")
    policy.add_content_length_range_condition(1, 1 << 20)
    policy.add_equals_condition("Content-Type", "text/plain")
    fields = {**minio.presigned_post_policy(policy), "Content-Type": "text/plain"}
    url = f"{live_server.endpoint}/{bucket}"
    answer = send(url, {**fields, "key": "in/k"}, b"bytes")
    assert answer.status == 204, answer.data
    assert io.BytesIO(minio.get_object(bucket, "in/k").data).read() == b"bytes"
    assert send(url, {**fields, "key": "out/k"}, b"bytes").status == 403
