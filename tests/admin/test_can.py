"""CanDo on a live server: what it says is what the requests themselves meet."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.admin.client import PREFIX, Client
from tests.admin.test_rights import user

from neve.admin.can import ASKS_MAX
from neve.admin.routes import ROUTES
from neve.testing.server import LiveServer

OPEN, ACL, MINE, SHUT, LOCKED = "can-open", "can-acl", "can-mine", "can-shut", "can-restricted"
BUCKETS = (OPEN, ACL, MINE, SHUT, LOCKED, "can-absent")
KEYS = ("a/present", "b/present")
USERS = {
    "can-readonly": ("readonly",),
    "can-readwrite": ("readwrite",),
    "can-self": ("selfservice",),
    "can-custom": ("can-custom",),
    "can-admin": ("consoleAdmin",),
    "can-nothing": (),
}
CUSTOM = [
    {"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::can-*"},
    {"Effect": "Allow", "Action": ["admin:ListUsers", "admin:GetBucketQuota"]},
    {"Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": "arn:aws:s3:::*/b/*"},
    {
        "Effect": "Deny",
        "Action": ["s3:ListBucket"],
        "Resource": "arn:aws:s3:::*",
        "Condition": {"StringNotLike": {"s3:prefix": "a/*"}},
    },
    {"Effect": "Deny", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"},
    {"Effect": "Deny", "Action": ["admin:CreateServiceAccount"]},
]
PUBLIC = [
    {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{OPEN}/a/*",
    },
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:GetBucketVersioning"],
        "Resource": [f"arn:aws:s3:::{OPEN}", f"arn:aws:s3:::{OPEN}/b/*"],
    },
]


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


@pytest.fixture(scope="module")
def everybody(live_server: LiveServer) -> dict[str, tuple[str, str]]:
    """Name → access key and secret, in a store with buckets of each kind."""
    root, s3 = Client(live_server), live_server.client()
    assert root("PUT", "add-canned-policy?name=can-custom", _document(CUSTOM)).status == 200
    for name, policies in USERS.items():
        user(live_server, name, *policies)
    found = {name: (name, f"{name}-secret") for name in USERS}
    found["root"] = (live_server.access_key, live_server.secret_key)
    own = live_server.client(aws_access_key_id="can-self", aws_secret_access_key="can-self-secret")
    for name in (OPEN, ACL, SHUT, LOCKED):
        s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    own.create_bucket(Bucket=MINE)
    for name in (OPEN, ACL, SHUT, LOCKED, MINE):
        for key in KEYS:
            s3.put_object(Bucket=name, Key=key, Body=b"1")
    s3.put_bucket_policy(Bucket=OPEN, Policy=json.dumps(_document(PUBLIC)))
    restricted = json.dumps(_document(PUBLIC[:1])).replace(OPEN, LOCKED)
    s3.put_bucket_policy(Bucket=LOCKED, Policy=restricted)
    s3.put_public_access_block(
        Bucket=LOCKED, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    s3.put_bucket_acl(Bucket=ACL, ACL="public-read-write")
    s3.put_object_acl(Bucket=ACL, Key="a/present", ACL="public-read")
    limit = _document([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}])
    for name in ("can-readwrite", "root"):
        keys = {"accessKey": f"{name}-key", "secretKey": "can-key-secret", "policy": limit}
        client = Client(live_server, *found[name])
        assert client("PUT", "add-service-account", keys, sealed=True).status == 200
        found[f"limited {name}"] = (f"{name}-key", "can-key-secret")
    return found


def s3_of(server: LiveServer, keys: tuple[str, str] | None) -> Any:
    if keys is None:
        return server.client(config=Config(signature_version=UNSIGNED))
    return server.client(aws_access_key_id=keys[0], aws_secret_access_key=keys[1])


def ask(server: LiveServer, keys: tuple[str, str] | None, asks: list[dict[str, Any]]) -> Any:
    if keys is not None:
        answer = Client(server, *keys)("POST", "neve/can", {"asks": asks})
        assert answer.status == 200, answer.body
        return answer.json["answers"]
    unsigned = urllib3.request("POST", f"{server.endpoint}{PREFIX}neve/can", json={"asks": asks})
    assert unsigned.status == 200, unsigned.data
    return unsigned.json()["answers"]


_MALFORMED = {"Status": "Nonsense"}
ON_BUCKETS: dict[str, Callable[[Any, str], Any]] = {
    "s3:ListBucketVersions": lambda s3, b: s3.list_object_versions(Bucket=b),
    "s3:ListBucketMultipartUploads": lambda s3, b: s3.list_multipart_uploads(Bucket=b),
    "s3:GetBucketLocation": lambda s3, b: s3.get_bucket_location(Bucket=b),
    "s3:GetBucketPolicy": lambda s3, b: s3.get_bucket_policy(Bucket=b),
    "s3:PutBucketPolicy": lambda s3, b: s3.put_bucket_policy(Bucket=b, Policy="{"),
    "s3:GetBucketVersioning": lambda s3, b: s3.get_bucket_versioning(Bucket=b),
    "s3:PutBucketVersioning": lambda s3, b: s3.put_bucket_versioning(
        Bucket=b, VersioningConfiguration=_MALFORMED
    ),
    "s3:GetBucketAcl": lambda s3, b: s3.get_bucket_acl(Bucket=b),
    "s3:DeleteBucket": lambda s3, b: s3.delete_bucket(Bucket=b),
}
ON_OBJECTS: dict[str, Callable[[Any, str, str], Any]] = {
    "s3:GetObject": lambda s3, b, k: s3.get_object(Bucket=b, Key=k),
    "s3:GetObjectTagging": lambda s3, b, k: s3.get_object_tagging(Bucket=b, Key=k),
    "s3:GetObjectAcl": lambda s3, b, k: s3.get_object_acl(Bucket=b, Key=k),
}
ON_ABSENT: dict[str, Callable[[Any, str, str], Any]] = {
    "s3:PutObject": lambda s3, b, k: s3.put_object(Bucket=b, Key=k, Body=b"2"),
    "s3:DeleteObject": lambda s3, b, k: s3.delete_object(Bucket=b, Key=k),
    "s3:AbortMultipartUpload": lambda s3, b, k: s3.abort_multipart_upload(
        Bucket=b, Key=k, UploadId="none"
    ),
}


def _meets(request: Callable[[], Any]) -> bool:
    try:
        request()
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "NoSuchBucket")
    return True


def _s3_cases(s3: Any) -> list[tuple[dict[str, Any], Callable[[], Any]]]:
    """Questions, each with the request that it is about. None changes what others ask for."""
    cases: list[tuple[dict[str, Any], Callable[[], Any]]] = [
        ({"action": "s3:ListAllMyBuckets"}, s3.list_buckets)
    ]
    for bucket in BUCKETS:
        for action, request in ON_BUCKETS.items():
            cases.append(
                ({"action": action, "bucket": bucket}, lambda r=request, b=bucket: r(s3, b))
            )
        cases.extend(
            (
                {"action": "s3:ListBucket", "bucket": bucket, "object": prefix},
                lambda b=bucket, p=prefix: s3.list_objects_v2(Bucket=b, Prefix=p),
            )
            for prefix in ("", "a/", "b/")
        )
        for keys, requests in ((KEYS, ON_OBJECTS), (("a/new", "b/new"), ON_ABSENT)):
            for action, on_object in requests.items():
                cases.extend(
                    (
                        {"action": action, "bucket": bucket, "object": key},
                        lambda r=on_object, b=bucket, k=key: r(s3, b, k),
                    )
                    for key in keys
                )
    return cases


WHO = [*USERS, "root", "limited can-readwrite", "limited root", "anonymous"]


@pytest.mark.parametrize("who", WHO)
def test_s3_requests_meet_what_was_said(
    live_server: LiveServer, everybody: dict[str, tuple[str, str]], who: str
) -> None:
    keys = everybody.get(who)
    cases = _s3_cases(s3_of(live_server, keys))
    said = ask(live_server, keys, [question for question, _ in cases])
    assert len(said) == len(cases)
    for (question, request), answer in zip(cases, said, strict=True):
        assert answer["reason"]
        assert _meets(request) is answer["allowed"], (question, answer)


@pytest.mark.parametrize("who", WHO)
def test_making_buckets(
    live_server: LiveServer, everybody: dict[str, tuple[str, str]], who: str
) -> None:
    keys = everybody.get(who)
    s3, name = s3_of(live_server, keys), f"can-new-{WHO.index(who)}"
    (answer,) = ask(live_server, keys, [{"action": "s3:CreateBucket", "bucket": name}])
    assert _meets(lambda: s3.create_bucket(Bucket=name)) is answer["allowed"], answer


ADMIN: list[tuple[str, str, str, bool]] = [
    ("admin:ListUsers", "GET", "list-users", False),
    ("admin:ServerInfo", "GET", "info", False),
    ("admin:GetBucketQuota", "GET", f"get-bucket-quota?bucket={SHUT}", False),
    ("admin:SetBucketQuota", "PUT", f"set-bucket-quota?bucket={SHUT}", False),
    ("admin:CreateUser", "PUT", "add-user?accessKey=can-never", False),
    ("admin:CreateServiceAccount", "PUT", "add-service-account", True),
    ("admin:ListServiceAccounts", "GET", "list-service-accounts?user=can-nobody", False),
    ("admin:ListServiceAccounts", "GET", "list-service-accounts", True),
]


@pytest.mark.parametrize("who", [each for each in WHO if each != "anonymous"])
def test_admin_calls_meet_what_was_said(
    live_server: LiveServer, everybody: dict[str, tuple[str, str]], who: str
) -> None:
    keys = everybody[who]
    asks: list[dict[str, Any]] = [{"action": row[0], "own": row[3]} for row in ADMIN]
    client = Client(live_server, *keys)
    said = ask(live_server, keys, asks)
    for (action, method, path, own), answer in zip(ADMIN, said, strict=True):
        # Whom they let in they tell that this is nothing to go by.
        body = {"expiration": "nonsense"} if method == "PUT" else b""
        met = client(method, path, body, sealed=bool(body)).code != "AccessDenied"
        assert met is answer["allowed"], (action, own, answer)


def test_who_does_not_sign_may_do_nothing_of_the_service(live_server: LiveServer) -> None:
    asks = [
        {"action": route.action, "own": own}
        for route in ROUTES
        for own in (True, False)
        if route.action and route.module and route.name != "AccountInfo"
    ]
    asks = [each for each in asks if each["action"] != "admin:AccountInfo"]
    said = ask(live_server, None, [*asks, {"action": "s3:ListAllMyBuckets"}])
    assert not any(each["allowed"] for each in said)


def test_a_bad_signature_does_not_make_one_anonymous(live_server: LiveServer) -> None:
    client = Client(live_server, secret_key="wrong-secret")
    assert client("POST", "neve/can", {"asks": []}).code == "SignatureDoesNotMatch"


def test_statements_about_others_are_not_told(
    live_server: LiveServer, everybody: dict[str, tuple[str, str]]
) -> None:
    s3 = live_server.client()
    s3.create_bucket(Bucket="can-named")
    statement = {
        "Sid": "OnlyForReadonly",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/can-readonly"},
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::can-named",
    }
    s3.put_bucket_policy(Bucket="can-named", Policy=json.dumps(_document([statement])))
    question = [{"action": "s3:listbucket", "bucket": "can-named"}]
    allowed = {"allowed": True, "reason": "bucket policy allows"}
    assert ask(live_server, everybody["can-readonly"], question) == [allowed]
    refused = {"allowed": False, "reason": "nothing allows it"}
    assert ask(live_server, everybody["can-nothing"], question) == [refused]
    assert ask(live_server, None, question) == [refused]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"asks": {}},
        {"asks": [{}]},
        {"asks": [{"action": 1}]},
        {"asks": [{"action": "s3:Fly"}]},
        {"asks": [{"action": "s3:GetObject", "bucket": "b"}]},
        {"asks": [{"action": "s3:ListBucket"}]},
        {"asks": [{"action": "s3:ListBucket", "bucket": "b", "user": "root"}]},
        {"asks": [{"action": "s3:ListAllMyBuckets"}] * (ASKS_MAX + 1)},
    ],
)
def test_nonsense_is_refused(live_server: LiveServer, document: Any) -> None:
    assert Client(live_server)("POST", "neve/can", document).status == 400


def test_as_many_as_may_be_asked_are_answered(live_server: LiveServer) -> None:
    said = ask(live_server, None, [{"action": "s3:ListAllMyBuckets"}] * ASKS_MAX)
    assert len(said) == ASKS_MAX
