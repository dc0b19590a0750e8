"""The route table: complete, unambiguous, and every row answered."""

import botocore.session
import pytest
from tests.s3.conftest import ACCESS_KEY, Store

from neve.iam.actions import OPERATIONS
from neve.s3.pipeline import Pipeline
from neve.s3.routes import ALIASES, BUCKET, OBJECT, ROUTES, SERVICE, find_route

NEVE_ONLY = {
    "GetBucketOptions",
    "GetBucketQuota",
    "GetBucketUsage",
    "GetStoreQuota",
    "GetStoreUsage",
    "ListenBucketNotification",
    "ListenNotification",
    "PostObject",
    "PutBucketOptions",
    "PutBucketQuota",
    "PutStoreQuota",
}


def operations_of_boto3() -> set[str]:
    model = botocore.session.get_session().get_service_model("s3")
    return set(model.operation_names)


def test_every_operation_of_boto3_is_in_the_table() -> None:
    known = {route.operation for route in ROUTES} | set(ALIASES)
    assert operations_of_boto3() - known == set()
    assert known - operations_of_boto3() == NEVE_ONLY
    assert {ALIASES[name] for name in ALIASES} <= known


def test_every_operation_is_named_once_and_has_a_permission() -> None:
    names = [route.operation for route in ROUTES]
    assert len(names) == len(set(names))
    without = {name for name in names if name not in OPERATIONS and name != "CreateBucket"}
    assert without == NEVE_ONLY - {"PostObject"}


def test_boto3s_own_uris_lead_to_the_operation() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    for name in model.operation_names:
        if name in ALIASES or name == "WriteGetObjectResponse":
            continue
        http = model.operation_model(name).http
        path, _, query_text = http["requestUri"].partition("?")
        query = {}
        for field in query_text.split("&"):
            if field:
                key, _, value = field.partition("=")
                query[key] = value
        headers: dict[bytes, bytes] = {}
        for member in required(model, name):
            if member["location"] == "querystring":
                query.setdefault(member["name"], "1")
            elif member["location"] == "header":
                headers[member["name"].lower().encode()] = b"x"
        target = OBJECT if "Key" in path else BUCKET if "Bucket" in path else SERVICE
        if name == "ListDirectoryBuckets":
            query["x-id"] = name
        route = find_route(http["method"], target, query, headers)
        assert route is not None, name
        assert route.operation == name


def required(model: botocore.model.ServiceModel, name: str) -> list[dict[str, str]]:
    shape = model.operation_model(name).input_shape
    if shape is None:
        return []
    found = []
    for member in shape.required_members:
        serialization = shape.members[member].serialization
        if serialization.get("location") in ("querystring", "header"):
            found.append({"location": serialization["location"], "name": serialization["name"]})
    return found


@pytest.mark.parametrize(
    ("method", "target", "query", "headers", "expected"),
    [
        ("GET", BUCKET, {}, {}, "ListObjects"),
        ("GET", BUCKET, {"list-type": "2"}, {}, "ListObjectsV2"),
        ("GET", BUCKET, {"list-type": "3"}, {}, "ListObjects"),
        ("GET", BUCKET, {"x-id": "ListObjectsV2", "list-type": "2"}, {}, "ListObjectsV2"),
        ("GET", BUCKET, {"unknown": "1", "prefix": "a"}, {}, "ListObjects"),
        ("GET", BUCKET, {"analytics": ""}, {}, "ListBucketAnalyticsConfigurations"),
        ("GET", BUCKET, {"analytics": "", "id": "x"}, {}, "GetBucketAnalyticsConfiguration"),
        ("GET", OBJECT, {"partNumber": "1"}, {}, "GetObject"),
        ("GET", OBJECT, {"versionId": "null"}, {}, "GetObject"),
        ("GET", OBJECT, {"lifecycle": ""}, {}, "GetObject"),
        ("GET", OBJECT, {"uploadId": "x"}, {}, "ListParts"),
        ("PUT", OBJECT, {}, {b"x-amz-copy-source": b"b/k"}, "CopyObject"),
        ("PUT", OBJECT, {"uploadId": "x", "partNumber": "1"}, {}, "UploadPart"),
        (
            "PUT",
            OBJECT,
            {"partNumber": "1", "uploadId": "x"},
            {b"x-amz-copy-source": b"b/k"},
            "UploadPartCopy",
        ),
        ("GET", SERVICE, {"x-id": "ListDirectoryBuckets"}, {}, "ListDirectoryBuckets"),
        ("GET", SERVICE, {"anything": ""}, {}, "ListBuckets"),
        ("OPTIONS", OBJECT, {"acl": ""}, {}, "PreflightRequest"),
        ("POST", BUCKET, {}, {b"x-amz-request-route": b"r"}, "WriteGetObjectResponse"),
        ("POST", SERVICE, {}, {}, None),
        ("PUT", OBJECT, {"uploadId": "x"}, {}, None),
        ("POST", OBJECT, {}, {}, None),
        ("PATCH", OBJECT, {}, {}, None),
        ("POST", BUCKET, {"acl": ""}, {}, None),
    ],
)
def test_requests_are_told_apart(
    method: str,
    target: str,
    query: dict[str, str],
    headers: dict[bytes, bytes],
    expected: str | None,
) -> None:
    route = find_route(method, target, query, headers)
    assert (route.operation if route else None) == expected


@pytest.mark.parametrize("route", [r for r in ROUTES if not r.module], ids=lambda r: r.operation)
def test_what_is_not_implemented_says_so_by_name(store: Store, route: object) -> None:
    from neve.s3.routes import Route

    assert isinstance(route, Route)
    if route.target == SERVICE:
        target = "/"
    else:
        store.signed("PUT", "/data")
        target = "/data/key" if route.target == OBJECT else "/data"
    fields = [route.resource] if route.resource else []
    fields += [also[1:] for also in route.also if also[0] == "?"]
    headers = {also: "x" for also in route.also if also[0] != "?"}
    query = "&".join(field if "=" in field else field + "=x" for field in fields)
    answer = store.signed(route.method, f"{target}?{query}" if query else target, b"", headers)
    assert answer.status == 501
    assert f"<Message>{route.operation} is not implemented.</Message>".encode() in answer.body
    assert store.requests[-1].operation == route.operation


def test_a_method_that_a_target_does_not_have(store: Store) -> None:
    store.signed("PUT", "/data")
    for method, target in (("POST", "/"), ("PATCH", "/data/k"), ("POST", "/data/k")):
        answer = store.signed(method, target)
        assert (answer.status, b"<Code>MethodNotAllowed</Code>" in answer.body) == (405, True)


def test_every_row_is_bound_to_a_function(store: Store) -> None:
    pipeline = store.pipeline
    assert isinstance(pipeline, Pipeline)
    for route, operation in pipeline._operations.items():
        assert callable(operation.operate)
        assert (operation.operate.__name__ == "_not_implemented") == (not route.module)


def test_the_request_tells_the_log_what_it_was(store: Store) -> None:
    store.signed("PUT", "/data")
    store.signed("GET", "/data/some%20key")
    request = store.requests[-1]
    assert (request.operation, request.bucket, request.key) == ("GetObject", "data", "some key")
    assert (request.principal, request.error_code) == (ACCESS_KEY, "NoSuchKey")
    # The operation is known also when the caller is not.
    store.send("GET", "/data/k", {"Authorization": "AWS4-HMAC-SHA256 nonsense"})
    assert store.requests[-1].operation == "GetObject"
