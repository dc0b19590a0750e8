"""PutObject, GetObject, HeadObject: bytes, metadata, digests, keys, limits."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

from neve.errors import BodyTimeout, BodyTruncated
from neve.s3.operations import put_object

KEYS = [
    "plain",
    "with space",
    "ünïcödé/ключ/鍵",
    "/leading",
    "double//slash",
    "trailing/",
    "//",
    "a+b&c=d?e#f%2Fg",
    ".zgroup",
    "c/0/0",
    "dots/../in/./it",
    "x" * 1024,
    "é" * 512,
]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_comes_back_as_it_was_put(s3: Any, key: str) -> None:
    s3.put_object(Bucket="data", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="data", Key=key)["Body"].read() == key.encode()
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="data")["Contents"]] == [key]
    s3.delete_object(Bucket="data", Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket="data")


def test_keys_that_differ_only_in_slashes_are_different_objects(s3: Any) -> None:
    keys = ["a", "a/", "a//", "a/b", "/a", "//a"]
    for key in keys:
        s3.put_object(Bucket="data", Key=key, Body=key.encode())
    for key in keys:
        assert s3.get_object(Bucket="data", Key=key)["Body"].read() == key.encode()


def test_percent_encoded_slash_is_part_of_the_key(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="a/b", Body=b"1")
    allow(s3, "s3:GetObject")
    assert store.send("GET", "/data/a%2Fb").body == b"1"
    assert store.send("GET", "/data%2Fa%2Fb").status == 400


def test_a_key_of_1025_bytes_is_too_long(s3: Any, code: Callable[..., Any]) -> None:
    assert code(s3.put_object, Bucket="data", Key="x" * 1025, Body=b"") == (400, "KeyTooLongError")
    assert code(s3.put_object, Bucket="data", Key="é" * 513, Body=b"") == (400, "KeyTooLongError")


@pytest.mark.parametrize("target", ["/data/%ff", "/data/%zz", "/data/a%2"])
def test_a_path_that_is_not_utf8_or_badly_escaped_is_refused(store: Store, target: str) -> None:
    answer = store.send("GET", target)
    assert answer.status == 400
    assert b"<Code>InvalidURI</Code>" in answer.body


def test_put_answers_with_etag_and_checksum(s3: Any) -> None:
    answer = s3.put_object(Bucket="data", Key="k", Body=b"hello")
    assert answer["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    assert (answer["ChecksumCRC32"], answer["ChecksumType"]) == (crc, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_kept_and_shown_when_asked_for(s3: Any, algorithm: str) -> None:
    put = s3.put_object(Bucket="data", Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    field = f"Checksum{algorithm}"
    head = s3.head_object(Bucket="data", Key="k", ChecksumMode="ENABLED")
    assert head[field] == put[field]
    assert field not in s3.head_object(Bucket="data", Key="k")
    got = s3.get_object(Bucket="data", Key="k", ChecksumMode="ENABLED")
    assert got[field] == put[field]
    assert got["Body"].read() == b"hello"


def test_a_range_is_not_sent_with_the_checksum_of_the_whole(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"hello")
    got = s3.get_object(Bucket="data", Key="k", Range="bytes=0-1", ChecksumMode="ENABLED")
    assert "ChecksumCRC32" not in got


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-MD5": base64.b64encode(b"\0" * 16).decode()}, "BadDigest"),
        ({"Content-MD5": "short"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"x-amz-checksum-crc32": "!"}, "InvalidRequest"),
        ({"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}, None),
    ],
)
def test_a_body_that_is_not_what_was_declared_leaves_no_object(
    store: Store, s3: Any, headers: dict[str, str], expected: str | None
) -> None:
    allow(s3, "s3:*")
    answer = store.send("PUT", "/data/k", headers, b"hello")
    code = expected or "XAmzContentSHA256Mismatch"
    assert f"<Code>{code}</Code>".encode() in answer.body
    assert store.engine.usage(store.engine.bucket("data")) == (0, 0)


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_pumped_body_arrives_whole(store: Store, s3: Any, size: int) -> None:
    allow(s3, "s3:PutObject")
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    pieces = [data[at : at + 65_000] for at in range(0, size, 65_000)]
    answer = store.send("PUT", "/data/k", {"Content-Length": size}, pieces=pieces)
    assert answer.status == 200
    assert answer.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket="data", Key="k")
    assert got["Body"].read() == data
    assert s3.head_object(Bucket="data", Key="k")["ContentLength"] == size


@pytest.mark.parametrize(
    ("error", "expected"),
    [(BodyTruncated(), "IncompleteBody"), (BodyTimeout(), "RequestTimeout")],
)
@pytest.mark.parametrize("size", [100_000, 2 << 20])
def test_a_body_cut_short_leaves_no_object(
    store: Store, s3: Any, error: Exception, expected: str, size: int
) -> None:
    allow(s3, "s3:PutObject")
    headers = {"Content-Length": size}
    answer = store.send("PUT", "/data/k", headers, pieces=[b"x" * 90_000], error=error)
    assert answer.status == 400
    assert f"<Code>{expected}</Code>".encode() in answer.body
    assert store.engine.usage(store.engine.bucket("data")) == (0, 0)


def test_more_than_the_limit_is_refused_before_it_is_read(
    store: Store, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(s3, "s3:PutObject")
    monkeypatch.setattr(put_object, "OBJECT_BYTES_MAX", 1000)
    at_limit = store.send("PUT", "/data/k", {"Content-Length": 1000}, pieces=[b"x" * 1000])
    assert at_limit.status == 200
    over = store.send("PUT", "/data/k2", {"Content-Length": 1001}, pieces=[])
    assert over.status == 400
    assert b"<Code>EntityTooLarge</Code>" in over.body
    assert b"<MaxSizeAllowed>1000</MaxSizeAllowed>" in over.body


def test_user_metadata_and_content_fields_come_back(s3: Any) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    fields = {
        "ContentType": "application/x-netcdf",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="x.nc"',
        "ContentLanguage": "fr",
        "ContentEncoding": "gzip",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    s3.put_object(
        Bucket="data",
        Key="k",
        Body=b"x",
        Metadata={"Model": "CanESM5", "empty": ""},
        Expires=expires,
        **fields,
    )
    for answer in (s3.get_object(Bucket="data", Key="k"), s3.head_object(Bucket="data", Key="k")):
        assert {name: answer[name] for name in fields} == fields
        assert answer["Metadata"] == {"model": "CanESM5", "empty": ""}
        assert answer["Expires"] == expires


def test_the_default_type_is_that_of_aws(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    assert s3.head_object(Bucket="data", Key="k")["ContentType"] == "binary/octet-stream"


def test_aws_chunked_is_not_kept_as_an_encoding_of_the_object(store: Store, s3: Any) -> None:
    allow(s3, "s3:PutObject")
    store.send("PUT", "/data/a", {"Content-Encoding": "aws-chunked"}, b"x")
    store.send("PUT", "/data/b", {"Content-Encoding": "gzip,aws-chunked"}, b"x")
    store.send("PUT", "/data/c", {"Content-Encoding": "gzip, br"}, b"x")
    assert "ContentEncoding" not in s3.head_object(Bucket="data", Key="a")
    assert s3.head_object(Bucket="data", Key="b")["ContentEncoding"] == "gzip"
    assert s3.head_object(Bucket="data", Key="c")["ContentEncoding"] == "gzip, br"


def test_metadata_that_is_not_ascii_comes_back_byte_for_byte(store: Store, s3: Any) -> None:
    allow(s3, "s3:*")
    word = "=?UTF-8?B?w6k=?="
    headers = {"x-amz-meta-raw": "é".encode(), "x-amz-meta-word": word}
    assert store.send("PUT", "/data/k", headers, b"x").status == 200
    got = store.send("HEAD", "/data/k").headers
    assert got["x-amz-meta-raw"].encode("latin-1") == "é".encode()
    assert got["x-amz-meta-word"] == word


def test_user_metadata_may_have_2_kib(s3: Any, code: Callable[..., Any]) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Metadata={"a": "x" * 2047})
    too_much = {"a": "x" * 1000, "b": "x" * 1047}
    assert code(s3.put_object, Bucket="data", Key="k", Body=b"", Metadata=too_much) == (
        400,
        "MetadataTooLarge",
    )


def test_storage_classes_of_aws_are_kept_and_others_refused(
    s3: Any, code: Callable[..., Any]
) -> None:
    s3.put_object(Bucket="data", Key="a", Body=b"", StorageClass="STANDARD")
    s3.put_object(Bucket="data", Key="b", Body=b"", StorageClass="STANDARD_IA")
    assert "StorageClass" not in s3.head_object(Bucket="data", Key="a")
    assert s3.head_object(Bucket="data", Key="b")["StorageClass"] == "STANDARD_IA"
    refused = code(s3.put_object, Bucket="data", Key="c", Body=b"", StorageClass="COLD")
    assert refused == (400, "InvalidStorageClass")


def test_tags_given_with_the_object_are_counted_and_returned(
    s3: Any, code: Callable[..., Any]
) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"", Tagging="project=cmip6&run=r1%20i1")
    assert s3.head_object(Bucket="data", Key="k")["TagCount"] == 2
    tags = s3.get_object_tagging(Bucket="data", Key="k")["TagSet"]
    assert tags == [{"Key": "project", "Value": "cmip6"}, {"Key": "run", "Value": "r1 i1"}]
    eleven = "&".join(f"k{n}=v" for n in range(11))
    for bad, expected in ((eleven, "BadRequest"), ("a=1&a=2", "InvalidTag"), ("=v", "InvalidTag")):
        assert code(s3.put_object, Bucket="data", Key="x", Body=b"", Tagging=bad) == (400, expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"ServerSideEncryption": "AES256"}, (501, "NotImplemented")),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}, (501, "NotImplemented")),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, (501, "NotImplemented")),
        ({"WriteOffsetBytes": 1}, (501, "NotImplemented")),
        ({"ObjectLockLegalHoldStatus": "ON"}, (400, "InvalidRequest")),
        ({"GrantRead": "id=1"}, (400, "InvalidArgument")),
        ({"WebsiteRedirectLocation": "nowhere"}, (400, "InvalidRedirectLocation")),
    ],
)
def test_what_would_not_be_done_is_refused_and_not_dropped(
    s3: Any, code: Callable[..., Any], arguments: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert code(s3.put_object, Bucket="data", Key="k", Body=b"x", **arguments) == expected
    assert "Contents" not in s3.list_objects_v2(Bucket="data")


def test_an_overwrite_replaces_bytes_and_metadata(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"one", Metadata={"a": "1"})
    s3.put_object(Bucket="data", Key="k", Body=b"other")
    got = s3.get_object(Bucket="data", Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"other", {})


def test_an_absent_key_or_bucket_is_404(s3: Any, code: Callable[..., Any]) -> None:
    assert code(s3.get_object, Bucket="data", Key="nope") == (404, "NoSuchKey")
    assert code(s3.head_object, Bucket="data", Key="nope") == (404, "404")
    assert code(s3.get_object, Bucket="nothere", Key="k") == (404, "NoSuchBucket")
    assert code(s3.put_object, Bucket="nothere", Key="k", Body=b"") == (404, "NoSuchBucket")


def test_head_says_what_get_says(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"hello", Metadata={"a": "b"})
    head = s3.head_object(Bucket="data", Key="k")["ResponseMetadata"]["HTTPHeaders"]
    get = s3.get_object(Bucket="data", Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert head.pop("content-length") == "5"
    get = {name: value for name, value in get.items() if "checksum" not in name}
    assert head == get


def test_response_fields_can_be_overridden_by_signed_requests_only(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x", ContentType="text/plain")
    got = s3.get_object(
        Bucket="data",
        Key="k",
        ResponseContentType="application/json",
        ResponseContentDisposition="attachment",
        ResponseCacheControl="no-cache",
        ResponseContentLanguage="en",
        ResponseContentEncoding="x",
    )
    assert got["ContentType"] == "application/json"
    assert got["ContentDisposition"] == "attachment"
    assert (got["CacheControl"], got["ContentLanguage"]) == ("no-cache", "en")
    allow(s3, "s3:GetObject")
    answer = store.send("GET", "/data/k?response-content-type=text/html")
    assert (answer.status, b"<Code>InvalidRequest</Code>" in answer.body) == (400, True)


def test_a_presigned_url_needs_no_headers(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="a b", Body=b"x")
    arguments = {"Bucket": "data", "Key": "a b"}
    url = s3.generate_presigned_url("get_object", Params=arguments)
    target = url.removeprefix("http://s3.test:9000")
    assert store.send("GET", target).body == b"x"
    assert store.send("GET", target + "0").status == 403


def test_version_null_is_the_only_version(s3: Any, code: Callable[..., Any]) -> None:
    other = {"Bucket": "data", "Key": "k", "VersionId": "L4kqtJlcpXroDTDmpUMLUo"}
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    got = s3.get_object(Bucket="data", Key="k", VersionId="null")
    assert (got["VersionId"], got["Body"].read()) == ("null", b"x")
    assert code(s3.get_object, **other) == (404, "NoSuchVersion")
    s3.delete_object(**other)
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    for call in (s3.get_object, s3.delete_object):
        refused = code(call, **{**other, "VersionId": "not an id"})
        assert refused == (400, "InvalidArgument")


def test_virtual_host_requests_reach_the_same_objects(store: Store, s3: Any) -> None:
    virtual = store.client(addressing_style="virtual")
    virtual.put_object(Bucket="data", Key="/odd//key", Body=b"x")
    assert s3.get_object(Bucket="data", Key="/odd//key")["Body"].read() == b"x"
    assert [o["Key"] for o in virtual.list_objects_v2(Bucket="data")["Contents"]] == ["/odd//key"]


def test_expected_bucket_owner_is_checked(s3: Any, code: Callable[..., Any]) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x", ExpectedBucketOwner="000000000000")
    refused = code(s3.get_object, Bucket="data", Key="k", ExpectedBucketOwner="123456789012")
    assert refused == (403, "AccessDenied")


@pytest.mark.parametrize("size", [0, 3, 100_000, 2 << 20])
def test_a_chunked_transfer_needs_no_length(
    store: Store, s3: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    allow(s3, "s3:PutObject")
    monkeypatch.setattr(put_object, "OBJECT_BYTES_MAX", 2 << 20)
    pieces = [b"x" * 50_000] * (size // 50_000) + [b"x" * (size % 50_000)]
    headers = {"Transfer-Encoding": "chunked"}
    assert store.send("PUT", "/data/k", headers, pieces=pieces, unsized=True).status == 200
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"x" * size
    pieces.append(b"x" * ((2 << 20) - size + 1))
    over = store.send("PUT", "/data/k2", headers, pieces=pieces, unsized=True)
    assert (over.status, b"<Code>EntityTooLarge</Code>" in over.body) == (400, True)
    assert store.engine.usage(store.engine.bucket("data")) == (1, size)


def test_frames_need_the_length_of_what_is_in_them(store: Store, s3: Any) -> None:
    allow(s3, "s3:PutObject")
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    answer = store.send("PUT", "/data/k", headers, b"0\r\n\r\n")
    assert (answer.status, b"MissingContentLength" in answer.body) == (411, True)
