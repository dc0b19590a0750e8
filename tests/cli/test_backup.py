"""backup, restore and rebuild as commands, on a store that is served."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from neve.cli.main import main
from neve.testing.server import LiveServer

LARGE = bytes(range(256)) * 30_000


def fill(client: Any) -> dict[str, bytes]:
    """Write objects of every tier, some overwritten or deleted; what must be there."""
    client.create_bucket(Bucket="science")
    there = {f"z/{number}": f"chunk {number}".encode() * 50 for number in range(200)}
    there["large.nc"] = LARGE
    there["medium"] = LARGE[:200_000]
    for key, data in there.items():
        client.put_object(Bucket="science", Key=key, Body=data, Metadata={"key": key})
    client.put_object(Bucket="science", Key="z/7", Body=b"second")
    there["z/7"] = b"second"
    client.delete_object(Bucket="science", Key="z/8")
    del there["z/8"]
    upload = client.create_multipart_upload(Bucket="science", Key="parts")["UploadId"]
    parts = []
    for number, data in ((1, LARGE[: 5 << 20]), (2, b"tail")):
        tag = client.upload_part(
            Bucket="science", Key="parts", UploadId=upload, PartNumber=number, Body=data
        )["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    client.complete_multipart_upload(
        Bucket="science", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    there["parts"] = LARGE[: 5 << 20] + b"tail"
    return there


def contents(client: Any) -> dict[str, bytes]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="science")
    keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
    return {key: client.get_object(Bucket="science", Key=key)["Body"].read() for key in keys}


def test_backup_of_a_served_store_restores_to_the_same_objects(
    fresh_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = fill(fresh_server.client())
    store, saved = str(fresh_server.folder), str(tmp_path / "saved")
    assert main(["backup", store, saved]) == 0
    assert "The backup" in capsys.readouterr().out
    fresh_server.client().put_object(Bucket="science", Key="later", Body=b"not in the backup")
    assert main(["restore", saved, str(tmp_path / "again")]) == 0
    with LiveServer(tmp_path / "again") as restored:
        client = restored.client()
        assert contents(client) == there
        head = client.head_object(Bucket="science", Key="z/3")
        assert head["Metadata"] == {"key": "z/3"}
        client.put_object(Bucket="science", Key="new", Body=b"works")
    assert contents(fresh_server.client()).keys() == there.keys() | {"later"}


def test_catalog_is_rebuilt_from_the_bytes(
    fresh_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    there = fill(fresh_server.client())
    fresh_server.client().put_bucket_policy(
        Bucket="science",
        Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        '"Action":"s3:GetObject","Resource":"arn:aws:s3:::science/*"}]}',
    )
    assert main(["rebuild", str(fresh_server.folder)]) == 1
    assert "served already" in capsys.readouterr().err
    fresh_server.stop()
    for file in fresh_server.folder.glob("catalog.db*"):
        file.unlink()
    assert main(["rebuild", str(fresh_server.folder)]) == 0
    assert f"{len(there):,} objects" in capsys.readouterr().out
    fresh_server.start()
    client = fresh_server.client()
    assert contents(client) == there
    assert client.head_object(Bucket="science", Key="z/3")["Metadata"] == {"key": "z/3"}
    assert "s3:GetObject" in client.get_bucket_policy(Bucket="science")["Policy"]


def test_object_whose_bytes_are_lost_is_named(
    fresh_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(fresh_server.client())
    fresh_server.stop()
    shutil.rmtree(fresh_server.folder / "files")
    (fresh_server.folder / "files").mkdir()
    assert main(["rebuild", str(fresh_server.folder)]) == 1
    error = capsys.readouterr().err
    assert "science/large.nc" in error
    assert "science/parts" in error
    assert "z/3" not in error
