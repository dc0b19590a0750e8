"""CopyObject and UploadPartCopy."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

from neve.s3.errors import S3Error
from neve.s3.names import parse_copy_source
from neve.s3.operations import copy_object

SOURCE = {"Bucket": "data", "Key": "source"}


@pytest.fixture
def source(s3: Any) -> Any:
    s3.put_object(
        Body=b"bytes",
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"a": "b"},
        Tagging="t=1",
        WebsiteRedirectLocation="/x",
        **SOURCE,
    )
    return s3


def copy(s3: Any, key: str = "copy", **arguments: Any) -> Any:
    return s3.copy_object(Bucket="data", Key=key, CopySource=SOURCE, **arguments)


def test_a_copy_has_bytes_metadata_and_tags_of_its_source(source: Any) -> None:
    done = copy(source)["CopyObjectResult"]
    got = source.get_object(Bucket="data", Key="copy")
    assert got["Body"].read() == b"bytes"
    assert done["ETag"] == got["ETag"] == f'"{hashlib.md5(b"bytes").hexdigest()}"'
    assert done["LastModified"] == got["LastModified"]
    assert done["ChecksumCRC32"] == got["ChecksumCRC32"]
    assert (got["ContentType"], got["CacheControl"]) == ("text/plain", "no-cache")
    assert (got["Metadata"], got["TagCount"]) == ({"a": "b"}, 1)
    # AWS: the redirect is not copied.
    assert "WebsiteRedirectLocation" not in got


def test_a_copy_outlives_its_source(source: Any) -> None:
    copy(source)
    source.delete_object(**SOURCE)
    assert source.get_object(Bucket="data", Key="copy")["Body"].read() == b"bytes"


@pytest.mark.parametrize("size", [0, 100, (1 << 20) + 1])
def test_copies_of_every_size(s3: Any, size: int) -> None:
    s3.put_object(Body=b"x" * size, **SOURCE)
    copy(s3)
    assert s3.get_object(Bucket="data", Key="copy")["Body"].read() == b"x" * size


def test_replace_takes_metadata_from_the_request(source: Any) -> None:
    copy(source, MetadataDirective="REPLACE", Metadata={"c": "d"}, ContentType="image/png")
    head = source.head_object(Bucket="data", Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"c": "d"}, "image/png")
    assert "CacheControl" not in head
    assert head["TagCount"] == 1
    copy(source, TaggingDirective="REPLACE", Tagging="x=1&y=2")
    head = source.head_object(Bucket="data", Key="copy")
    assert (head["Metadata"], head["TagCount"]) == ({"a": "b"}, 2)


def test_copy_ignores_metadata_of_the_request_unless_told(source: Any) -> None:
    copy(source, Metadata={"c": "d"}, ContentType="image/png", Tagging="x=1&y=2")
    head = source.head_object(Bucket="data", Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/plain")
    assert head["TagCount"] == 1


def test_a_copy_onto_itself_must_change_something(source: Any, code: Callable[..., Any]) -> None:
    arguments = {"Bucket": "data", "Key": "source", "CopySource": SOURCE}
    assert code(source.copy_object, **arguments) == (400, "InvalidRequest")
    copy(source, "source", StorageClass="STANDARD_IA")
    assert source.head_object(**SOURCE)["StorageClass"] == "STANDARD_IA"
    copy(source, "source", MetadataDirective="REPLACE", Metadata={"new": "1"})
    got = source.get_object(**SOURCE)
    assert (got["Metadata"], got["Body"].read()) == ({"new": "1"}, b"bytes")


@pytest.mark.parametrize("size", [10, 2 << 20])
def test_a_copy_onto_itself_keeps_the_bytes(s3: Any, size: int) -> None:
    s3.put_object(Body=b"y" * size, **SOURCE)
    for n in range(3):
        copy(s3, "source", MetadataDirective="REPLACE", Metadata={"n": str(n)})
    assert s3.get_object(**SOURCE)["Body"].read() == b"y" * size


@pytest.mark.parametrize("name", ["MetadataDirective", "TaggingDirective"])
def test_an_unknown_directive_is_refused(source: Any, code: Callable[..., Any], name: str) -> None:
    arguments = {"Bucket": "data", "Key": "copy", "CopySource": SOURCE, name: "MERGE"}
    assert code(source.copy_object, **arguments) == (400, "InvalidArgument")


def test_conditions_on_the_source(source: Any, code: Callable[..., Any]) -> None:
    etag = source.head_object(**SOURCE)["ETag"]
    copy(source, CopySourceIfMatch=etag)
    copy(source, CopySourceIfNoneMatch='"other"')
    arguments = {"Bucket": "data", "Key": "copy", "CopySource": SOURCE}
    for wrong in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        refused = code(source.copy_object, **arguments, **wrong)
        assert refused == (412, "PreconditionFailed")


def test_conditions_on_the_destination(source: Any, code: Callable[..., Any]) -> None:
    copy(source, IfNoneMatch="*")
    arguments = {"Bucket": "data", "Key": "copy", "CopySource": SOURCE}
    for wrong in ({"IfNoneMatch": "*"}, {"IfMatch": '"x"'}):
        refused = code(source.copy_object, **arguments, **wrong)
        assert refused == (412, "PreconditionFailed")


def test_a_source_that_is_not_there(s3: Any, code: Callable[..., Any]) -> None:
    arguments = {"Bucket": "data", "Key": "copy"}
    assert code(s3.copy_object, CopySource="data/nope", **arguments) == (404, "NoSuchKey")
    assert code(s3.copy_object, CopySource="nope/key", **arguments) == (404, "NoSuchBucket")
    for wrong in ("data", "data/", "/", "data/k?versionId=oth%20er"):
        refused = code(s3.copy_object, CopySource=wrong, **arguments)
        assert refused == (400, "InvalidArgument")
    refused = code(s3.copy_object, CopySource="data/nope?versionId=other", **arguments)
    assert refused == (404, "NoSuchVersion")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"b-1/k", ("b-1", "k", None)),
        (b"/b-1/k", ("b-1", "k", None)),
        (b"b-1//k", ("b-1", "/k", None)),
        (b"/b-1/a/b//c", ("b-1", "a/b//c", None)),
        (b"b-1/a%20b%2Fc+d%3F", ("b-1", "a b/c+d?", None)),
        (b"b-1%2Fk", ("b-1", "k", None)),
        (b"%2Fb-1%2Fa%2Fb", ("b-1", "a/b", None)),
        (b"b-1/\xc3\xa9", ("b-1", "é", None)),
        (b"b-1/%C3%A9?versionId=null", ("b-1", "é", "")),
        (b"b-1/a?b", ("b-1", "a?b", None)),
    ],
)
def test_sources_in_all_their_spellings(value: bytes, expected: tuple[str, str, Any]) -> None:
    assert parse_copy_source(value) == expected


def test_a_source_that_names_no_key_is_refused() -> None:
    for value in (b"", b"/", b"b-1", b"b-1/", b"//k"):
        with pytest.raises(S3Error, match="InvalidArgument"):
            parse_copy_source(value)


def test_more_than_5_gib_must_be_copied_in_parts(
    source: Any, code: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_object, "SOURCE_BYTES_MAX", 4)
    arguments = {"Bucket": "data", "Key": "copy", "CopySource": SOURCE}
    assert code(source.copy_object, **arguments) == (400, "InvalidRequest")


@pytest.mark.parametrize("size", [5, (1 << 20) + 5])
def test_another_checksum_can_be_asked_for(s3: Any, size: int) -> None:
    s3.put_object(Body=b"z" * size, **SOURCE)
    done = copy(s3, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    digest = base64.b64encode(hashlib.sha256(b"z" * size).digest()).decode()
    assert done["ChecksumSHA256"] == digest
    head = s3.head_object(Bucket="data", Key="copy", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (digest, "FULL_OBJECT")


def test_a_copy_needs_the_right_to_read_its_source(
    store: Store, source: Any, code: Callable[..., Any]
) -> None:
    source.create_bucket(Bucket="open")
    allow(source, "s3:PutObject", "s3:PutObjectTagging", bucket="open")
    headers = {"x-amz-copy-source": "data/source"}
    assert store.send("PUT", "/open/copy", headers).status == 403
    headers = {"x-amz-copy-source": "data/absent"}
    assert store.send("PUT", "/open/copy", headers).status == 403
    allow(source, "s3:GetObject", "s3:GetObjectTagging")
    assert store.send("PUT", "/open/copy", {"x-amz-copy-source": "data/source"}).status == 200
    # Who may read but not list is not told what is absent.
    assert store.send("PUT", "/open/copy", headers).status == 403
    allow(source, "s3:GetObject", "s3:ListBucket")
    assert store.send("PUT", "/open/copy", headers).status == 404


def test_ranges_of_objects_become_parts(small_parts: Store) -> None:
    s3 = small_parts.client()
    s3.create_bucket(Bucket="data")
    data = bytes(range(256)) * 8192
    s3.put_object(Body=data, **SOURCE)
    s3.put_object(Bucket="data", Key="small", Body=b"0123456789")
    where = {"Bucket": "data", "Key": "k"}
    upload = s3.create_multipart_upload(ChecksumAlgorithm="CRC32", **where)["UploadId"]
    parts = []
    for number, (key, asked) in enumerate(
        [("source", "bytes=0-1048576"), ("small", "bytes=3-5"), ("source", None)], start=1
    ):
        arguments = {"CopySourceRange": asked} if asked else {}
        done = s3.upload_part_copy(
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": "data", "Key": key},
            **where,
            **arguments,
        )["CopyPartResult"]
        part = {"PartNumber": number, "ETag": done["ETag"], "ChecksumCRC32": done["ChecksumCRC32"]}
        parts.append(part)
    whole = data[:1048577] + b"345" + data
    assert parts[1]["ETag"] == f'"{hashlib.md5(b"345").hexdigest()}"'
    done = s3.complete_multipart_upload(UploadId=upload, MultipartUpload={"Parts": parts}, **where)
    assert done["ChecksumCRC32"].endswith("-3")
    assert s3.get_object(**where)["Body"].read() == whole
    s3.delete_object(**SOURCE)
    s3.delete_object(Bucket="data", Key="small")
    assert s3.get_object(**where)["Body"].read() == whole


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-5", (416, "InvalidRange")),
        ("bytes=5-9", (416, "InvalidRange")),
        ("bytes=3-1", (400, "InvalidArgument")),
        ("bytes=0-", (400, "InvalidArgument")),
        ("bytes=-3", (400, "InvalidArgument")),
        ("0-2", (400, "InvalidArgument")),
        ("bytes=0-1,3-4", (400, "InvalidArgument")),
    ],
)
def test_a_range_of_a_source_must_be_whole(
    source: Any, code: Callable[..., Any], asked: str, expected: tuple[int, str]
) -> None:
    where = {"Bucket": "data", "Key": "k"}
    upload = source.create_multipart_upload(**where)["UploadId"]
    arguments = {"UploadId": upload, "PartNumber": 1, "CopySource": SOURCE, **where}
    assert code(source.upload_part_copy, CopySourceRange=asked, **arguments) == expected


def test_a_part_is_copied_on_conditions_too(source: Any, code: Callable[..., Any]) -> None:
    where = {"Bucket": "data", "Key": "k"}
    upload = source.create_multipart_upload(**where)["UploadId"]
    arguments = {"UploadId": upload, "PartNumber": 1, "CopySource": SOURCE, **where}
    refused = code(source.upload_part_copy, CopySourceIfMatch='"x"', **arguments)
    assert refused == (412, "PreconditionFailed")
    arguments["UploadId"] = "none"
    assert code(source.upload_part_copy, **arguments) == (404, "NoSuchUpload")
