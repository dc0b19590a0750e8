"""Uploads in parts: create, upload, list, complete, abort."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

from neve.s3.operations import upload_part

WHERE = {"Bucket": "data", "Key": "k"}
MIB5 = 5 << 20


@pytest.fixture
def tiny(small_parts: Store) -> Any:
    """A client of a store that takes parts of any size."""
    client = small_parts.client()
    client.create_bucket(Bucket="data")
    return client


def begin(s3: Any, **arguments: Any) -> str:
    upload: str = s3.create_multipart_upload(**WHERE, **arguments)["UploadId"]
    return upload


def put(s3: Any, upload: str, number: int, body: bytes, **arguments: Any) -> dict[str, Any]:
    """Upload a part, and return what its completion says of it."""
    answer = s3.upload_part(UploadId=upload, PartNumber=number, Body=body, **WHERE, **arguments)
    kept = {name: value for name, value in answer.items() if name.startswith("Checksum")}
    return {"PartNumber": number, "ETag": answer["ETag"], **kept}


def complete(s3: Any, upload: str, parts: list[dict[str, Any]], **arguments: Any) -> Any:
    return s3.complete_multipart_upload(
        UploadId=upload, MultipartUpload={"Parts": parts}, **WHERE, **arguments
    )


def test_parts_become_an_object(s3: Any) -> None:
    upload = begin(s3, ContentType="application/zip", Metadata={"a": "b"})
    bodies = [b"a" * MIB5, b"b" * MIB5, b"end"]
    parts = [put(s3, upload, number + 1, body) for number, body in enumerate(bodies)]
    assert "Contents" not in s3.list_objects_v2(Bucket="data")
    done = complete(s3, upload, parts)
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert (done["Bucket"], done["Key"]) == ("data", "k")
    assert done["Location"] == "http://s3.test:9000/data/k"
    got = s3.get_object(**WHERE)
    assert got["Body"].read() == b"".join(bodies)
    assert (got["ContentType"], got["Metadata"]) == ("application/zip", {"a": "b"})
    assert s3.list_objects_v2(Bucket="data")["Contents"][0]["Size"] == 2 * MIB5 + 3
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="data")


def test_a_part_but_the_last_under_5_mib_is_too_small(s3: Any) -> None:
    upload = begin(s3)
    parts = [put(s3, upload, 1, b"x" * (MIB5 - 1)), put(s3, upload, 2, b"y")]
    with pytest.raises(s3.exceptions.ClientError) as caught:
        complete(s3, upload, parts)
    error = caught.value.response["Error"]
    assert (error["Code"], error["MinSizeAllowed"]) == ("EntityTooSmall", str(MIB5))
    assert (error["PartNumber"], error["ProposedSize"]) == ("1", str(MIB5 - 1))
    complete(s3, upload, parts[:1])


def test_a_part_uploaded_again_replaces_the_first(tiny: Any) -> None:
    upload = begin(tiny)
    first = put(tiny, upload, 1, b"first")
    second = put(tiny, upload, 1, b"second")
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidPart"):
        complete(tiny, upload, [first])
    complete(tiny, upload, [second])
    assert tiny.get_object(**WHERE)["Body"].read() == b"second"


def test_only_the_parts_that_are_named_are_used(tiny: Any) -> None:
    upload = begin(tiny)
    parts = [put(tiny, upload, number, b"%d" % number) for number in (1, 5, 9999, 10000)]
    complete(tiny, upload, [parts[1], parts[3]])
    assert tiny.get_object(**WHERE)["Body"].read() == b"510000"


@pytest.mark.parametrize(
    ("order", "expected"),
    [([1, 0], "InvalidPartOrder"), ([0, 0], "InvalidPartOrder"), ([], "MalformedXML")],
)
def test_a_list_of_parts_that_makes_no_object(tiny: Any, order: list[int], expected: str) -> None:
    upload = begin(tiny)
    parts = [put(tiny, upload, 1, b"a"), put(tiny, upload, 2, b"b")]
    with pytest.raises(tiny.exceptions.ClientError, match=expected):
        complete(tiny, upload, [parts[index] for index in order])


def test_a_part_that_was_never_uploaded_is_invalid(tiny: Any) -> None:
    upload = begin(tiny)
    part = put(tiny, upload, 1, b"a")
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidPart"):
        complete(tiny, upload, [part, {"PartNumber": 2, "ETag": part["ETag"]}])
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidPart"):
        complete(tiny, upload, [{"PartNumber": 1, "ETag": '"0123"'}])


def test_a_completion_asked_for_again_answers_the_same(tiny: Any) -> None:
    upload = begin(tiny)
    parts = [put(tiny, upload, 1, b"a"), put(tiny, upload, 2, b"b")]
    first = complete(tiny, upload, parts)
    again = complete(tiny, upload, parts)
    assert (again["ETag"], again["ChecksumCRC32"]) == (first["ETag"], first["ChecksumCRC32"])
    tiny.put_object(Body=b"something else", **WHERE)
    with pytest.raises(tiny.exceptions.ClientError, match="NoSuchUpload"):
        complete(tiny, upload, parts)


def test_a_part_number_is_1_to_10000(s3: Any, code: Callable[..., Any]) -> None:
    upload = begin(s3)
    for number in (0, -1, 10_001):
        arguments = {"UploadId": upload, "PartNumber": number, "Body": b"", **WHERE}
        assert code(s3.upload_part, **arguments) == (400, "InvalidArgument")


def test_more_than_the_limit_is_refused(
    s3: Any, code: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_part, "PART_BYTES_MAX", 10)
    upload = begin(s3)
    put(s3, upload, 1, b"x" * 10)
    arguments = {"UploadId": upload, "PartNumber": 1, "Body": b"x" * 11, **WHERE}
    assert code(s3.upload_part, **arguments) == (400, "EntityTooLarge")


def test_an_upload_that_is_not_there(s3: Any, code: Callable[..., Any]) -> None:
    upload = begin(s3)
    s3.abort_multipart_upload(UploadId=upload, **WHERE)
    there = {"UploadId": upload, **WHERE}
    part = [{"PartNumber": 1, "ETag": '"x"'}]
    for call, arguments in (
        (s3.abort_multipart_upload, {}),
        (s3.list_parts, {}),
        (s3.upload_part, {"PartNumber": 1, "Body": b""}),
        (s3.complete_multipart_upload, {"MultipartUpload": {"Parts": part}}),
    ):
        assert code(call, **there, **arguments) == (404, "NoSuchUpload")
    other = begin(s3)
    elsewhere = {"Bucket": "data", "Key": "another", "UploadId": other}
    assert code(s3.list_parts, **elsewhere) == (404, "NoSuchUpload")


def test_completion_keeps_conditions(tiny: Any) -> None:
    def finish(**conditions: Any) -> Any:
        upload = begin(tiny)
        return complete(tiny, upload, [put(tiny, upload, 1, b"x")], **conditions)

    with pytest.raises(tiny.exceptions.ClientError, match="NoSuchKey"):
        finish(IfMatch='"x"')
    etag = finish(IfNoneMatch="*")["ETag"]
    for wrong in ({"IfNoneMatch": "*"}, {"IfMatch": '"x"'}):
        with pytest.raises(tiny.exceptions.ClientError, match="PreconditionFailed"):
            finish(**wrong)
    finish(IfMatch=etag)


@pytest.mark.parametrize(("size", "good"), [("3", True), ("4", False), ("x", False)])
def test_the_size_of_the_object_is_compared(tiny: Any, size: str, good: bool) -> None:
    def add(params: Any, **_: Any) -> None:
        params["headers"]["x-amz-mp-object-size"] = size

    tiny.meta.events.register("before-call.s3.CompleteMultipartUpload", add)
    upload = begin(tiny)
    parts = [put(tiny, upload, 1, b"ab"), put(tiny, upload, 2, b"c")]
    if good:
        complete(tiny, upload, parts)
        return
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidRequest"):
        complete(tiny, upload, parts)


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def test_a_composite_checksum_is_that_of_the_checksums(tiny: Any) -> None:
    upload = begin(tiny, ChecksumAlgorithm="CRC32")
    parts = [put(tiny, upload, n, body) for n, body in ((1, b"one"), (2, b"two"))]
    assert parts[0]["ChecksumCRC32"] == crc32(b"one")
    done = complete(tiny, upload, parts)
    sums = zlib.crc32(b"one").to_bytes(4, "big") + zlib.crc32(b"two").to_bytes(4, "big")
    assert done["ChecksumCRC32"] == crc32(sums) + "-2"
    assert done["ChecksumType"] == "COMPOSITE"
    head = tiny.head_object(ChecksumMode="ENABLED", **WHERE)
    assert head["ChecksumCRC32"] == done["ChecksumCRC32"]
    assert tiny.get_object(**WHERE)["Body"].read() == b"onetwo"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_full_object_checksum_is_that_of_all_bytes(tiny: Any, algorithm: str) -> None:
    field = f"Checksum{algorithm}"
    whole = tiny.put_object(
        Bucket="data", Key="whole", Body=b"onetwothree", ChecksumAlgorithm=algorithm
    )[field]
    upload = begin(tiny, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    parts = [
        put(tiny, upload, n, body, ChecksumAlgorithm=algorithm)
        for n, body in ((1, b"one"), (2, b"two"), (3, b"three"))
    ]
    for wrong in ({field: "AAAAAA==" if algorithm != "CRC64NVME" else "AAAAAAAAAAA="},):
        with pytest.raises(tiny.exceptions.ClientError, match="BadDigest"):
            complete(tiny, upload, parts, **wrong)
    done = complete(tiny, upload, parts, **{field: whole, "ChecksumType": "FULL_OBJECT"})
    assert (done[field], done["ChecksumType"]) == (whole, "FULL_OBJECT")
    # botocore compares the checksum with the bytes it reads.
    assert tiny.get_object(ChecksumMode="ENABLED", **WHERE)["Body"].read() == b"onetwothree"
    part = tiny.get_object(ChecksumMode="ENABLED", PartNumber=2, **WHERE)
    assert (part["Body"].read(), part[field]) == (b"two", parts[1][field])
    assert part["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_sha_checksums_are_composite_only(
    tiny: Any, algorithm: str, code: Callable[..., Any]
) -> None:
    arguments = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT", **WHERE}
    assert code(tiny.create_multipart_upload, **arguments) == (400, "InvalidRequest")
    upload = begin(tiny, ChecksumAlgorithm=algorithm)
    part = put(tiny, upload, 1, b"one", ChecksumAlgorithm=algorithm)
    done = complete(tiny, upload, [part])
    inner = hashlib.new(algorithm, hashlib.new(algorithm, b"one").digest()).digest()
    assert done[f"Checksum{algorithm}"] == base64.b64encode(inner).decode() + "-1"


def test_a_checksum_of_another_kind_than_the_uploads_is_refused(
    tiny: Any, code: Callable[..., Any]
) -> None:
    upload = begin(tiny, ChecksumAlgorithm="SHA256")
    arguments = {"UploadId": upload, "PartNumber": 1, "Body": b"x", **WHERE}
    refused = code(tiny.upload_part, ChecksumAlgorithm="CRC32", **arguments)
    assert refused == (400, "InvalidRequest")
    part = put(tiny, upload, 1, b"x", ChecksumAlgorithm="SHA256")
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidRequest"):
        complete(tiny, upload, [part], ChecksumType="FULL_OBJECT")
    with pytest.raises(tiny.exceptions.ClientError, match="InvalidPart"):
        complete(tiny, upload, [{**part, "ChecksumSHA256": "A" * 43 + "="}])


def test_a_part_without_a_checksum_gets_the_uploads(small_parts: Store, tiny: Any) -> None:
    allow(tiny, "s3:PutObject")
    upload = begin(tiny, ChecksumAlgorithm="CRC32")
    answer = small_parts.send("PUT", f"/data/k?uploadId={upload}&partNumber=1", {}, b"hello")
    assert answer.headers["x-amz-checksum-crc32"] == crc32(b"hello")


def test_a_declared_checksum_that_cannot_be_verified_is_refused(
    small_parts: Store, tiny: Any
) -> None:
    allow(tiny, "s3:PutObject")
    upload = tiny.create_multipart_upload(**WHERE)["UploadId"]
    target = f"/data/k?uploadId={upload}"
    etag = small_parts.send("PUT", f"{target}&partNumber=1", {}, b"hello").headers["etag"]
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        "</CompleteMultipartUpload>"
    ).encode()
    headers = {"x-amz-checksum-sha256": "A" * 43 + "="}
    refused = small_parts.send("POST", target, headers, body)
    assert (refused.status, b"<Code>InvalidRequest</Code>" in refused.body) == (400, True)


def test_list_parts_in_pages(tiny: Any, code: Callable[..., Any]) -> None:
    upload = begin(tiny, ChecksumAlgorithm="CRC32", StorageClass="STANDARD_IA")
    parts = [put(tiny, upload, number, b"x" * number) for number in (1, 2, 7)]
    page = tiny.list_parts(UploadId=upload, MaxParts=2, **WHERE)
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 2)
    assert (page["ChecksumAlgorithm"], page["ChecksumType"]) == ("CRC32", "COMPOSITE")
    assert (page["StorageClass"], page["Bucket"], page["Key"]) == ("STANDARD_IA", "data", "k")
    assert page["Owner"]["ID"] == page["Initiator"]["ID"] == tiny.list_buckets()["Owner"]["ID"]
    rest = tiny.list_parts(UploadId=upload, PartNumberMarker=2, **WHERE)
    found = [*page["Parts"], *rest["Parts"]]
    assert [(p["PartNumber"], p["Size"], p["ETag"], p["ChecksumCRC32"]) for p in found] == [
        (p["PartNumber"], p["PartNumber"], p["ETag"], p["ChecksumCRC32"]) for p in parts
    ]
    assert rest["IsTruncated"] is False
    refused = code(tiny.list_parts, UploadId=upload, MaxParts=-1, **WHERE)
    assert refused == (400, "InvalidArgument")


UPLOADS = ["a", "a", "a/1", "a/2", "b//", "c"]


@pytest.fixture
def uploads(s3: Any) -> list[tuple[str, str]]:
    found = []
    for key in UPLOADS:
        upload = s3.create_multipart_upload(Bucket="data", Key=key)["UploadId"]
        found.append((key, upload))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_uploads_are_listed_in_pages(s3: Any, uploads: list[tuple[str, str]], size: int) -> None:
    found = []
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket="data", PaginationConfig={"PageSize": size}
    )
    for page in pages:
        found += [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", [])]
    assert found == uploads


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_uploads_below_a_delimiter_are_common_prefixes(
    s3: Any, uploads: list[tuple[str, str]], size: int
) -> None:
    keys, prefixes = [], []
    marker: dict[str, str] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket="data", Delimiter="/", MaxUploads=size, **marker)
        keys += [upload["Key"] for upload in page.get("Uploads", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextUploadIdMarker"):
            marker["UploadIdMarker"] = page["NextUploadIdMarker"]
    assert (keys, prefixes) == (["a", "a", "c"], ["a/", "b/"])


def test_uploads_with_a_prefix_or_after_a_marker(s3: Any, uploads: list[tuple[str, str]]) -> None:
    page = s3.list_multipart_uploads(Bucket="data", Prefix="a/")
    assert [upload["Key"] for upload in page["Uploads"]] == ["a/1", "a/2"]
    page = s3.list_multipart_uploads(Bucket="data", KeyMarker="a")
    assert [upload["Key"] for upload in page["Uploads"]] == ["a/1", "a/2", "b//", "c"]
    page = s3.list_multipart_uploads(Bucket="data", KeyMarker="a", UploadIdMarker=uploads[0][1])
    assert page["Uploads"][0]["UploadId"] == uploads[1][1]
    # AWS: an id without a key says nothing.
    page = s3.list_multipart_uploads(Bucket="data", UploadIdMarker=uploads[3][1])
    assert len(page["Uploads"]) == len(UPLOADS)
    assert s3.list_multipart_uploads(Bucket="data", MaxUploads=0)["IsTruncated"] is False


def test_an_aborted_upload_is_gone_and_so_are_its_parts(s3: Any) -> None:
    upload = begin(s3)
    put(s3, upload, 1, b"x")
    s3.abort_multipart_upload(UploadId=upload, **WHERE)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="data")


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("POST /data/k?uploads", "s3:PutObject"),
        ("PUT /data/k?uploadId=x&partNumber=1", "s3:PutObject"),
        ("POST /data/k?uploadId=x", "s3:PutObject"),
        ("DELETE /data/k?uploadId=x", "s3:AbortMultipartUpload"),
        ("GET /data/k?uploadId=x", "s3:ListMultipartUploadParts"),
        ("GET /data?uploads", "s3:ListBucketMultipartUploads"),
    ],
)
def test_each_operation_needs_its_action(
    store: Store, s3: Any, operation: str, action: str
) -> None:
    method, target = operation.split()
    body = (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
        b"</CompleteMultipartUpload>"
    )
    assert store.send(method, target, {}, body).status == 403
    allow(s3, action)
    assert store.send(method, target, {}, body).status in (200, 404)


def test_what_would_not_be_done_is_refused(s3: Any, code: Callable[..., Any]) -> None:
    for arguments, expected in (
        ({"ServerSideEncryption": "AES256"}, (501, "NotImplemented")),
        ({"ACL": "public"}, (400, "InvalidArgument")),
        ({"ChecksumAlgorithm": "SHA512"}, (400, "InvalidRequest")),
        ({"StorageClass": "COLD"}, (400, "InvalidStorageClass")),
    ):
        assert code(s3.create_multipart_upload, **WHERE, **arguments) == expected
