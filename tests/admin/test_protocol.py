"""Routing, authentication, error form and limits of the admin API, on a live server."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from tests.admin.client import Client

from neve.admin.admin import operation_of
from neve.admin.call import BODY_BYTES_MAX
from neve.admin.routes import ROUTES, Route, find_route
from neve.sealed_bodies import seal
from neve.testing.server import SECRET_KEY, LiveServer

UNSERVED = [route for route in ROUTES if not route.module]


def path_of(route: Route) -> str:
    return route.path.replace("*", "something/else")


def test_every_route_is_found_by_its_request_and_has_a_function() -> None:
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))
    for route in ROUTES:
        found = find_route(route.method, path_of(route))
        assert found is not None
        assert found[0] is route
        assert (operation_of(route) is not None) == bool(route.module)


@pytest.mark.parametrize("route", UNSERVED, ids=lambda route: route.name)
def test_calls_that_are_not_served_say_so_by_name(live_server: LiveServer, route: Route) -> None:
    answer = Client(live_server)(route.method, path_of(route))
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert f"{route.method} {path_of(route)}" in answer.json["Message"]


@pytest.mark.parametrize("path", ["nonsense", "", "idp", "idp/builtin/policy/upgrade", "%2e%2e/x"])
def test_unknown_calls_are_not_implemented(live_server: LiveServer, path: str) -> None:
    answer = Client(live_server)("GET", path)
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_key_management_is_not_implemented(live_server: LiveServer) -> None:
    answer = Client(live_server)("GET", "key/status", prefix="/minio/kms/v1/")
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert "/minio/kms/v1/key/status" in answer.json["Message"]


def test_a_known_path_with_another_method_is_not_allowed(live_server: LiveServer) -> None:
    answer = Client(live_server)("DELETE", "info")
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("version", ["v1", "v2", "v4", "V3", ""])
def test_other_versions_of_the_api_are_refused(live_server: LiveServer, version: str) -> None:
    answer = Client(live_server)("GET", "info", prefix=f"/minio/admin/{version}/")
    assert (answer.status, answer.code) == (426, "XMinioAdminVersionMismatch")


def test_errors_are_json_with_the_fields_that_clients_read(live_server: LiveServer) -> None:
    answer = Client(live_server)("GET", "get-bucket-quota?bucket=absent-bucket")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["Code"] == "NoSuchBucket"
    assert answer.json["BucketName"] == "absent-bucket"
    assert answer.json["Resource"] == "/minio/admin/v3/get-bucket-quota"
    assert answer.json["RequestId"] == answer.headers["x-amz-request-id"]


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each.action], ids=lambda route: route.name
)
def test_nobody_without_keys_makes_a_call(live_server: LiveServer, route: Route) -> None:
    url = f"{live_server.endpoint}/minio/admin/v3/{path_of(route)}?action=restart"
    answer = urllib3.request(route.method, url, retries=False)
    assert answer.status == 403
    assert answer.json()["Code"] == "AccessDenied"


def test_a_refused_head_has_no_body(live_server: LiveServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(live_server.endpoint).netloc, timeout=30)
    for _ in range(2):
        connection.request("HEAD", "/minio/admin/v3/info")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (405, b"")
    connection.close()


def test_wrong_and_unknown_keys_are_refused(live_server: LiveServer) -> None:
    assert Client(live_server, secret_key="wrong-secret")("GET", "info").code == (
        "SignatureDoesNotMatch"
    )
    assert Client(live_server, access_key="nobody")("GET", "info").code == "InvalidAccessKeyId"


def test_the_path_and_the_query_are_signed(live_server: LiveServer) -> None:
    seen: dict[str, Any] = {}

    host = urlsplit(live_server.endpoint).netloc
    admin = Client(live_server).minio()
    original = admin._http.urlopen

    def record(method: str, url: str, **kwargs: Any) -> Any:
        seen.update(kwargs["headers"])
        return original(method, url, **kwargs)

    admin._http.urlopen = record
    admin.info()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/minio/admin/v3/storageinfo", headers=seen)
    answer = connection.getresponse()
    assert answer.status == 403
    assert json.loads(answer.read())["Code"] == "SignatureDoesNotMatch"
    connection.close()


SEALED = ("PUT", "set-config-kv")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"x" * 41,
        b"x" * 5000,
        b"\x00" * 41 + b"y" * 16,
        seal("another secret", b"site region=x"),
        seal(SECRET_KEY, b"site region=x")[:-1],
        seal(SECRET_KEY, b"site region=x" * 3000)[:-3000],
    ],
    ids=["empty", "byte", "head", "text", "zeros", "other-secret", "cut", "cut-fragment"],
)
def test_bodies_that_are_not_sealed_for_the_caller_are_refused(
    live_server: LiveServer, body: bytes
) -> None:
    answer = Client(live_server)(*SEALED, body)
    assert (answer.status, answer.code) == (400, "XMinioAdminConfigBadJSON")


def test_bodies_over_the_limit_are_refused(live_server: LiveServer) -> None:
    answer = Client(live_server)(*SEALED, b"x" * (BODY_BYTES_MAX + 1))
    assert (answer.status, answer.code) == (400, "XMinioAdminConfigTooLarge")


def test_a_body_that_is_not_what_was_signed_is_refused(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    original = admin._http.urlopen

    def change(method: str, url: str, **kwargs: Any) -> Any:
        kwargs["body"] = kwargs["body"].replace(b"100", b"999")
        return original(method, url, **kwargs)

    admin._http.urlopen = change
    live_server.client().create_bucket(Bucket="signed-quota-bucket")
    with pytest.raises(Exception, match="XAmzContentSHA256Mismatch"):
        admin.bucket_quota_set("signed-quota-bucket", 100)
