"""Deleting objects and folders, and undoing it: pages, and over boto3 what they did."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer, wait_until

HOSTILE = "a/<script>alert(1)</script>\n\r'\"&%0A é❄ ..//b"


def versioned(server: LiveServer, bucket: str) -> None:
    server.client().put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )


def keys(client: Any, bucket: str) -> list[str]:
    rows = client.list_objects_v2(Bucket=bucket, EncodingType="url")
    from urllib.parse import unquote_plus

    return [unquote_plus(row["Key"]) for row in rows.get("Contents", ())]


def hidden(page: Shown, name: str) -> list[str]:
    """The values of the hidden fields, as a browser would send them."""
    found = re.findall(rf'<input type="hidden" name="{name}" value="([^"]*)"', page.text)
    return [re.sub("\r\n|\r|\n", "\r\n", html.unescape(value)) for value in found]


def undo_of(page: Shown) -> str:
    found = re.search(r'name="name" value="([^"]+)"', page.text)
    assert found, page.words
    return found[1]


def test_hostile_key_is_deleted_by_what_its_form_says(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key=HOSTILE, Body=b"x")
    client.put_object(Bucket=bucket, Key="other", Body=b"x")
    shown = administrator.get(f"/browse/{bucket}?{urlencode({'prefix': 'a/<script>alert(1)</'})}")
    box = re.search(r'name="key" value="([^"]*)"', shown.text)
    prefix = re.search(r'name="prefix" value="([^"]*)" aria', shown.text)
    chosen = {"prefix": html.unescape(prefix[1])} if prefix else {"key": html.unescape(box[1])}  # type: ignore[index]
    asked = administrator.post(f"/remove/{bucket}", **chosen, folder="")
    assert "<script>alert(1)" not in asked.text
    assert "1 object, 1 B." in asked.words
    assert "keeps no versions" in asked.words
    given = {name: hidden(asked, name) for name in ("key", "prefix", "folder")}
    done = administrator.post(f"/remove/{bucket}/now", **given)
    assert "1 object was deleted." in done.words
    assert keys(client, bucket) == ["other"]


def test_key_with_ends_of_lines_comes_through_a_form(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    for key in ("x\ny", "x\r\ny", "x\ry", "x%0Ay", "xy\x01z"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    shown = administrator.get(f"/browse/{bucket}")
    boxes = [html.unescape(each) for each in re.findall(r'name="key" value="([^"]*)"', shown.text)]
    assert len(boxes) == 5
    assert not any("\n" in each or "\r" in each for each in boxes)
    asked = administrator.post(f"/remove/{bucket}", key=boxes[:4], folder="")
    administrator.post(f"/remove/{bucket}/now", key=hidden(asked, "key"), folder="")
    assert keys(client, bucket) == [boxes[4].replace("%0D", "\r").replace("%0A", "\n")]
    administrator.post(f"/remove/{bucket}/now", key=boxes[4], folder="")
    assert keys(client, bucket) == []


def test_folder_of_thousands_is_deleted_and_undone_exactly(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    versioned(server, bucket)
    client.put_object(Bucket=bucket, Key="d/gone before", Body=b"x")
    client.delete_object(Bucket=bucket, Key="d/gone before")
    for number in range(1010):
        client.put_object(Bucket=bucket, Key=f"d/{number}", Body=b"x")
    client.put_object(Bucket=bucket, Key="d-not", Body=b"x")
    before = [row["VersionId"] for row in client.list_object_versions(Bucket=bucket)["Versions"]]
    asked = administrator.post(f"/remove/{bucket}", prefix="d/", folder="")
    assert "1,010 objects" in asked.words
    assert "can be brought back" in asked.words
    done = administrator.post(f"/remove/{bucket}/now", prefix="d/", folder="")
    done = awaited(administrator, done)
    assert "1,010 objects were deleted." in done.words
    assert keys(client, bucket) == ["d-not"]
    name = undo_of(done)
    back = awaited(administrator, administrator.post("/undo", name=name))
    assert "1,010 objects are back." in back.words
    after = client.list_object_versions(Bucket=bucket)
    assert [row["VersionId"] for row in after["Versions"]] == before
    assert administrator.post("/undo", name=name).status == 404
    marks = [
        row
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for row in page.get("DeleteMarkers", ())
    ]
    assert [row["Key"] for row in marks] == ["d/gone before"]


def awaited(visitor: Visitor, page: Shown) -> Shown:
    """The page that says what came of it, when it took more than a moment."""
    found = re.search(r'action="(/tasks/[^"]+)"', page.text)
    if not found:
        return page
    seen = [page]

    def ended() -> bool:
        seen.append(visitor.get(found[1]))
        return "refresh" not in seen[-1].headers

    wait_until(ended)
    return seen[-1]


def test_all_versions_are_deleted_for_good_only_when_asked(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    versioned(server, bucket)
    for key in ("a", "a", "ab", "c/1", "c/1"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    done = administrator.post(f"/remove/{bucket}/now", key="a", prefix="c/", folder="", purge="on")
    assert "4 versions were deleted for good." in done.words
    assert "Undo" not in done.words and "They are kept" not in done.words
    rows = client.list_object_versions(Bucket=bucket)
    assert [row["Key"] for row in rows["Versions"]] == ["ab"]


def test_one_version_is_deleted(administrator: Visitor, server: LiveServer, bucket: str) -> None:
    client = server.client()
    versioned(server, bucket)
    old = client.put_object(Bucket=bucket, Key="d/a", Body=b"old")["VersionId"]
    client.put_object(Bucket=bucket, Key="d/a", Body=b"new")
    asked = administrator.post(f"/remove/{bucket}", key="d/a", version=old)
    assert "gone for good" in asked.words
    given = {name: hidden(asked, name) for name in ("key", "folder", "version")}
    done = administrator.post(f"/remove/{bucket}/now", **given)
    assert "1 version was deleted for good." in done.words
    assert len(client.list_object_versions(Bucket=bucket)["Versions"]) == 1
    assert client.get_object(Bucket=bucket, Key="d/a")["Body"].read() == b"new"


def test_governed_version_is_deleted_by_who_may_and_says_so(
    administrator: Visitor, server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="gouverne", ObjectLockEnabledForBucket=True)
    place = {"Bucket": "gouverne", "Key": "a"}
    until = datetime.now(UTC) + timedelta(days=1)
    client.put_object(
        **place, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )
    fields = {"key": "a", "folder": "", "purge": "on"}
    assert "governance" in administrator.post("/remove/gouverne", key="a", folder="").words
    kept = administrator.post("/remove/gouverne/now", **fields)
    assert "1 failed" in kept.words
    assert client.get_object(**place)["Body"].read() == b"x"
    done = administrator.post("/remove/gouverne/now", **fields, bypass="on")
    assert "1 version was deleted for good." in done.words
    assert "Versions" not in client.list_object_versions(Bucket="gouverne")


def test_who_may_not_delete_is_not_offered_it_and_refused(
    user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    reader = user("lectrice", "readonly")
    assert "Delete" not in reader.get(f"/object/{bucket}?key=a").words
    asked = reader.post(f"/remove/{bucket}", key="a", folder="")
    assert (asked.status, "do not allow to delete" in asked.words) == (403, True)
    done = reader.post(f"/remove/{bucket}/now", key="a", folder="")
    assert "Your policies do not allow this. 0 objects" in done.words
    assert keys(client, bucket) == ["a"]


def test_another_user_sees_neither_task_nor_undo(
    administrator: Visitor, user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    versioned(server, bucket)
    server.client().put_object(Bucket=bucket, Key="a", Body=b"x")
    done = administrator.post(f"/remove/{bucket}/now", key="a", folder="")
    other = user("curieux", "readwrite")
    assert other.post("/undo", name=undo_of(done)).status == 404
    assert keys(server.client(), bucket) == []
    failing = administrator.post("/remove/absent-bucket/now", key="a", folder="", follow=False)
    task = failing.headers["location"]
    assert "This bucket does not exist." in administrator.get(task).words
    assert other.get(task).status == 404


def test_nothing_selected_is_said(administrator: Visitor, bucket: str) -> None:
    asked = administrator.post(f"/remove/{bucket}", folder="")
    assert (asked.status, "Select at least one" in asked.words) == (400, True)


def test_undo_is_offered_only_to_who_may_remove_markers(
    user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    client = server.client()
    versioned(server, bucket)
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObjectVersion",
            "Resource": f"arn:aws:s3:::{bucket}/*"}  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    writer = user("effaceur", "readwrite")
    asked = writer.post(f"/remove/{bucket}", key="a", folder="")
    assert "for good" not in asked.words
    done = writer.post(f"/remove/{bucket}/now", key="a", folder="")
    assert "1 object was deleted." in done.words
    assert "Undo" not in done.words
    assert "They are kept" in done.words
