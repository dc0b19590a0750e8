"""BucketsInfo and UsageInfo on a live server: who sees which buckets and what of them."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.admin.client import PREFIX, Client
from tests.admin.test_rights import user

from neve.iam.principals import root_principal, user_canonical_id
from neve.testing.server import LiveServer

QUOTA = {"bytes": 1000, "objects": 10, "soft": 50, "prefixes": {"a/": {"bytes": 100}}}
PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::data/a/*",
        },
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::data",
            "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        },
    ],
}


POLICIES = {
    "dropper": [{"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": "*"}],
    "counter": [
        {"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["admin:DataUsageInfo"]},
    ],
}
USERS = {
    "ruler": "selfservice",
    "reader": "reader:data",
    "part": "reader:data/a/",
    "dropper": "dropper",
    "counter": "counter",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A store whose buckets are all known: no other test makes some."""
    with LiveServer(tmp_path_factory.mktemp("buckets") / "data") as live:
        s3, root = live.client(), Client(live)
        for name, statements in POLICIES.items():
            document = {"Version": "2012-10-17", "Statement": statements}
            assert root("PUT", f"add-canned-policy?name={name}", document).status == 200
        for name, policy in USERS.items():
            user(live, name, policy)
        user(live, "nobody")
        s3.create_bucket(Bucket="data")
        s3.create_bucket(Bucket="empty", ObjectLockEnabledForBucket=True)
        s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        for key, body in (("a/x", b"12345"), ("a/x", b"123"), ("b", b"1")):
            s3.put_object(Bucket="data", Key=key, Body=body)
        s3.delete_object(Bucket="data", Key="b")
        s3.create_multipart_upload(Bucket="data", Key="big")
        s3.put_bucket_policy(Bucket="data", Policy=json.dumps(PUBLIC))
        mine = live.client(aws_access_key_id="ruler", aws_secret_access_key="ruler-secret")
        mine.create_bucket(Bucket="mine")
        mine.put_object(Bucket="mine", Key="k", Body=b"12")
        put_quota(live, "data", QUOTA)
        yield live


def put_quota(server: LiveServer, bucket: str, quota: dict[str, Any]) -> None:
    url, data = f"{server.endpoint}/{bucket}?neve-quota=", json.dumps(quota).encode()
    request = AWSRequest("PUT", url, data=data)
    keys = Credentials(server.access_key, server.secret_key)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    answer = urllib3.request("PUT", url, body=data, headers=dict(request.headers))
    assert answer.status == 204, answer.data


def client(server: LiveServer, name: str) -> Client:
    return Client(server) if name == "root" else Client(server, name, f"{name}-secret")


def listed(server: LiveServer, name: str, **query: str) -> dict[str, dict[str, Any]]:
    answer = client(server, name)("GET", f"neve/buckets?{urlencode(query)}")
    assert answer.status == 200, answer.body
    return {row["name"]: row for row in answer.json["buckets"]}


def asked(server: LiveServer, name: str, **query: str) -> Any:
    return client(server, name)("GET", f"neve/usage?{urlencode(query)}")


USAGE = {
    "objects": 1,
    "bytes": 9,
    "versions": 3,
    "deleteMarkers": 1,
    "quota": {"bytes": 1000, "objects": 10, "soft": 50},
    "percent": 30,
    "warning": False,
}


def test_root_sees_everything_about_every_bucket(server: LiveServer) -> None:
    rows = listed(server, "root")
    assert list(rows) == ["data", "empty", "mine"]
    data = rows["data"]
    assert data["usage"] == USAGE
    assert data["created"].startswith("20")
    assert (data["owner"], data["ownerName"]) == (root_principal("").canonical_id, "root")
    assert (data["own"], data["versioning"], data["locking"]) == (True, "Enabled", False)
    assert data["public"] == {"list": "conditionally", "read": "partly", "write": "no"}
    assert rows["empty"]["locking"]
    assert rows["empty"]["public"] == dict.fromkeys(("list", "read", "write"), "no")
    mine = rows["mine"]
    assert (mine["owner"], mine["ownerName"]) == (user_canonical_id("ruler"), "ruler")
    assert not mine["own"]
    assert (mine["versioning"], mine["usage"]["bytes"]) == ("", 2)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ruler", ["mine"]),
        ("reader", ["data"]),
        ("dropper", ["data", "empty", "mine"]),
        ("counter", ["data", "empty", "mine"]),
        ("part", ["data"]),
    ],
)
def test_others_see_what_list_buckets_shows(server: LiveServer, name: str, seen: list[str]) -> None:
    keys = {"aws_access_key_id": name, "aws_secret_access_key": f"{name}-secret"}
    shown = server.client(**keys).list_buckets()["Buckets"]
    assert list(listed(server, name)) == [row["Name"] for row in shown] == seen


def test_counts_are_for_who_may_count(server: LiveServer) -> None:
    assert listed(server, "reader")["data"]["usage"] == USAGE
    assert listed(server, "counter")["mine"]["usage"]["objects"] == 1
    own = listed(server, "ruler")["mine"]
    assert (own["usage"]["objects"], own["own"], own["ownerName"]) == (1, True, "ruler")
    assert listed(server, "dropper")["data"]["usage"] is None
    assert listed(server, "part")["data"]["usage"] is None
    # Whoever may not list users is not told their names.
    assert listed(server, "counter")["mine"]["ownerName"] == ""


def test_who_can_see_none_is_refused_as_by_list_buckets(server: LiveServer) -> None:
    assert client(server, "nobody")("GET", "neve/buckets").code == "AccessDenied"
    answer = urllib3.request("GET", f"{server.endpoint}{PREFIX}neve/buckets")
    assert answer.json()["Code"] == "AccessDenied"


def test_pages_and_prefixes(server: LiveServer) -> None:
    root = Client(server)
    first = root("GET", "neve/buckets?limit=2").json
    assert ([row["name"] for row in first["buckets"]], first["next"]) == (
        ["data", "empty"],
        "empty",
    )
    second = root("GET", "neve/buckets?limit=2&marker=empty").json
    assert ([row["name"] for row in second["buckets"]], second["next"]) == (["mine"], "")
    assert list(listed(server, "root", prefix="e")) == ["empty"]
    assert root("GET", "neve/buckets?limit=0").code == "InvalidArgument"


def test_usage_of_a_bucket(server: LiveServer) -> None:
    found = asked(server, "root", bucket="data").json
    assert found["usage"] == USAGE
    assert found["uploads"] == 1
    assert found["prefixes"] == {
        "a/": {"objects": 2, "bytes": 8, "quota": {"bytes": 100}, "percent": 8, "warning": False}
    }
    assert found["owners"] == {root_principal("").canonical_id: {"objects": 3, "bytes": 9}}
    assert asked(server, "reader", bucket="data").json == found | {"owners": {}}
    assert asked(server, "counter", bucket="data").json == found
    for name in ("part", "dropper", "ruler", "nobody"):
        assert asked(server, name, bucket="data").code == "AccessDenied"
    assert asked(server, "root", bucket="absent").code == "NoSuchBucket"


def test_usage_of_a_prefix(server: LiveServer) -> None:
    counted = asked(server, "part", bucket="data", prefix="a/").json
    assert counted["usage"]["bytes"] == 8
    assert asked(server, "root", bucket="data", prefix="b").json["usage"] is None
    assert asked(server, "part", bucket="data", prefix="b").code == "AccessDenied"


def test_usage_of_a_user(server: LiveServer) -> None:
    id = user_canonical_id("ruler")
    for name in ("root", "counter", "ruler"):
        for owner in ("ruler", id):
            found = asked(server, name, owner=owner).json
            assert found == {"owner": id, "objects": 1, "bytes": 2}
            found = asked(server, name, owner=owner, bucket="mine").json
            assert found == {"bucket": "mine", "owner": id, "objects": 1, "bytes": 2}
    assert asked(server, "ruler", owner=server.access_key, bucket="mine").json["objects"] == 0
    assert asked(server, "reader", owner="ruler").code == "AccessDenied"
    assert asked(server, "reader", owner="ruler", bucket="mine").code == "AccessDenied"
    assert asked(server, "reader", owner="reader").json["objects"] == 0
    assert asked(server, "root").code == "XMinioAdminInvalidArgument"
