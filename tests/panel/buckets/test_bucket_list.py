"""The list of buckets, making one, and a bucket at a glance, as pages."""

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from pytest import raises

from neve.testing.server import LiveServer


def names(text: str) -> list[str]:
    return re.findall(r'<tr data-name="([^"]*)"', text)


def test_list_is_sorted_and_filtered(administrator: Any, server: LiveServer) -> None:
    client = server.client()
    for name, size in (("sorted-a", 10), ("sorted-b", 3000), ("sorted-c", 200)):
        client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key="k", Body=b"x" * size)
    shown = administrator.get("/buckets", q="sorted", sort="bytes", order="down")
    assert names(shown.text) == ["sorted-b", "sorted-c", "sorted-a"]
    assert "2.9 KiB" in shown.words
    shown = administrator.get("/buckets", q="SORTED-A")
    assert names(shown.text) == ["sorted-a"]
    shown = administrator.get("/buckets", q='<script>alert("x")</script>')
    assert names(shown.text) == []
    assert "<script>alert" not in shown.text


def test_who_sees_no_bucket_is_told_what_to_do(user: Callable[..., Any]) -> None:
    shown = user("list-nobody", "writeonly").get("/buckets")
    assert shown.status == 200
    assert "Ask an administrator" in shown.words
    assert "/buckets/_new" not in shown.text


def test_bucket_with_versions_lock_and_quota(administrator: Any, server: LiveServer) -> None:
    administrator.get("/buckets/_new")
    shown = administrator.post(
        "/buckets/_new", name="made-whole", lock="on", mode="GOVERNANCE", number="2", unit="Years",
        bytes="1,5 Go", objects="1000", follow=False,
    )  # fmt: skip
    assert (shown.status, shown.headers["location"]) == (303, "/browse/made-whole")
    client = server.client()
    assert client.get_bucket_versioning(Bucket="made-whole")["Status"] == "Enabled"
    lock = client.get_object_lock_configuration(Bucket="made-whole")["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Years": 2}
    overview = administrator.get("/buckets/made-whole").words
    assert "of 1.4 GiB" in overview
    assert "0 of 1,000" in overview


def test_what_cannot_be_read_makes_nothing_and_stays_in_the_form(
    administrator: Any, server: LiveServer
) -> None:
    administrator.get("/buckets/_new")
    shown = administrator.post("/buckets/_new", name="made-not", bytes="many", versioning="on")
    assert shown.status == 400
    assert "“many” is no size" in shown.words
    assert 'value="made-not"' in shown.text
    assert re.search(r'name="versioning"[^>]* checked', shown.text)
    with raises(ClientError):
        server.client().head_bucket(Bucket="made-not")
    for name in ("No-Capitals", "ab", "192.168.0.1", "neve"):
        shown = administrator.post("/buckets/_new", name=name)
        assert shown.status == 400
        assert "cannot name a bucket" in shown.words
    server.client().create_bucket(Bucket="made-before")
    shown = administrator.post("/buckets/_new", name="made-before")
    assert shown.status == 409
    assert "You have a bucket of this name already." in shown.words


def test_user_with_selfservice_makes_a_bucket_but_no_quota(
    user: Callable[..., Any], server: LiveServer
) -> None:
    alice = user("list-alice", "selfservice")
    form = alice.get("/buckets/_new")
    assert 'name="bytes"' not in form.text
    # The form does not offer it; who asks all the same is told exactly what was done.
    shown = alice.post("/buckets/_new", name="made-partly", versioning="on", bytes="1 GiB")
    assert shown.status == 200
    assert "The bucket made-partly was made. It keeps versions. The quota was not set: Your " in (
        shown.words
    )
    assert server.client().get_bucket_versioning(Bucket="made-partly")["Status"] == "Enabled"
    assert names(alice.get("/buckets").text) == ["made-partly"]


def test_paths_that_name_no_bucket(administrator: Any) -> None:
    for path in ("/buckets/..%2f..", "/buckets/%3Cscript%3E", "/buckets/UPPER", "/buckets/a"):
        assert administrator.get(path).status == 404
    shown = administrator.get("/buckets/not-there-at-all")
    assert shown.status == 404
    assert "This bucket does not exist." in shown.words


def test_overview_tells_what_is_in_it_to_who_may_know(
    administrator: Any, user: Callable[..., Any], server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="glance")
    client.put_bucket_versioning(Bucket="glance", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two", b"three"):
        client.put_object(Bucket="glance", Key="k", Body=body)
    client.put_object(Bucket="glance", Key="other", Body=b"")
    client.delete_object(Bucket="glance", Key="other")
    client.create_multipart_upload(Bucket="glance", Key="big")
    words = administrator.get("/buckets/glance").words
    assert "Objects 1 Older versions 3 and 1 delete marker Uploads in progress 1" in words
    assert f"{server.endpoint}/glance" in words
    shown = user("list-writer", "writeonly").get("/buckets/glance")
    assert shown.status == 403
