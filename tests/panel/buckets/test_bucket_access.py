"""The page of a bucket's access: what it makes of the policy, and what that lets people do."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError

from neve.testing.server import LiveServer

HOSTILE = '"><script>alert(1)</script>'


def anonymous(server: LiveServer, path: str, method: str = "GET") -> int:
    """The status that somebody without keys gets."""
    body = b"x" if method == "PUT" else None
    request = urllib.request.Request(f"{server.endpoint}/{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_public_and_private_again(administrator: Any, server: LiveServer, bucket: str) -> None:
    client, path = server.client(), f"/buckets/{bucket}/access"
    client.put_object(Bucket=bucket, Key="k", Body=b"1")
    own = {
        "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/x"]},
        "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [own]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert "private" in administrator.get(path).words
    shown = administrator.post(path, what="readable")
    assert "public: everybody may list and read" in shown.words
    assert (anonymous(server, bucket), anonymous(server, f"{bucket}/k")) == (200, 200)
    assert anonymous(server, f"{bucket}/new", "PUT") == 403
    shown = administrator.post(path, what="private")
    assert (anonymous(server, bucket), anonymous(server, f"{bucket}/k")) == (403, 403)
    # What a named user was given stayed.
    assert json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] == [own]


def test_rules_by_prefix(administrator: Any, server: LiveServer, bucket: str) -> None:
    client, path = server.client(), f"/buckets/{bucket}/access"
    for key in ("public/a", "private/a"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    administrator.get(path)
    administrator.post(path, what="rule", prefix="public/*", permission="download", listing="on")
    administrator.post(path, what="rule", prefix="inbox/", permission="upload")
    assert anonymous(server, f"{bucket}/public/a") == 200
    assert anonymous(server, f"{bucket}?list-type=2&prefix=public/") == 200
    assert anonymous(server, f"{bucket}?list-type=2") == 403
    assert anonymous(server, f"{bucket}/private/a") == 403
    assert anonymous(server, f"{bucket}/inbox/a", "PUT") == 200
    shown = administrator.post(path, what="rule", prefix="public/", permission="none")
    assert anonymous(server, f"{bucket}/public/a") == 403
    assert "public/" not in shown.words
    shown = administrator.post(path, what="rule", prefix="a*b/", permission="download")
    assert (shown.status, 'value="a*b/"' in shown.text) == (400, True)


def test_everybody_may_write_but_not_delete(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/access"
    administrator.get(path)
    shown = administrator.post(path, what="grant", who="everybody", uses=["write"], prefix="in/")
    assert "s3:PutObject" in shown.words
    assert anonymous(server, f"{bucket}/in/a", "PUT") == 200
    assert anonymous(server, f"{bucket}/in/a", "DELETE") == 403
    assert anonymous(server, f"{bucket}/in/a") == 403
    administrator.post(path, what="grant", who="everybody", uses=["delete"], prefix="in/")
    assert anonymous(server, f"{bucket}/in/a", "DELETE") == 204


def test_prefix_with_a_line_break_is_taken_out_again(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/access"
    administrator.get(path)
    shown = administrator.post(path, what="rule", prefix="a%0Ab/", permission="download")
    policy = server.client().get_bucket_policy(Bucket=bucket)["Policy"]
    assert "a\\nb/*" in policy
    field = shown.text.split('name="prefix" value="')[1].split('"')[0]
    administrator.post(path, what="rule", prefix=field, permission="none")
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        server.client().get_bucket_policy(Bucket=bucket)


def test_user_is_let_in_under_a_prefix_and_out_again(
    administrator: Any, user: Callable[..., Any], server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/access"
    user("access-alice")
    alice = server.client(
        aws_access_key_id="access-alice", aws_secret_access_key="secret-of-the-user"
    )
    administrator.get(path)
    administrator.post(
        path, what="grant", who="user", name="access-alice", uses=["list", "read", "write"],
        prefix="hers/",
    )  # fmt: skip
    alice.put_object(Bucket=bucket, Key="hers/a", Body=b"1")
    assert alice.get_object(Bucket=bucket, Key="hers/a")["Body"].read() == b"1"
    assert alice.list_objects_v2(Bucket=bucket, Prefix="hers/")["KeyCount"] == 1
    for call in (
        lambda: alice.put_object(Bucket=bucket, Key="other", Body=b"1"),
        lambda: alice.list_objects_v2(Bucket=bucket),
        lambda: alice.delete_object(Bucket=bucket, Key="hers/a"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    shown = administrator.get(path)
    assert "access-alice" in shown.words
    for field in ("place", "mark"):
        assert f'name="{field}"' in shown.text
    assert administrator.post(path, what="take", place="0", mark="old").status == 400
    for _ in range(3):
        mark = shown.text.split('name="mark" value="')[1].split('"')[0]
        shown = administrator.post(path, what="take", place="0", mark=mark)
        assert shown.status == 200
    with pytest.raises(ClientError, match="AccessDenied"):
        alice.get_object(Bucket=bucket, Key="hers/a")
    assert administrator.post(path, what="grant", who="user", name="", uses=["read"]).status == 400
    assert administrator.post(path, what="grant", who="user", name="x").status == 400


def test_document_is_checked_and_kept_as_typed(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/access"
    administrator.get(path)
    shown = administrator.post(path, what="document", document='\n{"Statement": [\n}')
    assert (shown.status, "line 3, column 1" in shown.words) == (400, True)
    assert "&#34;Statement&#34;" in shown.text
    wrong = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": HOSTILE, "Effect": "Perhaps", "Principal": "*", "Action": "s3:GetObject",
             "Resource": f"arn:aws:s3:::{bucket}/*"}
        ],
    }  # fmt: skip
    shown = administrator.post(path, what="document", document=json.dumps(wrong))
    assert shown.status == 400
    assert "This is not a valid policy." in shown.words
    assert "<script>" not in shown.text.replace('<script type="module"', "")
    wrong["Statement"][0]["Effect"] = "Allow"  # type: ignore[index]
    wrong["Statement"][0]["Sid"] = "Hostile"  # type: ignore[index]
    wrong["Statement"][0]["Condition"] = {"StringEquals": {"aws:Referer": HOSTILE}}  # type: ignore[index]
    shown = administrator.post(path, what="document", document=json.dumps(wrong))
    assert (shown.status, "<script>alert" in shown.text) == (200, False)
    kept = json.loads(server.client().get_bucket_policy(Bucket=bucket)["Policy"])
    assert kept == wrong
    administrator.post(path, what="document", document=" ")
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        server.client().get_bucket_policy(Bucket=bucket)


def test_who_can_reach_it_and_why(
    administrator: Any, user: Callable[..., Any], server: LiveServer, bucket: str
) -> None:
    user("access-reach", f"reader:{bucket}/cmip6/")
    path = f"/buckets/{bucket}/access"
    words = administrator.get(path, within="cmip6/").words
    assert f"access-reach yes yes no no no policy reader:{bucket}/cmip6/" in words
    assert "access-reach no no" not in administrator.get(path, within="other/").words
    assert "access-reach" not in administrator.get(path, within="other/").words


def test_block_of_public_access_is_set_and_named_as_the_reason(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    more = f"/buckets/{bucket}/more"
    administrator.get(more)
    administrator.post(more, what="blocks", blocks=["BlockPublicPolicy"])
    found = server.client().get_public_access_block(Bucket=bucket)
    assert found["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    shown = administrator.post(f"/buckets/{bucket}/access", what="readable")
    assert shown.status == 403
    assert "Public policies are blocked for this bucket" in shown.words
    administrator.post(more, what="blocks")
    assert administrator.post(f"/buckets/{bucket}/access", what="readable").status == 200


def test_ownership_acl_and_switches(administrator: Any, server: LiveServer, bucket: str) -> None:
    client, more = server.client(), f"/buckets/{bucket}/more"
    administrator.get(more)
    administrator.post(more, what="acl", acl="public-read")
    assert "everybody READ" in administrator.get(more).words
    assert anonymous(server, bucket) == 200
    words = administrator.get(f"/buckets/{bucket}/access").words
    assert "But the bucket's ACL, on the page “Advanced”, lets everybody in." in words
    administrator.post(more, what="acl", acl="private")
    administrator.post(more, what="ownership", ownership="BucketOwnerEnforced")
    rules = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "ACLs are off" in administrator.get(more).words
    administrator.post(f"/buckets/{bucket}/access", what="rule", permission="download")
    assert anonymous(server, f"{bucket}/absent") == 403
    administrator.post(more, what="options", public_404="on")
    assert anonymous(server, f"{bucket}/absent") == 404
