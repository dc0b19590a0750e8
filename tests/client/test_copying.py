"""Copies on the server, against a live one: large objects in parts, conditions, what is kept."""

import os
import uuid
from collections.abc import Iterator

import pytest

from neve.client import copying, objects
from neve.client.alias import Alias
from neve.client.copying import Place, copy
from neve.client.errors import ServerError
from neve.client.s3 import S3, Deleted, Failed
from neve.client.transport import Transport
from neve.testing.server import LiveServer

MIB = 1 << 20


@pytest.fixture
def s3(live_server: LiveServer) -> Iterator[S3]:
    alias = Alias("x", live_server.endpoint, live_server.access_key, live_server.secret_key)
    with S3(Transport(alias)) as server:
        yield server


@pytest.fixture
def bucket(live_server: LiveServer) -> str:
    name = f"copies-{uuid.uuid4().hex[:12]}"
    live_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above 5 MiB is what above 5 GiB would be."""
    monkeypatch.setattr(copying, "ONE_MAX", 5 * MIB)
    monkeypatch.setattr(copying, "PART", 5 * MIB)


@pytest.mark.usefixtures("parts")
def test_large_object_is_copied_in_parts_with_all_it_has(
    s3: S3, live_server: LiveServer, bucket: str
) -> None:
    client = live_server.client()
    body = os.urandom(12 * MIB + 1)
    client.put_object(
        Bucket=bucket, Key="a b&é", Body=body, ContentType="application/x-netcdf",
        Metadata={"k": "v"}, Tagging="t=u%20v", StorageClass="STANDARD_IA",
    )  # fmt: skip
    copy(s3, Place(bucket, "a b&é"), Place(bucket, "c"))
    found = client.get_object(Bucket=bucket, Key="c")
    assert found["Body"].read() == body
    assert found["ETag"].endswith('-3"')
    assert (found["ContentType"], found["Metadata"]) == ("application/x-netcdf", {"k": "v"})
    assert found["StorageClass"] == "STANDARD_IA"
    assert objects.tags(s3, Place(bucket, "c")) == {"t": "u v"}
    copy(s3, Place(bucket, "c"), Place(bucket, "c"), headers={"content-type": "text/x"})
    again = client.get_object(Bucket=bucket, Key="c")
    assert again["Body"].read() == body
    assert (again["ContentType"], again["Metadata"]) == ("text/x", {})


@pytest.mark.usefixtures("parts")
def test_large_copy_that_is_refused_leaves_no_parts(
    s3: S3, live_server: LiveServer, bucket: str
) -> None:
    client = live_server.client()
    client.put_object(Bucket=bucket, Key="a", Body=bytes(6 * MIB))
    client.put_object(Bucket=bucket, Key="b", Body=b"theirs")
    with pytest.raises(ServerError) as refused:
        copy(s3, Place(bucket, "a"), Place(bucket, "b"), overwrite=False)
    assert refused.value.code == "PreconditionFailed"
    assert client.get_object(Bucket=bucket, Key="b")["Body"].read() == b"theirs"
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_old_version_is_copied(s3: S3, live_server: LiveServer, bucket: str) -> None:
    client = live_server.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="a", Body=b"old")["VersionId"]
    client.put_object(Bucket=bucket, Key="a", Body=b"new")
    copy(s3, Place(bucket, "a", old), Place(bucket, "b"))
    assert client.get_object(Bucket=bucket, Key="b")["Body"].read() == b"old"


def test_what_has_another_etag_now_is_not_deleted(
    s3: S3, live_server: LiveServer, bucket: str
) -> None:
    client = live_server.client()
    keys = ["changed", "same", "\x01changed", "\x01same"]
    etags = {}
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
        etags[key] = s3.head(bucket, key).etag
    for key in ("changed", "\x01changed"):
        client.put_object(Bucket=bucket, Key=key, Body=b"2")
    results = s3.delete_marking(bucket, [(key, "") for key in keys], etags=etags)
    assert [type(each) for each in results] == [Failed, Deleted, Failed, Deleted]
    assert {each.code for each in results if isinstance(each, Failed)} == {"PreconditionFailed"}
    assert s3.find(bucket, "same") is None
    assert s3.find(bucket, "\x01same") is None
    assert s3.head(bucket, "\x01changed").size == 1
