"""BucketAccess on a live server: who is named, by what, and that requests meet what was said."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.admin.client import PREFIX, Client
from tests.admin.test_rights import user

from neve.testing.server import LiveServer

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Everybody",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::lab/pub/*",
        },
        {
            "Sid": "Guests",
            "Effect": "Allow",
            "Principal": {
                "AWS": [f"arn:aws:iam::000000000000:user/{name}" for name in ("guest", "gone")]
            },
            "Action": ["s3:ListBucket", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::lab", "arn:aws:s3:::lab/in/*"],
        },
    ],
}
OFFICE = {
    "Effect": "Allow",
    "Action": ["s3:*"],
    "Resource": "*",
    "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
}
LIMIT = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::lab/pub/*"}
NAMES = ("list", "read", "write", "delete", "manage")


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("access") / "data") as live:
        root = Client(live)
        admin = root.minio()
        assert root("PUT", "add-canned-policy?name=office", document(OFFICE)).status == 200
        for name, policy in {
            "keeper": "selfservice",
            "other": "selfservice",
            "guest": "",
            "idle": "",
            "member": "",
            "worker": "office",
            "off": "readwrite",
            "asker": "consoleAdmin",
        }.items():
            user(live, name, *filter(None, [policy]))
        admin.group_add("readers", "member")
        path = "set-user-or-group-policy?userOrGroup=readers&isGroup=true&policyName=reader:lab"
        assert root("PUT", path).status == 200
        admin.user_disable("off")
        keys = {"accessKey": "keeper-key", "secretKey": "keeper-key-secret"}
        keeper = Client(live, "keeper", "keeper-secret")
        limited = keys | {"policy": document(LIMIT)}
        assert keeper("PUT", "add-service-account", limited, sealed=True).status == 200
        whole = {"accessKey": "keeper-whole", "secretKey": "keeper-whole-secret"}
        assert keeper("PUT", "add-service-account", whole, sealed=True).status == 200
        s3 = live.client(aws_access_key_id="keeper", aws_secret_access_key="keeper-secret")
        s3.create_bucket(Bucket="lab")
        for key in ("pub/k", "in/k"):
            s3.put_object(Bucket="lab", Key=key, Body=b"1")
        s3.put_bucket_policy(Bucket="lab", Policy=json.dumps(POLICY))
        yield live


def ask(server: LiveServer, name: str = "", **query: str) -> Any:
    client = Client(server, name, f"{name}-secret") if name else Client(server)
    answer = client("GET", f"neve/access?{urlencode({'bucket': 'lab'} | query)}")
    assert answer.status == 200, answer.body
    return answer.json


def brief(found: Any) -> dict[str, str]:
    """Kind and name → first letters of what may be listed, read, written, deleted, managed."""
    return {
        f"{row['kind']} {row['name']}".strip(): "".join(row[name]["may"][0] for name in NAMES)
        for row in found["who"]
    }


def test_everybody_who_reaches_the_bucket_has_a_row(server: LiveServer) -> None:
    found = ask(server)
    assert (found["bucket"], found["prefix"], found["complete"]) == ("lab", "", True)
    assert (found["next"], brief(found)) == (
        "",
        {
            "anonymous": "npnnn",
            "root root": "yyyyy",
            "user asker": "yyyyy",
            "user guest": "yppnn",
            "user idle": "npnnn",
            "user keeper": "yyyyy",
            "user member": "yynnn",
            "user other": "npnnn",
            "user worker": "cpccc",
            "key keeper-key": "npnnn",
        },
    )


def test_below_a_prefix(server: LiveServer) -> None:
    assert brief(ask(server, prefix="in/")) == {
        "anonymous": "nnnnn",
        "root root": "yyyyy",
        "user asker": "yyyyy",
        "user guest": "ynynn",
        "user keeper": "yyyyy",
        "user member": "yynnn",
        "user worker": "ccccc",
    }
    rows = brief(ask(server, prefix="pub/"))
    assert (rows["anonymous"], rows["key keeper-key"]) == ("nynnn", "nynnn")


def test_it_says_by_what(server: LiveServer) -> None:
    rows = {f"{row['kind']} {row['name']}": row for row in ask(server)["who"]}
    everybody = {"policy": "bucket policy", "may": "partly", "statement": "Everybody"}
    assert rows["anonymous "]["read"] == {"may": "partly", "by": [everybody], "against": []}
    assert rows["root root"]["manage"]["by"] == [{"policy": "root", "may": "yes"}]
    member = {"policy": "policy reader:lab", "may": "yes", "statement": "NO_ID-1"}
    assert rows["user member"]["list"]["by"] == [member | {"via": ["readers"]}]
    keeper = rows["user keeper"]
    assert keeper["owner"]
    assert keeper["manage"]["by"] == [
        {"policy": "policy selfservice", "may": "yes", "statement": "NO_ID-1"}
    ]
    assert (rows["key keeper-key"]["user"], rows["key keeper-key"]["owner"]) == ("keeper", True)
    assert not rows["user other"]["owner"]


@pytest.mark.parametrize("prefix", ["pub/", "in/", "else/"])
def test_requests_meet_what_is_certain(server: LiveServer, prefix: str) -> None:
    found = {f"{row['kind']} {row['name']}": row for row in ask(server, prefix=prefix)["who"]}
    nothing = {name: {"may": "no"} for name in NAMES}
    clients = {"anonymous ": server.client(config=Config(signature_version=UNSIGNED))}
    for kind, name in (
        *(("user", each) for each in ("guest", "idle", "keeper", "member", "other", "worker")),
        ("key", "keeper-key"),
    ):
        clients[f"{kind} {name}"] = server.client(
            aws_access_key_id=name, aws_secret_access_key=f"{name}-secret"
        )
    place = {"Bucket": "lab", "Key": prefix + "k"}
    for who, s3 in clients.items():
        said = found.get(who, nothing)
        requests = {
            "list": lambda s3=s3: s3.list_objects_v2(Bucket="lab", Prefix=prefix),
            "write": lambda s3=s3: s3.put_object(**place, Body=b"1"),
            "read": lambda s3=s3: s3.get_object(**place),
            "delete": lambda s3=s3: s3.delete_object(Bucket="lab", Key=prefix + "none"),
        }
        if prefix == "else/":
            del requests["read"]  # what is absent is told of to few
        for name, request in requests.items():
            try:
                request()
                met = "yes"
            except ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDenied"
                met = "no"
            assert said[name]["may"] in (met, "conditionally"), (who, name)


def test_the_owner_is_told_what_its_policy_says(server: LiveServer) -> None:
    found = ask(server, "keeper")
    assert not found["complete"]
    assert brief(found) == {
        "anonymous": "npnnn",
        "root root": "yyyyy",
        "user guest": "yppnn",
        "user keeper": "yyyyy",
    }
    assert {row["name"]: row["known"] for row in found["who"]} == {
        "": True,
        "root": True,
        "guest": False,
        "keeper": True,
    }


def test_others_are_told_nothing(server: LiveServer) -> None:
    path = "neve/access?bucket=lab"
    for name in ("guest", "member", "other", "idle"):
        answer = Client(server, name, f"{name}-secret")("GET", path)
        assert answer.code == "AccessDenied"
    key = Client(server, "keeper-key", "keeper-key-secret")
    assert key("GET", path).code == "AccessDenied"
    assert urllib3.request("GET", f"{server.endpoint}{PREFIX}{path}").status == 403


def test_keys_of_others_need_the_right_to_see_them(server: LiveServer) -> None:
    root = Client(server)
    allowed = {"Effect": "Allow", "Action": ["admin:ListUserPolicies"]}
    assert root("PUT", "add-canned-policy?name=only-policies", document(allowed)).status == 200
    user(server, "clerk", "only-policies")
    found = ask(server, "clerk")
    assert found["complete"]
    assert "key" not in {row["kind"] for row in found["who"]}
    assert "keeper" in {row["name"] for row in found["who"]}


def test_pages(server: LiveServer) -> None:
    whole = ask(server)["who"]
    rows: list[Any] = []
    marker = ""
    for _ in range(len(whole)):
        page = ask(server, limit="3", marker=marker)
        assert len(page["who"]) <= 3
        rows += page["who"]
        marker = page["next"]
        if not marker:
            break
    assert rows == whole
    # Somebody who is gone is a marker all the same.
    names = [row["name"] for row in ask(server, marker="user/kee")["who"]]
    assert names[0] == "keeper"


def test_nonsense_is_refused(server: LiveServer) -> None:
    root = Client(server)
    for path, code in (
        ("neve/access", "XMinioAdminInvalidArgument"),
        ("neve/access?bucket=absent-one", "NoSuchBucket"),
        ("neve/access?bucket=lab&marker=x", "XMinioAdminInvalidArgument"),
        ("neve/access?bucket=lab&limit=0", "InvalidArgument"),
    ):
        assert root("GET", path).code == code
