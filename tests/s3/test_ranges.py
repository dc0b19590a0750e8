"""Ranges and parts of GetObject and HeadObject."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.s3.conftest import Store

from neve.s3.conditions import parse_range
from neve.s3.errors import S3Error

DATA = bytes(range(100))


@pytest.fixture
def data(s3: Any) -> Any:
    s3.put_object(Bucket="data", Key="k", Body=DATA)
    s3.put_object(Bucket="data", Key="empty", Body=b"")
    return s3


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=0-", 0, 100),
        ("bytes=90-1000", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=99-99", 99, 100),
        ("bytes=0-99999999999999999999999999", 0, 100),
        ("bytes=-99999999999999999999999999", 0, 100),
        ("Bytes = 5 - 6", 5, 7),
    ],
)
def test_a_range_is_sent_as_206(data: Any, asked: str, start: int, stop: int) -> None:
    got = data.get_object(Bucket="data", Key="k", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["Body"].read() == DATA[start:stop]
    assert got["ContentRange"] == f"bytes {start}-{stop - 1}/100"
    head = data.head_object(Bucket="data", Key="k", Range=asked)
    assert head["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert head["ContentLength"] == stop - start


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-4",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-1,5-6",
        "items=0-1",
        "0-1",
        "bytes 0-1",
    ],
)
def test_what_is_not_one_range_is_ignored(data: Any, asked: str) -> None:
    got = data.get_object(Bucket="data", Key="k", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert got["Body"].read() == DATA


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("k", "bytes=100-"),
        ("k", "bytes=100-200"),
        ("k", "bytes=-0"),
        ("k", "bytes=99999999999999999999999999-"),
        ("empty", "bytes=0-"),
        ("empty", "bytes=-5"),
    ],
)
def test_a_range_outside_is_416(store: Store, data: Any, key: str, asked: str) -> None:
    with pytest.raises(data.exceptions.ClientError) as caught:
        data.get_object(Bucket="data", Key=key, Range=asked)
    answer = caught.value.response
    size = len(DATA) if key == "k" else 0
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 416
    assert answer["Error"]["Code"] == "InvalidRange"
    assert answer["Error"]["RangeRequested"] == asked
    assert answer["Error"]["ActualObjectSize"] == str(size)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-range"] == f"bytes */{size}"


def test_half_open_ranges_never_leave_the_object() -> None:
    for size in range(4):
        for first in (None, 0, 1, 2, 3, 4):
            for last in (None, 0, 1, 2, 3, 4):
                text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
                try:
                    found = parse_range(text.encode(), size)
                except S3Error:
                    continue
                assert found is None or 0 <= found.start < found.stop <= size


def test_if_range_sends_the_range_only_of_the_object_the_client_knows(data: Any) -> None:
    head = data.head_object(Bucket="data", Key="k")
    date = head["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
    for value, status in (
        (head["ETag"], 206),
        ('"other"', 200),
        (date, 206),
        ("Sat, 29 Oct 1994 19:43:31 GMT", 200),
    ):
        got = _with_header(data, "If-Range", value, Range="bytes=0-1")
        assert got["ResponseMetadata"]["HTTPStatusCode"] == status


def _with_header(client: Any, name: str, value: str, **arguments: Any) -> Any:
    def add(params: Any, **_: Any) -> None:
        params["headers"][name] = value

    client.meta.events.register("before-call.s3.GetObject", add)
    try:
        return client.get_object(Bucket="data", Key="k", **arguments)
    finally:
        client.meta.events.unregister("before-call.s3.GetObject", add)


def test_part_1_of_an_object_in_one_piece_is_all_of_it(data: Any, code: Callable[..., Any]) -> None:
    got = data.get_object(Bucket="data", Key="k", PartNumber=1)
    assert (got["Body"].read(), got["ContentRange"]) == (DATA, "bytes 0-99/100")
    assert "PartsCount" not in got
    # AWS: 416 InvalidPartNumber (s3-tests wants 400 InvalidPart, which is RGW's).
    refused = code(data.get_object, Bucket="data", Key="k", PartNumber=2)
    assert refused == (416, "InvalidPartNumber")
    for number in (0, 10_001):
        refused = code(data.get_object, Bucket="data", Key="k", PartNumber=number)
        assert refused == (400, "InvalidArgument")


def test_a_part_and_a_range_exclude_each_other(data: Any, code: Callable[..., Any]) -> None:
    refused = code(data.get_object, Bucket="data", Key="k", PartNumber=1, Range="bytes=0-1")
    assert refused == (400, "InvalidRequest")


def test_parts_of_a_multipart_object_are_read_by_number(small_parts: Store) -> None:
    s3 = small_parts.client()
    s3.create_bucket(Bucket="data")
    pieces = {1: b"one", 3: b"three", 7: b"seven"}
    upload = s3.create_multipart_upload(Bucket="data", Key="k")["UploadId"]
    parts = []
    for number, piece in pieces.items():
        where = {"Bucket": "data", "Key": "k", "UploadId": upload, "PartNumber": number}
        parts.append({"PartNumber": number, "ETag": s3.upload_part(Body=piece, **where)["ETag"]})
    s3.complete_multipart_upload(
        Bucket="data", Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    at = 0
    for number, piece in pieces.items():
        got = s3.get_object(Bucket="data", Key="k", PartNumber=number)
        assert got["Body"].read() == piece
        assert got["PartsCount"] == 3
        assert got["ContentRange"] == f"bytes {at}-{at + len(piece) - 1}/13"
        assert s3.head_object(Bucket="data", Key="k", PartNumber=number)["ContentLength"] == len(
            piece
        )
        at += len(piece)
    with pytest.raises(s3.exceptions.ClientError, match="InvalidPartNumber"):
        s3.get_object(Bucket="data", Key="k", PartNumber=2)
