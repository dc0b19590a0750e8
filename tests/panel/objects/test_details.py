"""The page of an object: what is known of it, and its download."""

import html
import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.panel.conftest import Visitor

from neve.client.alias import Alias
from neve.client.s3 import S3
from neve.client.transport import Transport
from neve.testing.server import LiveServer

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    return server.client()


def fetch(url: str) -> tuple[bytes, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read(), answer.headers


def test_everything_that_is_known_is_told(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="facts", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    made = s3.put_object(
        Bucket="facts", Key="d/o.bin", Body=b"x" * 2048, ContentType="application/x-evil",
        Metadata={"station": EVIL}, Tagging="projet=glace", CacheControl="max-age=5",
        ChecksumAlgorithm="SHA256", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )  # fmt: skip
    shown = administrator.get("/object/facts", key="d/o.bin")
    for text in (
        "2.0 KiB (2,048 bytes)", "application/x-evil", made["ETag"].strip('"'),
        made["ChecksumSHA256"], made["VersionId"], EVIL, "projet glace", "max-age=5", "GOVERNANCE",
        "Legal hold", "s3://facts/d/o.bin", f"{administrator.server.endpoint}/facts/d/o.bin",
    ):  # fmt: skip
        assert text in shown.words, text
    assert EVIL not in shown.text
    s3.put_object_legal_hold(Bucket="facts", Key="d/o.bin", LegalHold={"Status": "OFF"})
    s3.delete_object(
        Bucket="facts", Key="d/o.bin", VersionId=made["VersionId"], BypassGovernanceRetention=True
    )


@pytest.mark.parametrize("key", ["a/ü &+#?%41.txt", "new\nline", '"quoted\\".txt', "../up", EVIL])
def test_download_leads_to_the_bytes_under_their_name(
    administrator: Visitor, s3: Any, key: str
) -> None:
    bucket = "gets"
    if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/html")
    shown = administrator.get(f"/object/{bucket}", key=key)
    assert shown.status == 200 and EVIL not in shown.text
    link = re.search(r'href="([^"]*/download\?[^"]*)"', shown.text)
    assert link
    answer = administrator.get(html.unescape(link[1]), follow=False)
    assert answer.status == 303 and "X-Amz-Signature" not in shown.text
    body, headers = fetch(answer.headers["location"])
    assert body == key.encode()
    disposition = headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.endswith("filename*=UTF-8''" + quote(key.rpartition("/")[2], safe=""))


def test_metadata_in_utf_8_is_read_as_such(
    administrator: Visitor, server: LiveServer, s3: Any
) -> None:
    s3.create_bucket(Bucket="utf8")
    alias = Alias("t", server.endpoint, server.access_key, server.secret_key, path="on")
    with S3(Transport(alias)) as client:
        client.put("utf8", "k", b"", headers={"x-amz-meta-lieu": "Névé"})
    assert "lieu Névé" in administrator.get("/object/utf8", key="k").words


def test_versions_have_pages_of_their_own(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket="versioned", Key="k", Body=b"old one")["VersionId"]
    s3.put_object(Bucket="versioned", Key="k", Body=b"new")
    marker = s3.delete_object(Bucket="versioned", Key="k")["VersionId"]
    shown = administrator.get("/object/versioned", key="k", version=old)
    assert "7 B" in shown.words and old in shown.words
    answer = administrator.get("/object/versioned/download", follow=False, key="k", version=old)
    assert fetch(answer.headers["location"])[0] == b"old one"
    gone = administrator.get("/object/versioned", key="k")
    assert gone.status == 404 and "This object was deleted." in gone.words
    never = administrator.get("/object/versioned", key="never")
    assert never.status == 404 and "This object does not exist." in never.words
    deleted = administrator.get("/object/versioned", key="k", version=marker)
    assert deleted.status == 404 and "was deleted" in deleted.words


def test_anonymous_see_and_download_what_is_public(visitor: Visitor, s3: Any) -> None:
    for bucket in ("free", "secret"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a b", Body=b"content")
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::free/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="free", Policy=policy)
    shown = visitor.get("/object/free", key="a b")
    assert shown.status == 200 and "7 B" in shown.words
    answer = visitor.get("/object/free/download", follow=False, key="a b")
    assert answer.headers["location"] == f"{visitor.server.endpoint}/free/a%20b"
    assert fetch(answer.headers["location"])[0] == b"content"
    for path in ("/object/secret", "/object/secret/download"):
        refused = visitor.get(path, follow=False, key="a b")
        assert refused.status == 303 and refused.headers["location"].startswith("/login?next=")
