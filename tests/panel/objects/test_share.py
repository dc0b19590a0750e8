"""Links with which whoever has them may read."""

import html
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    client = server.client()
    client.create_bucket(Bucket="shared")
    client.put_object(Bucket="shared", Key="a b.txt", Body=b"content")
    return client


def link_of(shown: Shown) -> str:
    found = re.search(r"<code>(http[^<]*X-Amz-Signature[^<]*)</code>", shown.text)
    assert found, shown.words
    return html.unescape(found[1])


@pytest.mark.parametrize("span", [3600, 7 * 86400])
def test_link_is_good_for_as_long_as_was_chosen(administrator: Visitor, s3: Any, span: int) -> None:
    shown = administrator.post("/object/shared/share?key=a+b.txt", span=str(span), file="on")
    link = link_of(shown)
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == [str(span)]
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.read() == b"content"
        assert 'filename="a b.txt"' in answer.headers["content-disposition"]
    assert "Whoever has this link may read the object" in shown.words
    until = datetime.now(UTC) + timedelta(seconds=span)
    times = re.findall(r'<time datetime="([^"]*)"', shown.text)
    assert any(abs(datetime.fromisoformat(each) - until) < timedelta(minutes=2) for each in times)
    again = administrator.get("/object/shared/share", key="a b.txt")
    assert "X-Amz-Signature" not in again.text, "the link is kept nowhere"


def test_other_spans_are_refused(administrator: Visitor, s3: Any) -> None:
    for span in ("", "1", "99999999", "-3600"):
        shown = administrator.post("/object/shared/share?key=a+b.txt", span=span)
        assert shown.status == 400 and "X-Amz-Signature" not in shown.text


def test_key_that_expires_sooner_ends_the_link_and_the_page_says_so(
    server: LiveServer, s3: Any
) -> None:
    admin = MinioAdmin(
        endpoint=urlsplit(server.endpoint).netloc,
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )
    ends = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    admin.add_service_account(
        access_key="short-lived-key", secret_key="short-lived-secret",
        expiration=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    visitor = Visitor(server).login("short-lived-key", "short-lived-secret")
    shown = visitor.post("/object/shared/share?key=a+b.txt", span="86400")
    assert "That is when your access key expires." in shown.words
    assert ends.strftime("%Y-%m-%dT%H:%M:%SZ") in shown.text
    early = visitor.post("/object/shared/share?key=a+b.txt", span="3600")
    assert "when your access key expires" not in early.words


def test_what_may_not_be_read_gets_no_link(user: Callable[..., Visitor], s3: Any) -> None:
    s3.create_bucket(Bucket="denied")
    s3.put_object(Bucket="denied", Key="k", Body=b"x")
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::denied/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="denied", Policy=policy)
    visitor = user("denied", "readwrite")
    for shown in (
        visitor.get("/object/denied/share", key="k"),
        visitor.post("/object/denied/share?key=k", span="3600"),
    ):
        assert shown.status == 403 and "X-Amz-Signature" not in shown.text


def test_public_object_has_its_plain_address(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="everybody")
    s3.put_object(Bucket="everybody", Key="k", Body=b"x")
    assert "is public" not in administrator.get("/object/everybody/share", key="k").words
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::everybody/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="everybody", Policy=policy)
    shown = administrator.get("/object/everybody/share", key="k")
    assert f"{administrator.server.endpoint}/everybody/k" in shown.words


def test_link_of_a_deleted_key_is_dead(server: LiveServer, s3: Any) -> None:
    admin = MinioAdmin(
        endpoint=urlsplit(server.endpoint).netloc,
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )
    admin.add_service_account(access_key="gone-soon-key", secret_key="gone-soon-secret")
    visitor = Visitor(server).login("gone-soon-key", "gone-soon-secret")
    link = link_of(visitor.post("/object/shared/share?key=a+b.txt", span="86400"))
    admin.delete_service_account("gone-soon-key")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link, timeout=30)
