"""GetObjectAttributes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
WHERE = {"Bucket": "data", "Key": "k"}


def test_of_an_object_in_one_piece(s3: Any) -> None:
    put = s3.put_object(Body=b"hello", ChecksumAlgorithm="SHA256", **WHERE)
    got = s3.get_object_attributes(ObjectAttributes=ALL, **WHERE)
    assert got["ETag"] == put["ETag"].strip('"')
    assert got["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert (got["StorageClass"], got["ObjectSize"]) == ("STANDARD", 5)
    assert "ObjectParts" not in got
    assert got["LastModified"] == s3.head_object(**WHERE)["LastModified"]


def test_only_what_is_asked_for(s3: Any) -> None:
    s3.put_object(Body=b"hello", StorageClass="STANDARD_IA", **WHERE)
    got = s3.get_object_attributes(ObjectAttributes=["StorageClass"], **WHERE)
    del got["ResponseMetadata"], got["LastModified"]
    assert got == {"StorageClass": "STANDARD_IA"}


@pytest.mark.parametrize(
    ("limit", "marker", "numbers", "truncated"),
    [
        (1000, 0, [1, 2, 5, 9], False),
        (2, 0, [1, 2], True),
        (2, 2, [5, 9], False),
        (1, 9, [], False),
    ],
)
def test_parts_in_pages(
    small_parts: Store, limit: int, marker: int, numbers: list[int], truncated: bool
) -> None:
    s3 = small_parts.client()
    s3.create_bucket(Bucket="data")
    upload = s3.create_multipart_upload(ChecksumAlgorithm="CRC32", **WHERE)["UploadId"]
    parts = []
    for number in (1, 2, 5, 9):
        part = s3.upload_part(UploadId=upload, PartNumber=number, Body=b"x" * number, **WHERE)
        kept = {name: part[name] for name in ("ETag", "ChecksumCRC32")}
        parts.append({"PartNumber": number, **kept})
    s3.complete_multipart_upload(UploadId=upload, MultipartUpload={"Parts": parts}, **WHERE)
    got = s3.get_object_attributes(
        ObjectAttributes=ALL, MaxParts=limit, PartNumberMarker=marker, **WHERE
    )
    found = got["ObjectParts"]
    assert found["TotalPartsCount"] == 4
    assert (found["MaxParts"], found["PartNumberMarker"]) == (limit, marker)
    assert found["IsTruncated"] is truncated
    assert found["NextPartNumberMarker"] == (numbers[-1] if numbers else marker)
    assert [(p["PartNumber"], p["Size"]) for p in found.get("Parts", [])] == [
        (number, number) for number in numbers
    ]
    sums = {part["PartNumber"]: part["ChecksumCRC32"] for part in parts}
    assert all(p["ChecksumCRC32"] == sums[p["PartNumber"]] for p in found.get("Parts", []))
    assert got["Checksum"]["ChecksumType"] == "COMPOSITE"


def test_errors(store: Store, s3: Any, code: Callable[..., Any]) -> None:
    s3.put_object(Body=b"", **WHERE)
    arguments = {"ObjectAttributes": ["Colour"], **WHERE}
    assert code(s3.get_object_attributes, **arguments) == (400, "InvalidArgument")
    arguments = {"ObjectAttributes": ["ETag"], "Bucket": "data", "Key": "nope"}
    assert code(s3.get_object_attributes, **arguments) == (404, "NoSuchKey")
    allow(s3, "s3:GetObjectAttributes", "s3:GetObject")
    answer = store.send("GET", "/data/k?attributes")
    assert (answer.status, b"InvalidRequest" in answer.body) == (400, True)
    headers = {"x-amz-object-attributes": "ETag"}
    assert store.send("GET", "/data/k?attributes", headers).status == 200
    allow(s3, "s3:GetObjectAttributes")
    assert store.send("GET", "/data/k?attributes", headers).status == 403
