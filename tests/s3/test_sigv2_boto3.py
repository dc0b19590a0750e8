"""Signature Version 2 as boto3 uses it: through the pipeline, and at its defaults over a socket."""

import json
import random
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from tests.s3.conftest import Store

from neve.testing.server import LiveServer


def _presigned(store: Store, client: Any, **arguments: str) -> Any:
    url = urlsplit(client.generate_presigned_url("get_object", Params=arguments))
    return store.send("GET", f"{url.path}?{url.query}", {"Host": url.netloc})


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_pipeline_reads_the_bucket_as_the_verifier_does(store, s3, style):
    s3.put_object(Bucket="data", Key="a b/é+", Body=b"hello")
    client = store.client(signature="s3", addressing_style=style)
    assert client.get_object(Bucket="data", Key="a b/é+")["Body"].read() == b"hello"
    host = store.requests[-1].headers[b"host"]
    assert host.startswith(b"data.s3.test") == (style == "virtual")
    assert [b["Name"] for b in client.list_buckets()["Buckets"]] == ["data"]
    assert client.list_objects_v2(Bucket="data", Prefix="a b")["KeyCount"] == 1
    assert client.get_bucket_acl(Bucket="data")["Owner"]
    client.create_bucket(Bucket="made")
    client.delete_bucket(Bucket="made")
    answer = _presigned(store, client, Bucket="data", Key="a b/é+")
    assert answer.body == b"hello"
    assert b"AWSAccessKeyId=" in store.requests[-1].raw_query


def test_policies_see_the_version(store, s3):
    s3.put_object(Bucket="data", Key="k", Body=b"hello")
    old = store.client(signature="s3")

    def deny(**condition: dict[str, str]) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::data/*",
            "Condition": condition,
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="data", Policy=json.dumps(document))

    def status(answer: Any) -> int:
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    def by_header() -> int:
        try:
            return status(old.get_object(Bucket="data", Key="k"))
        except old.exceptions.ClientError as error:
            return status(error.response)

    def statuses() -> tuple[int, int, int]:
        """Of version 2 by header and by query, and of version 4 by query."""
        urls = [_presigned(store, client, Bucket="data", Key="k") for client in (old, s3)]
        return by_header(), urls[0].status, urls[1].status

    assert statuses() == (200, 200, 200)
    deny(StringEquals={"s3:signatureversion": "AWS"})
    assert statuses() == (403, 403, 200)
    deny(StringEquals={"s3:authType": "REST-QUERY-STRING"})
    assert statuses() == (200, 403, 403)
    # A URL that does not say when it was signed is older than any policy allows.
    deny(NumericGreaterThan={"s3:signatureAge": "600000"})
    assert statuses() == (200, 403, 200)


def _fetch(
    method: str, url: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.fixture
def arguments(live_server: LiveServer) -> dict[str, str]:
    return {
        "endpoint_url": live_server.endpoint,
        "aws_access_key_id": live_server.access_key,
        "aws_secret_access_key": live_server.secret_key,
        "region_name": "us-east-1",
    }


def test_boto3_presigns_at_its_defaults(arguments):
    s3 = boto3.client("s3", **arguments)
    bucket, key = f"old-{uuid.uuid4().hex[:12]}", "a b/é+~(1)"
    s3.create_bucket(Bucket=bucket)
    target = {"Bucket": bucket, "Key": key}
    put = s3.generate_presigned_url("put_object", {**target, "ContentType": "text/x-a"})
    assert "AWSAccessKeyId=" in put
    assert _fetch("PUT", put, b"hello", **{"Content-Type": "text/x-a"})[0] == 200
    name = 'attachment; filename="é b&c+d.nc"'
    get = s3.generate_presigned_url("get_object", {**target, "ResponseContentDisposition": name})
    status, headers, body = _fetch("GET", get)
    assert (status, body, headers["Content-Type"]) == (200, b"hello", "text/x-a")
    assert headers["Content-Disposition"].encode("latin-1").decode() == name
    status, headers, _ = _fetch("HEAD", s3.generate_presigned_url("head_object", target))
    assert (status, headers["Content-Length"]) == (200, "5")
    assert _fetch("HEAD", get)[0] == 403
    expired = s3.generate_presigned_url("get_object", target, ExpiresIn=-2)
    status, _, body = _fetch("GET", expired)
    assert (status, b"Request has expired" in body) == (403, True)
    assert _fetch("DELETE", s3.generate_presigned_url("delete_object", target))[0] == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_boto3_signs_every_request_with_version_2(arguments):
    s3 = boto3.client("s3", **arguments, config=Config(signature_version="s3"))
    bucket, body = f"old-{uuid.uuid4().hex[:12]}", random.Random(1).randbytes(6 << 20)
    s3.create_bucket(Bucket=bucket)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"a": "b c"})["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etag = s3.upload_part(**part, PartNumber=1, Body=body)["ETag"]
    parts = [{"PartNumber": 1, "ETag": etag}]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    found = s3.get_object(Bucket=bucket, Key="copy")
    assert (found["Body"].read() == body, found["Metadata"]) == (True, {"a": "b c"})
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    doomed = [{"Key": "k"}, {"Key": "copy"}]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})["Deleted"]) == 2
    s3.delete_bucket(Bucket=bucket)
