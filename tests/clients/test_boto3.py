"""boto3 with its own defaults (CRC32 in aws-chunked trailers, and so on)."""

import hashlib
import io
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from neve.testing.server import LiveServer


@pytest.fixture
def s3(live_server: LiveServer):
    """A client as a user would make it: nothing set but endpoint and keys."""
    client = boto3.client(
        "s3",
        endpoint_url=live_server.endpoint,
        aws_access_key_id=live_server.access_key,
        aws_secret_access_key=live_server.secret_key,
        region_name="us-east-1",
    )
    yield client
    client.close()


KEYS = [
    "plain",
    "a/b/c",
    "double//slash",
    "/leading",
    "trailing/",
    ".zgroup",
    "c/0/0",
    "sp ace+plus%25",
    "été/δ/雪.nc",
    "foo",
    "foo/bar",
    "foo-bar",
    "quote\"'<&>",
    "k" * 1024,
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_every_kind_of_key_round_trips(s3, bucket: str, key: str) -> None:
    data = key.encode()
    put = s3.put_object(Bucket=bucket, Key=key, Body=data)
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert put["ChecksumCRC32"]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key=key)


def test_large_file_goes_up_in_parts_and_down_in_ranges(s3, bucket: str) -> None:
    data = bytes(range(256)) * 90_000
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(data), bucket, "large", Config=config)
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ContentLength"] == len(data)
    assert head["ETag"].endswith('-5"')
    target = io.BytesIO()
    s3.download_fileobj(bucket, "large", target, Config=config)
    assert target.getvalue() == data
    part = s3.get_object(Bucket=bucket, Key="large", PartNumber=2)
    assert part["Body"].read() == data[5 << 20 : 10 << 20]
    assert part["PartsCount"] == 5


def test_ranges(s3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for text, expected in (("0-3", b"0123"), ("7-", b"789"), ("-2", b"89"), ("8-99", b"89")):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={text}")
        assert answer["Body"].read() == expected
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksum_is_verified_stored_and_returned(s3, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"data" * 100, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert got["Body"].read() == b"data" * 100
    wrong = "AAAAAAAAAAA=" if algorithm == "CRC64NVME" else put[f"Checksum{algorithm}"]
    with pytest.raises(ClientError, match=r"BadDigest|ChecksumMismatch|InvalidRequest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", **{f"Checksum{algorithm}": wrong})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data" * 100


def test_metadata_in_utf8(s3, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"",
        Metadata={"title": "plain", "n": "1"},
        ContentType="application/x-netcdf",
        CacheControl="max-age=60",
        ContentDisposition='attachment; filename="x.nc"',
    )
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {"title": "plain", "n": "1"}
    assert head["ContentType"] == "application/x-netcdf"
    assert head["CacheControl"] == "max-age=60"
    assert head["ContentDisposition"] == 'attachment; filename="x.nc"'


def test_copy_keeps_bytes_and_replaces_metadata(s3, bucket: str) -> None:
    data = bytes(3_000_000)
    s3.put_object(Bucket=bucket, Key="from", Body=data, Metadata={"a": "1"})
    s3.copy_object(Bucket=bucket, Key="same", CopySource={"Bucket": bucket, "Key": "from"})
    s3.copy_object(
        Bucket=bucket,
        Key="new",
        CopySource={"Bucket": bucket, "Key": "from"},
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
    )
    s3.delete_object(Bucket=bucket, Key="from")
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {"a": "1"}
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    for key in ("same", "new"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data


def test_conditional_writes(s3, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=tag)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"5", IfMatch=tag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


def test_exactly_one_of_many_creators_wins(live_server: LiveServer, bucket: str) -> None:
    def create(number: int) -> bool:
        client = live_server.client()
        try:
            client.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
            return False
        finally:
            client.close()
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(16)))
    assert won.count(True) == 1
    body = live_server.client().get_object(Bucket=bucket, Key="k")["Body"].read()
    assert body == b"%d" % won.index(True)


def test_listing_with_pages_and_delimiter(s3, bucket: str) -> None:
    keys = sorted(f"d{number % 5}/k{number:03}" for number in range(60))
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 7}
    )
    assert [row["Key"] for page in pages for row in page["Contents"]] == keys
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    found = [row["Prefix"] for page in pages for row in page.get("CommonPrefixes", [])]
    assert found == [f"d{number}/" for number in range(5)]
    old = s3.list_objects(Bucket=bucket, Prefix="d3/", MaxKeys=3)
    assert [row["Key"] for row in old["Contents"]] == [k for k in keys if k[:2] == "d3"][:3]


def test_delete_many(s3, bucket: str) -> None:
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": f"k{number}"} for number in range(25)]}
    )
    assert len(answer["Deleted"]) == 25
    assert "Errors" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_bucket(Bucket=bucket)


def test_presigned_urls(live_server: LiveServer, bucket: str) -> None:
    client = live_server.client()
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k y"})
    request = urllib.request.Request(put, data=b"presigned", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k y"})
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"presigned"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(get[:-1] + ("0" if get[-1] != "0" else "1"))


def test_anonymous_reads_what_is_published_and_writes_nothing(
    live_server: LiveServer, s3, bucket: str, publish: Callable[[str], None]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"public")
    anonymous = boto3.client(
        "s3",
        endpoint_url=live_server.endpoint,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED),
    )
    for call in (anonymous.get_object, anonymous.head_object):
        with pytest.raises(ClientError, match=r"403|AccessDenied"):
            call(Bucket=bucket, Key="k")
    publish(bucket)
    assert anonymous.get_object(Bucket=bucket, Key="k")["Body"].read() == b"public"
    assert anonymous.head_object(Bucket=bucket, Key="k")["ContentLength"] == 6
    assert anonymous.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    with pytest.raises(ClientError, match="404"):
        anonymous.head_object(Bucket=bucket, Key="absent")
    for call, more in ((anonymous.put_object, {"Body": b"x"}), (anonymous.delete_object, {})):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(Bucket=bucket, Key="k", **more)


def test_wrong_keys_are_refused(live_server: LiveServer, bucket: str) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        live_server.client(aws_secret_access_key="wrong").list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        live_server.client(aws_access_key_id="nobody").list_objects_v2(Bucket=bucket)


@pytest.mark.slow
def test_object_of_more_than_5_gib_is_read_on_both_sides_of_4_gib(s3, bucket: str) -> None:
    """Made of one part copied 21 times: no byte of it is moved, each is hashed."""
    part = 256 << 20
    unit = bytearray(part)
    unit[:4], unit[-4:] = b"head", b"tail"
    s3.put_object(Bucket=bucket, Key="unit", Body=bytes(unit))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="huge")["UploadId"]
    parts = []
    for number in range(1, 22):
        copied = s3.upload_part_copy(
            Bucket=bucket,
            Key="huge",
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "unit"},
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(
        Bucket=bucket, Key="huge", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    s3.delete_object(Bucket=bucket, Key="unit")
    assert s3.head_object(Bucket=bucket, Key="huge")["ContentLength"] == 21 * part > 5 << 30
    for start in (0, part, 16 * part, 20 * part):
        if start:
            asked = f"bytes={start - 4}-{start + 3}"
            answer = s3.get_object(Bucket=bucket, Key="huge", Range=asked)
            assert answer["Body"].read() == b"tailhead"
    assert s3.get_object(Bucket=bucket, Key="huge", Range="bytes=-4")["Body"].read() == b"tail"
