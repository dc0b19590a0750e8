"""ExplainAccess on a live server: who may ask about whom, and that it says what requests meet."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.admin.client import Client
from tests.admin.test_rights import user

from neve.testing.server import LiveServer


@pytest.fixture(scope="module")
def bucket(live_server: LiveServer) -> str:
    client = live_server.client()
    client.create_bucket(Bucket="access-why")
    client.put_object(Bucket="access-why", Key="a/b", Body=b"1", Tagging="kind=raw")
    tagged = {
        "Sid": "Raw",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/access-amy"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::access-why/*",
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/kind": "raw"}},
    }
    client.put_bucket_policy(
        Bucket="access-why",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [tagged]}),
    )
    return "access-why"


@pytest.fixture(scope="module")
def amy(live_server: LiveServer, bucket: str) -> Client:
    return user(live_server, "access-amy", "selfservice")


@pytest.fixture(scope="module")
def bob(live_server: LiveServer, bucket: str) -> Client:
    return user(live_server, "access-bob", "selfservice")


def ask(client: Client, **query: str) -> Any:
    return client("GET", f"neve/explain?{urlencode(query)}")


READ = {"action": "s3:GetObject", "bucket": "access-why", "object": "a/b"}


@pytest.mark.parametrize(("name", "allowed"), [("access-amy", True), ("access-bob", False)])
def test_it_says_what_a_request_meets(
    live_server: LiveServer, amy: Client, bob: Client, name: str, allowed: bool
) -> None:
    client = live_server.client(aws_access_key_id=name, aws_secret_access_key=f"{name}-secret")
    found = ask(Client(live_server), user=name, **READ).json
    assert found["allowed"] is allowed
    try:
        client.get_object(Bucket="access-why", Key="a/b")
        met = True
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        met = False
    assert met is allowed


def test_tags_of_the_object_and_addresses_count(live_server: LiveServer, amy: Client) -> None:
    root = Client(live_server)
    found = ask(root, user="access-amy", **READ).json
    assert (found["policy"], found["statement"]) == ("bucket policy", "Raw")
    other = ask(root, user="access-amy", **{**READ, "object": "absent"}).json
    assert not other["allowed"]
    (raw,) = [each for each in other["considered"] if each["statement"] == "Raw"]
    assert "existingobjecttag/kind" in raw["why"].lower()


def test_everybody_may_ask_about_itself_and_is_told_nothing_about_others(
    live_server: LiveServer, amy: Client, bob: Client
) -> None:
    own = ask(amy, **READ).json
    assert own["allowed"]
    assert own == ask(amy, user="access-amy", **READ).json
    of_bob = ask(bob, **READ).json
    assert "Raw" not in [each["statement"] for each in of_bob["considered"]]
    by_root = ask(Client(live_server), user="access-bob", **READ).json
    assert "Raw" in [each["statement"] for each in by_root["considered"]]
    for query in ({"user": "access-amy"}, {"user": "nobody-known"}, {"anonymous": "true"}):
        assert ask(bob, **query, **READ).code == "AccessDenied"


def test_who_may_read_about_users_may_ask(live_server: LiveServer, amy: Client) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["admin:GetUser"]}],
    }
    assert Client(live_server)("PUT", "add-canned-policy?name=access-ask", document).status == 200
    asker = user(live_server, "access-asker", "access-ask")
    assert ask(asker, user="access-amy", **READ).json["allowed"]
    assert ask(asker, anonymous="true", **READ).json["principal"] == "anonymous"


def test_a_disabled_user_may_nothing(live_server: LiveServer, bucket: str) -> None:
    user(live_server, "access-off", "readwrite")
    assert ask(Client(live_server), user="access-off", **READ).json["allowed"]
    Client(live_server).minio().user_disable("access-off")
    found = ask(Client(live_server), user="access-off", **READ).json
    assert not found["allowed"]
    assert "disabled" in found["reason"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"action": "s3:Fly", "bucket": "b", "object": "k"}, 400),
        ({"action": "s3:GetObject", "bucket": "b"}, 400),
        ({"action": "s3:ListBucket"}, 400),
        ({"bucket": "b"}, 400),
        ({"action": "s3:GetObject", "bucket": "no-such-bucket", "object": "k"}, 404),
        ({"action": "s3:GetObject", "bucket": "b", "object": "k", "user": "no-such-user"}, 404),
    ],
)
def test_nonsense_is_refused(live_server: LiveServer, query: dict[str, str], status: int) -> None:
    assert ask(Client(live_server), **query).status == status


def test_actions_of_other_kinds(live_server: LiveServer, amy: Client) -> None:
    root = Client(live_server)
    assert ask(root, action="admin:serverinfo").json["allowed"]
    assert not ask(root, user="access-amy", action="admin:ServerInfo").json["allowed"]
    made = ask(root, user="access-amy", action="s3:CreateBucket", bucket="access-not-there").json
    assert made["allowed"]
    listed = ask(
        root, user="access-amy", action="s3:ListBucket", bucket="access-why", object="a/"
    ).json
    assert not listed["allowed"]
