"""Quotas over S3: who may set and see them, and what a client over its quota is told."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.s3.conftest import Store, allow

EXCEEDED = (400, "XMinioAdminBucketQuotaExceeded")


def put_quota(store: Store, **limits: Any) -> int:
    return store.signed("PUT", "/data?neve-quota", json.dumps(limits).encode()).status


def usage(store: Store) -> Any:
    return json.loads(store.signed("GET", "/data?neve-usage").body)


def test_a_quota_is_put_read_and_removed(store: Store, s3: Any) -> None:
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {}
    assert put_quota(store, bytes=1000, soft=50) == 204
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {"bytes": 1000, "soft": 50}
    assert put_quota(store, objects=3) == 204
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {"objects": 3}
    assert put_quota(store) == 204
    assert store.signed("GET", "/data?neve-quota").body == b"{}"


def test_usage_shows_the_share_of_the_quota(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"12345")
    assert usage(store) == {"bucket": "data", "objects": 1, "bytes": 5}
    put_quota(store, bytes=9, objects=100, soft=60)
    assert usage(store) == {
        "bucket": "data",
        "objects": 1,
        "bytes": 5,
        "quota": {"bytes": 9, "objects": 100, "soft": 60},
        "percent": 55,
        "warning": False,
    }
    s3.put_object(Bucket="data", Key="k", Body=b"123456")
    assert usage(store)["warning"] is True


def test_the_refusal_says_which_quota_and_how_much_is_used(store: Store, s3: Any) -> None:
    put_quota(store, bytes=1000)
    s3.put_object(Bucket="data", Key="k", Body=bytes(900))
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="data", Key="more", Body=bytes(101))
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == EXCEEDED
    assert answer["Error"]["Message"] == (
        "Bucket quota exceeded: data may hold 1000 bytes, 900 are used, and this write would add"
        " 101."
    )
    assert (answer["Error"]["Limit"], answer["Error"]["Used"]) == ("1000", "900")
    assert (answer["Error"]["Added"], answer["Error"]["Quota"]) == ("101", "bucket")


def test_every_operation_that_writes_keeps_it(small_parts: Store, code: Any) -> None:
    store = small_parts
    s3 = store.client()
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=bytes(60))
    put_quota(store, bytes=100)
    source = {"Bucket": "data", "Key": "k"}
    assert code(s3.put_object, Bucket="data", Key="n", Body=bytes(41)) == EXCEEDED
    assert code(s3.copy_object, Bucket="data", Key="n", CopySource=source) == EXCEEDED
    upload = s3.create_multipart_upload(Bucket="data", Key="n")["UploadId"]
    part = {"Bucket": "data", "Key": "n", "UploadId": upload}
    assert code(s3.upload_part, **part, PartNumber=1, Body=bytes(41)) == EXCEEDED
    assert code(s3.upload_part_copy, **part, PartNumber=1, CopySource=source) == EXCEEDED
    tag = s3.upload_part(**part, PartNumber=1, Body=bytes(40))["ETag"]
    s3.put_object(Bucket="data", Key="one", Body=b"1")
    complete = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}
    assert code(s3.complete_multipart_upload, **part, **complete) == EXCEEDED
    s3.delete_object(Bucket="data", Key="one")
    s3.complete_multipart_upload(**part, **complete)
    assert code(s3.create_multipart_upload, Bucket="data", Key="m") == EXCEEDED
    form = s3.generate_presigned_post("data", "form")["fields"]
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}' for n, v in form.items()
    ]
    lines.append(
        '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--'
    )
    body = "\r\n".join(lines).encode()
    answer = store.send("POST", "/data", {"content-type": "multipart/form-data; boundary=b"}, body)
    assert (answer.status, b"XMinioAdminBucketQuotaExceeded" in answer.body) == (400, True)
    # What adds nothing passes: other metadata, other tags, fewer bytes.
    replace = {"CopySource": source, "MetadataDirective": "REPLACE", "Metadata": {"a": "b"}}
    s3.copy_object(Bucket="data", Key="k", **replace)
    s3.put_object_tagging(Bucket="data", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object(Bucket="data", Key="k", Body=bytes(59))
    assert usage(store)["bytes"] == 99


def test_a_body_that_cannot_fit_is_refused_before_it_is_sent(store: Store, s3: Any) -> None:
    put_quota(store, bytes=1000)
    request = store.client().generate_presigned_url(
        "put_object", Params={"Bucket": "data", "Key": "k"}
    )
    target = request.partition(":9000")[2]
    # The body breaks when it is read: an answer about the quota came before that.
    broken = {"pieces": [b""], "error": RuntimeError("the body was read")}
    answer = store.send("PUT", target, {"content-length": "1001"}, **broken)
    assert (answer.status, b"may hold 1000 bytes, 0 are used" in answer.body) == (400, True)
    answer = store.send("PUT", target, {"content-length": "1000"}, **broken)
    assert answer.status == 500


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{",
        b'{"\x9a": 1}',
        b'{"bytes": -1}',
        b'{"bytes": "1G"}',
        b'{"bytes": 1.5}',
        b'{"byte": 1}',
        b'{"soft": 0}',
        b'{"soft": 101}',
        b'{"objects": 1152921504606846977}',
    ],
)
def test_what_is_no_quota_is_refused(store: Store, s3: Any, document: bytes) -> None:
    answer = store.signed("PUT", "/data?neve-quota", document)
    assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.body) == (400, True)
    assert store.signed("GET", "/data?neve-quota").body == b"{}"


def test_only_root_sets_quotas_and_nobody_else_sees_them(store: Store, s3: Any) -> None:
    allow(s3, "s3:*")
    for method, resource in (("GET", "quota"), ("PUT", "quota"), ("GET", "usage")):
        answer = store.send(method, f"/data?neve-{resource}", {}, b"{}" if method == "PUT" else b"")
        assert answer.status == 403, (method, resource)
        assert store.signed(method, f"/data?neve-{resource}", b"{}").status in (200, 204)
        assert store.signed(method, f"/absent?neve-{resource}", b"{}").status == 404
