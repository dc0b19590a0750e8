"""Changing metadata, tags, retention and legal hold: pages, and over boto3 what they did."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from tests.panel.conftest import Visitor

from neve.testing.server import LiveServer

KEY = "d/é<b>&\n+?.nc"


def path(bucket: str, what: str = "", key: str = KEY, version: str = "") -> str:
    query = {"key": key} | ({"version": version} if version else {})
    return f"/object/{bucket}/change{what}?{urlencode(query)}"


def mark_of(visitor: Visitor, bucket: str) -> str:
    found = re.search(r'name="was" value="([^"]+)"', visitor.get(path(bucket)).text)
    assert found
    return found[1]


def test_type_and_metadata_are_changed_and_the_rest_stays(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    place = {"Bucket": bucket, "Key": KEY}
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    client.put_object(
        **place, Body=b"bytes", ContentType="text/plain", Metadata={"old": "1"}, Expires=expires,
        Tagging="k=v", StorageClass="STANDARD_IA",
    )  # fmt: skip
    shown = administrator.get(path(bucket))
    assert 'value="text/plain"' in shown.text
    done = administrator.post(
        path(bucket, "/metadata"), **{
            "was": mark_of(administrator, bucket), "content-type": "application/x-netcdf",
            "cache-control": "max-age=60", "meta": ["Station", "", "kept"],
            "meta_value": ["Kuujjuaq", "x", "é ❄"],
        },
    )  # fmt: skip
    assert "The metadata were changed." in done.words
    head = client.head_object(**place)
    assert (head["ContentType"], head["CacheControl"]) == ("application/x-netcdf", "max-age=60")
    assert {n: v.encode("latin-1").decode() for n, v in head["Metadata"].items()} == {
        "station": "Kuujjuaq", "kept": "é ❄",
    }  # fmt: skip
    assert head["Expires"] == expires
    assert head["StorageClass"] == "STANDARD_IA"
    assert client.get_object_tagging(**place)["TagSet"] == [{"Key": "k", "Value": "v"}]
    assert client.get_object(**place)["Body"].read() == b"bytes"
    assert 'value="é ❄"' in unescape(administrator.get(path(bucket)).text)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key=KEY, Body=b"1")
    was = mark_of(administrator, bucket)
    client.put_object(Bucket=bucket, Key=KEY, Body=b"2", ContentType="text/csv")
    answer = administrator.post(
        path(bucket, "/metadata"), **{"was": was, "content-type": "text/html"}
    )
    assert (answer.status, "changed meanwhile" in answer.words) == (400, True)
    assert 'value="text/html"' in answer.text  # as it was typed
    assert client.head_object(Bucket=bucket, Key=KEY)["ContentType"] == "text/csv"


@pytest.mark.parametrize(
    ("names", "values", "words"),
    [
        (["a b"], ["x"], "cannot be the name of metadata"),
        (["a", "A"], ["x", "y"], "Each key may be there once"),
        (["a"], ["x\r\nx-amz-acl: public-read"], "cannot be seen"),
        (["a"], ["x" * 3000], "metadata"),
    ],
)
def test_wrong_metadata_are_refused_in_a_sentence(
    administrator: Visitor, server: LiveServer, bucket: str,
    names: list[str], values: list[str], words: str,
) -> None:  # fmt: skip
    server.client().put_object(Bucket=bucket, Key=KEY, Body=b"1")
    answer = administrator.post(
        path(bucket, "/metadata"), was=mark_of(administrator, bucket), meta=names, meta_value=values
    )
    assert (answer.status, words in answer.words) == (400, True)
    assert server.client().head_object(Bucket=bucket, Key=KEY)["Metadata"] == {}


def test_tags_are_replaced_and_taken_away(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key=KEY, Body=b"1", Tagging="old=1")
    fields = {"tag": ["project", "année"], "tag_value": ["névé", "2026"]}
    assert "The tags were set." in administrator.post(path(bucket, "/tags"), **fields).words
    found = client.get_object_tagging(Bucket=bucket, Key=KEY)["TagSet"]
    assert {row["Key"]: row["Value"] for row in found} == {"project": "névé", "année": "2026"}
    administrator.post(path(bucket, "/tags"), tag="", tag_value="")
    assert client.get_object_tagging(Bucket=bucket, Key=KEY)["TagSet"] == []


def test_version_is_locked_and_held_and_let_go(administrator: Visitor, server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="verrou", ObjectLockEnabledForBucket=True)
    version = client.put_object(Bucket="verrou", Key=KEY, Body=b"1")["VersionId"]
    place = {"Bucket": "verrou", "Key": KEY, "VersionId": version}
    here = {"bucket": "verrou", "version": version}
    until = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    fields = {"mode": "GOVERNANCE", "until": until.strftime("%Y-%m-%dT%H:%M:%S")}
    done = administrator.post(path(**here, what="/retention"), **fields)
    assert "This version is locked now." in done.words
    found = client.get_object_retention(**place)["Retention"]
    assert found == {"Mode": "GOVERNANCE", "RetainUntilDate": until}

    shorter = fields | {"until": (until - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")}
    refused = administrator.post(path(**here, what="/retention"), **shorter)
    assert refused.status == 403
    assert client.get_object_retention(**place)["Retention"]["RetainUntilDate"] == until
    ended = administrator.post(path(**here, what="/retention"), mode="", bypass="on")
    assert "not locked any more" in ended.words

    held = administrator.post(path(**here, what="/hold"), hold="on")
    assert "under a legal hold" in held.words
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**place)
    administrator.post(path(**here, what="/hold"), hold="off")
    client.delete_object(**place)
    assert "Versions" not in client.list_object_versions(Bucket="verrou")


def test_date_that_is_none_is_said(administrator: Visitor, server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="date", ObjectLockEnabledForBucket=True)
    client.put_object(Bucket="date", Key=KEY, Body=b"1")
    answer = administrator.post(path("date", "/retention"), mode="GOVERNANCE", until="tomorrow")
    assert (answer.status, "Say until when" in answer.words) == (400, True)


def test_who_may_only_read_is_offered_nothing_and_refused(
    user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key=KEY, Body=b"1", ContentType="text/csv")
    reader = user("lecteur", "readonly")
    shown = reader.get(path(bucket))
    assert "do not allow you to change this" in shown.words
    assert '<form method="post" action="/object' not in shown.text
    answer = reader.post(path(bucket, "/tags"), tag="a", tag_value="b")
    assert (answer.status, "do not allow" in answer.words) == (403, True)
    assert client.get_object_tagging(Bucket=bucket, Key=KEY)["TagSet"] == []


def test_hostile_values_stay_text(administrator: Visitor, server: LiveServer, bucket: str) -> None:
    hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'"
    client = server.client()
    client.put_object(
        Bucket=bucket, Key=KEY, Body=b"1", ContentType=hostile, Metadata={"a": hostile}
    )
    # What a policy or another client let in: S3 takes fewer characters in tags.
    client.put_object_tagging(
        Bucket=bucket, Key=KEY, Tagging={"TagSet": [{"Key": "k+-=._:/@", "Value": "v"}]}
    )
    for shown in (
        administrator.get(path(bucket)),
        administrator.post(path(bucket, "/tags"), tag=[hostile], tag_value=[hostile]),
        administrator.post(path(bucket, "/metadata"), was=hostile, meta=hostile, mode=hostile),
        administrator.post(path(bucket, "/retention"), mode="GOVERNANCE", until=hostile),
    ):
        assert "<script>alert" not in shown.text
        assert "<img src=x" not in shown.text
        assert "&lt;script&gt;alert(1)" in shown.text
