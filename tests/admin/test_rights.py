"""Who may make which call: generated from the route table, on a live server."""

import json
from typing import Any

import pytest
from tests.admin.client import Answer, Client

from neve.admin.routes import ROUTES, Route
from neve.testing.server import ACCESS_KEY, LiveServer

ABOUT_OTHERS = (
    "accessKey=rights-other&user=rights-other&users=rights-other&status=enabled&group=g&name=n"
    "&userOrGroup=rights-other&isGroup=false&policyName=readonly&bucket=b&action=restart"
    "&listType=all&key=&subSys=&count=1&restoreId=1"
)
OWN_FOR_ALL = ("AccountInfo", "BucketsInfo", "UsageInfo", "BucketAccess")
"""What everybody may ask, who is told what it may know: `test_buckets` and others."""
BODIES: dict[str, dict[str, Any]] = {"AddServiceAccount": {"targetUser": "rights-other"}}


def user(server: LiveServer, name: str, *policies: str) -> Client:
    client = Client(server)
    admin = client.minio()
    admin.user_add(name, f"{name}-secret")
    names = "&".join(["userOrGroup=" + name, "isGroup=false", "policyName=" + ",".join(policies)])
    assert client("PUT", f"set-user-or-group-policy?{names}").status == 200
    return Client(server, name, f"{name}-secret")


def ask(client: Client, route: Route, query: str = ABOUT_OTHERS) -> Answer:
    path = route.path.replace("*", "x")
    body = BODIES.get(route.name, {})
    return client(
        route.method,
        f"{path}?{query}",
        body,
        sealed=bool(body),
        headers={"Content-Type": "application/octet-stream"},
    )


@pytest.fixture(scope="module")
def other(live_server: LiveServer) -> Client:
    return user(live_server, "rights-other")


@pytest.fixture(scope="module")
def reader(live_server: LiveServer, other: Client) -> Client:
    return user(live_server, "rights-reader", "readwrite")


@pytest.fixture(scope="module")
def chief(live_server: LiveServer, other: Client) -> Client:
    return user(live_server, "rights-chief", "consoleAdmin")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_user_without_admin_rights_makes_no_call(reader: Client, route: Route) -> None:
    if route.name in OWN_FOR_ALL or not route.action:
        return
    answer = ask(reader, route)
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer.body


@pytest.fixture(scope="module")
def changing(live_server: LiveServer, other: Client) -> Client:
    """A user whose one policy tests change."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "admin:*"}]}
    assert Client(live_server)("PUT", "add-canned-policy?name=changing", document).status == 200
    return user(live_server, "rights-changing", "changing")


@pytest.mark.parametrize(
    "route",
    [each for each in ROUTES if each.module not in ("", "streams", "service")],
    ids=lambda route: route.name,
)
def test_exactly_the_action_of_a_call_opens_it(
    live_server: LiveServer, changing: Client, route: Route
) -> None:
    """A policy that allows all but the call's action does not; one that allows it alone does."""
    if route.name in OWN_FOR_ALL or not route.action:
        return
    query = ABOUT_OTHERS if route.own else "nothing=here"
    for effect, opens in (("Allow", True), ("Deny", False)):
        statements = [{"Effect": effect, "Action": [route.action]}]
        if not opens:
            statements.insert(0, {"Effect": "Allow", "Action": ["admin:*"]})
        document = {"Version": "2012-10-17", "Statement": statements}
        answer = Client(live_server)("PUT", "add-canned-policy?name=changing", document)
        assert answer.status == 200, answer.body
        answer = ask(changing, route, query)
        assert (answer.code != "AccessDenied") is opens, answer.body


def test_a_console_admin_administers(chief: Client) -> None:
    assert chief("GET", "list-users").status == 200
    assert (
        chief("PUT", "add-user?accessKey=rights-new", {"secretKey": "x" * 9}, sealed=True).body
        == b""
    )
    assert "rights-new" in chief("GET", "list-users").unsealed


def test_users_change_their_own_secret_and_nothing_else(live_server: LiveServer) -> None:
    own = user(live_server, "rights-self")
    document = {"secretKey": "a-new-secret-1", "status": "disabled"}
    assert own("PUT", "add-user?accessKey=rights-self", document, sealed=True).status == 200
    own.secret_key = "a-new-secret-1"
    info = own("GET", "user-info?accessKey=rights-self")
    assert info.json["status"] == "enabled"
    other = own("PUT", "add-user?accessKey=rights-self-2", document, sealed=True)
    assert other.code == "AccessDenied"


def test_a_deny_takes_away_what_users_may_do_to_their_own(live_server: LiveServer) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": ["admin:CreateServiceAccount"]}],
    }
    assert Client(live_server)("PUT", "add-canned-policy?name=no-keys", document).status == 200
    own = user(live_server, "rights-denied", "no-keys")
    assert own("PUT", "add-service-account", {}, sealed=True).code == "AccessDenied"
    assert own("GET", "list-service-accounts").status == 200


def test_an_access_key_with_a_policy_cannot_make_itself_more(live_server: LiveServer) -> None:
    own = user(live_server, "rights-limited", "readwrite")
    limit = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
    keys = {"accessKey": "limited-key", "secretKey": "limited-key-secret", "policy": limit}
    assert own("PUT", "add-service-account", keys, sealed=True).status == 200
    key = Client(live_server, "limited-key", "limited-key-secret")
    update = "update-service-account?accessKey=limited-key"
    for answer in (
        key("PUT", "add-service-account", {}, sealed=True),
        key("POST", update, {"newPolicy": {}}, sealed=True),
        key("PUT", "add-user?accessKey=rights-limited", {"secretKey": "x" * 9}, sealed=True),
        key("DELETE", "delete-service-account?accessKey=limited-key"),
        key("GET", "list-service-accounts"),
    ):
        assert (answer.status, answer.code) == (403, "AccessDenied")
    for path in ("info-access-key", "info-service-account?accessKey=limited-key"):
        assert json.loads(key("GET", path).unsealed["policy"]) == limit
    assert key("GET", "accountinfo").json["Policy"] == limit
    # One without a policy is as good as its user, but for the user's own secret.
    keys = {"accessKey": "free-key", "secretKey": "free-key-secret"}
    assert own("PUT", "add-service-account", keys, sealed=True).status == 200
    key = Client(live_server, "free-key", "free-key-secret")
    assert key("GET", "list-service-accounts").status == 200
    answer = key("PUT", "add-user?accessKey=rights-limited", {"secretKey": "x" * 9}, sealed=True)
    assert answer.code == "AccessDenied"


def test_keys_of_root_are_for_root_alone(live_server: LiveServer, chief: Client) -> None:
    root = Client(live_server)
    keys = {"accessKey": "roots-key", "secretKey": "roots-key-secret"}
    assert root("PUT", "add-service-account", keys, sealed=True).status == 200
    for method, path, body in (
        ("PUT", "add-service-account", {"targetUser": ACCESS_KEY}),
        ("POST", "update-service-account?accessKey=roots-key", {"newSecretKey": "taken-over"}),
        ("DELETE", "delete-service-account?accessKey=roots-key", {}),
        ("GET", "info-service-account?accessKey=roots-key", {}),
        ("GET", "info-access-key?accessKey=roots-key", {}),
        ("GET", f"list-service-accounts?user={ACCESS_KEY}", {}),
    ):
        answer = chief(method, path, body, sealed=bool(body))
        assert (answer.status, answer.code) == (403, "AccessDenied"), path
    limit = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["admin:*"]}]}
    keys = {"accessKey": "roots-limited", "secretKey": "roots-limited-secret", "policy": limit}
    assert root("PUT", "add-service-account", keys, sealed=True).status == 200
    limited = Client(live_server, "roots-limited", "roots-limited-secret")
    assert limited("GET", "list-users").status == 200
    for answer in (
        limited("PUT", "add-service-account", {}, sealed=True),
        limited(
            "POST", "update-service-account?accessKey=roots-limited", {"newPolicy": {}}, sealed=True
        ),
        limited("GET", "info-access-key?accessKey=roots-key"),
    ):
        assert (answer.status, answer.code) == (403, "AccessDenied")
    answer = chief("PUT", "add-user?accessKey=roots-key", {"secretKey": "x" * 9}, sealed=True)
    assert answer.code == "XMinioInvalidIAMCredentials"
    assert b"An access key has this name" in answer.body
    assert root("DELETE", "delete-service-account?accessKey=roots-key").status == 204


def test_account_info_shows_users_what_they_may_reach(live_server: LiveServer) -> None:
    s3 = live_server.client()
    for name in ("reach-mine", "reach-other"):
        s3.create_bucket(Bucket=name)
    own = user(live_server, "rights-reach", "reader:reach-mine")
    info = own("GET", "accountinfo").json
    assert info["AccountName"] == "rights-reach"
    assert [row["name"] for row in info["Buckets"]] == ["reach-mine"]
    assert info["Buckets"][0]["access"] == {"read": True, "write": False}
    assert "s3:ListBucket" in json.dumps(info["Policy"])


def test_services_are_steered_by_their_own_actions(live_server: LiveServer) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["admin:ServiceFreeze"]}],
    }
    assert Client(live_server)("PUT", "add-canned-policy?name=freezer", document).status == 200
    own = user(live_server, "rights-freezer", "freezer")
    path = "service?type=2&dry-run=true&action="
    assert own("POST", f"{path}freeze").status == 200
    assert own("POST", f"{path}unfreeze").status == 200
    assert own("POST", f"{path}restart").code == "AccessDenied"
    assert own("POST", f"{path}stop").code == "AccessDenied"
