"""Copying, moving, renaming and new folders: pages, and over boto3 what they did."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.panel.conftest import Visitor

from neve.testing.server import LiveServer


def content(client: Any, bucket: str) -> dict[str, bytes]:
    rows = client.list_objects_v2(Bucket=bucket).get("Contents", ())
    return {
        row["Key"]: client.get_object(Bucket=bucket, Key=row["Key"])["Body"].read() for row in rows
    }


def put(client: Any, bucket: str, *keys: str) -> None:
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())


def test_folder_and_object_are_copied_to_another_bucket_with_what_they_have(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.create_bucket(Bucket="ailleurs")
    put(client, bucket, "p/z.zarr/zarr.json", "p/z.zarr/c/0/0", "p/z.zarr-not")
    client.put_object(
        Bucket=bucket, Key="p/a&b #é.nc", Body=b"nc", ContentType="application/x-netcdf",
        Metadata={"station": "inukjuak"}, Tagging="k=v%20w", CacheControl="max-age=9",
    )  # fmt: skip
    asked = administrator.post(
        f"/move/{bucket}", folder="p/", prefix="p/z.zarr/", key="p/a&b #é.nc"
    )
    assert "z.zarr/" in asked.words
    done = administrator.post(
        f"/move/{bucket}/now", folder="p/", prefix="p/z.zarr/", key="p/a&b #é.nc",
        to_bucket="ailleurs", to_folder="/new/place/", do="copy",
    )  # fmt: skip
    assert "3 objects were copied." in done.words
    assert content(client, "ailleurs") == {
        "new/place/z.zarr/zarr.json": b"p/z.zarr/zarr.json",
        "new/place/z.zarr/c/0/0": b"p/z.zarr/c/0/0",
        "new/place/a&b #é.nc": b"nc",
    }
    assert len(content(client, bucket)) == 4
    place = {"Bucket": "ailleurs", "Key": "new/place/a&b #é.nc"}
    head = client.head_object(**place)
    assert head["ContentType"] == "application/x-netcdf"
    assert head["Metadata"] == {"station": "inukjuak"}
    assert head["CacheControl"] == "max-age=9"
    assert client.get_object_tagging(**place)["TagSet"] == [{"Key": "k", "Value": "v w"}]


def test_folder_is_renamed(administrator: Visitor, server: LiveServer, bucket: str) -> None:
    client = server.client()
    put(client, bucket, "d/old/1", "d/old/2/3", "d/older")
    done = administrator.post(
        f"/move/{bucket}/now", folder="d/", prefix="d/old/",
        to_bucket=bucket, to_folder="d/", name="new", do="move",
    )  # fmt: skip
    assert "2 objects were moved." in done.words
    assert content(client, bucket) == {
        "d/new/1": b"d/old/1", "d/new/2/3": b"d/old/2/3", "d/older": b"d/older",
    }  # fmt: skip


def test_what_is_there_is_overwritten_only_when_asked_and_never_lost(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    put(client, bucket, "a/x", "a/y", "b/x")
    fields = {"folder": "a/", "key": ["a/x", "a/y"], "to_bucket": bucket, "to_folder": "b"}
    done = administrator.post(f"/move/{bucket}/now", **fields, do="move")
    assert "1 object was moved." in done.words
    assert "1 was left out" in done.words
    assert content(client, bucket) == {"a/x": b"a/x", "b/x": b"b/x", "b/y": b"a/y"}
    fields["key"] = "a/x"
    administrator.post(f"/move/{bucket}/now", **fields, do="move", overwrite="on")
    assert content(client, bucket) == {"b/x": b"a/x", "b/y": b"a/y"}


@pytest.mark.parametrize(
    ("chosen", "target", "words"),
    [
        ({"prefix": "a/"}, {"to_folder": "a/b"}, "cannot go into itself"),
        ({"prefix": "a/"}, {"to_folder": ""}, "cannot go into itself"),
        ({"key": "a/x"}, {"to_folder": "a", "name": "x"}, "It is there already"),
        ({"key": "a/x"}, {"to_folder": "a", "name": "x/y"}, "no slash"),
        ({"key": "a/x"}, {"to_folder": "a", "name": "y", "to_bucket": ""}, "into which bucket"),
    ],
)
def test_what_makes_no_sense_is_said_and_the_form_keeps_what_was_typed(
    administrator: Visitor, server: LiveServer, bucket: str, chosen: dict[str, str],
    target: dict[str, str], words: str,
) -> None:  # fmt: skip
    put(server.client(), bucket, "a/x")
    fields = {"to_bucket": bucket, "folder": "", "do": "move"} | chosen | target
    answer = administrator.post(f"/move/{bucket}/now", **fields)
    assert (answer.status, words in answer.words) == (400, True)
    assert f'name="to_folder" type="text" value="{target["to_folder"].strip("/")}' in answer.text
    assert content(server.client(), bucket) == {"a/x": b"a/x"}


def test_who_may_not_write_at_the_target_loses_nothing(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    put(client, bucket, "a/x", "a/y")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/closed/*"}  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    done = administrator.post(
        f"/move/{bucket}/now", folder="", prefix="a/",
        to_bucket=bucket, to_folder="closed", name="a", do="move",
    )  # fmt: skip
    assert "2 failed" in done.words
    assert "a/x: Your policies do not allow this." in done.words
    assert content(client, bucket) == {"a/x": b"a/x", "a/y": b"a/y"}


def test_move_is_offered_to_who_may_delete(
    user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    put(server.client(), bucket, "a/x")
    writer, reader = user("ecrivain", "readwrite"), user("liseuse", "readonly")
    assert ">Move<" in writer.post(f"/move/{bucket}", folder="a/", key="a/x").text
    assert ">Move<" not in reader.post(f"/move/{bucket}", folder="a/", key="a/x").text


def test_new_folder_is_opened_and_nothing_written(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    opened = administrator.get(f"/folder/{bucket}", folder="a/", name="né w/deep")
    assert opened.status == 200
    assert 'data-prefix="a/né w/deep/"' in opened.text
    assert content(server.client(), bucket) == {}
    assert administrator.get(f"/folder/{bucket}", folder="a/", name=" / ").status == 400
