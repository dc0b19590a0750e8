"""Versions of an object: shown, compared, restored, deleted."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer

BUCKET = "history"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    client = server.client()
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return client


def put(s3: Any, key: str, *bodies: bytes, **options: Any) -> list[str]:
    return [
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, **options)["VersionId"] for body in bodies
    ]


def current(s3: Any, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def form(shown: Shown, name: str, version: str) -> str:
    """The action of a form, or the link, about a version."""
    found = re.findall(rf'(?:action|href)="([^"]*/{name}\?[^"]*)"', shown.text)
    return next(html.unescape(each) for each in found if f"version={version}" in each)


def test_all_versions_are_listed_and_an_old_one_is_restored(
    administrator: Visitor, s3: Any
) -> None:
    key = "d/a b\n&+.txt"
    first, second = put(s3, key, b"one", b"two!", Metadata={"k": "v"})
    shown = administrator.get(f"/object/{BUCKET}/versions", key=key)
    assert shown.text.index(second) < shown.text.index(first)
    assert "3 B" in shown.words and "4 B" in shown.words and "current" in shown.words
    done = administrator.post(form(shown, "restore", first))
    assert done.status == 200 and "is again what it was" in done.words
    assert current(s3, key) == b"one"
    assert s3.head_object(Bucket=BUCKET, Key=key)["Metadata"] == {"k": "v"}
    listed = s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    assert len(listed) == 3, "what was there before is still there"


def test_deleted_object_comes_back_without_its_marker(administrator: Visitor, s3: Any) -> None:
    put(s3, "gone", b"content")
    marker = s3.delete_object(Bucket=BUCKET, Key="gone")["VersionId"]
    gone = administrator.get(f"/object/{BUCKET}", key="gone")
    assert f"/object/{BUCKET}/versions?key=gone" in gone.text
    shown = administrator.get(f"/object/{BUCKET}/versions", key="gone")
    assert "Compare the two" not in shown.words  # only one of them has content
    ask = administrator.get(form(shown, "delete-version", marker))
    assert "the mark that gone was deleted" in ask.words
    assert administrator.post(form(ask, "delete-version", marker)).status == 200
    assert current(s3, "gone") == b"content"


def test_version_is_deleted_only_on_the_second_page(administrator: Visitor, s3: Any) -> None:
    first, second = put(s3, "two", b"1", b"2")
    shown = administrator.get(f"/object/{BUCKET}/versions", key="two")
    ask = administrator.get(form(shown, "delete-version", second))
    assert "will be gone for good" in ask.words
    assert current(s3, "two") == b"2"
    done = administrator.post(form(ask, "delete-version", second))
    assert "was deleted" in done.words and current(s3, "two") == b"1"
    last = administrator.post(form(shown, "delete-version", first))
    assert last.status == 200 and "Name starts with" in last.words, "back in the folder"


def test_what_is_kept_by_retention_says_so(administrator: Visitor, s3: Any) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    options = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    (version,) = put(s3, "kept", b"x", **options)
    shown = administrator.get(f"/object/{BUCKET}/versions", key="kept")
    ask = administrator.get(form(shown, "delete-version", version))
    assert "Retention keeps it until" in ask.words
    refused = administrator.post(form(ask, "delete-version", version))
    assert refused.status == 403 and 'role="alert"' in refused.text
    assert current(s3, "kept") == b"x"
    administrator.post(form(ask, "delete-version", version), bypass="on")
    assert "Versions" not in s3.list_object_versions(Bucket=BUCKET, Prefix="kept")


def test_comparison_shows_what_differs(administrator: Visitor, s3: Any) -> None:
    lines = [f"line {number}" for number in range(50)]
    (before,) = put(s3, "text", "\n".join(lines).encode(), Metadata={"who": EVIL})
    lines[20] = EVIL
    (after,) = put(s3, "text", "\n".join(lines).encode(), ContentType="text/csv")
    shown = administrator.get(f"/object/{BUCKET}/compare", key="text", before=before, after=after)
    assert EVIL not in shown.text
    assert f"who {EVIL} –" in shown.words and "text/csv" in shown.words
    assert f"-line 20 +{EVIL}" in shown.words
    assert "line 5 " not in shown.words, "only what is near"
    (again,) = put(s3, "text", "\n".join(lines).encode())
    same = administrator.get(f"/object/{BUCKET}/compare", key="text", before=after, after=again)
    assert "Their content is the same." in same.words
    one = administrator.get(f"/object/{BUCKET}/compare", key="text", before=after, after=after)
    assert one.status == 400


def test_comparison_of_other_bytes_says_why_not(administrator: Visitor, s3: Any) -> None:
    a, b, c = put(s3, "bytes", b"\0\1", b"\0\2", b"x\n" * 5000)
    shown = administrator.get(f"/object/{BUCKET}/compare", key="bytes", before=a, after=b)
    assert "Their content is no text." in shown.words
    shown = administrator.get(f"/object/{BUCKET}/compare", key="bytes", before=a, after=c)
    assert "no text" in shown.words or "too large" in shown.words


def test_who_may_only_read_sees_no_buttons_and_is_refused(
    user: Callable[..., Visitor], s3: Any
) -> None:
    first, _ = put(s3, "ro", b"1", b"2")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=POLICY)
    reader = user("reader", "readonly")
    shown = reader.get(f"/object/{BUCKET}/versions", key="ro")
    assert shown.status == 200 and first in shown.text
    assert "Restore" not in shown.words and "Delete" not in shown.words
    for name in ("restore", "delete-version"):
        refused = reader.post(f"/object/{BUCKET}/{name}?key=ro&version={first}")
        assert refused.status == 403
    assert current(s3, "ro") == b"2"


POLICY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal":
{"AWS": ["arn:aws:iam:::user/reader"]}, "Action": ["s3:ListBucketVersions",
"s3:GetObjectVersion", "s3:ListBucket"], "Resource": ["arn:aws:s3:::history",
"arn:aws:s3:::history/*"]}]}"""


def test_forms_want_the_token_of_the_session(administrator: Visitor, s3: Any) -> None:
    first, _ = put(s3, "csrf", b"1", b"2")
    administrator.csrf = "wrong"
    for name in ("restore", "delete-version"):
        path = f"/object/{BUCKET}/{name}?key=csrf&version={first}"
        assert administrator.post(path, csrf="wrong").status == 403
    assert current(s3, "csrf") == b"2"
