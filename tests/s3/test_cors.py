"""CORS: the rules of a bucket, what a preflight is answered, and what a script may then read.

`browser` is the part of the Fetch standard that decides whether a script sees an answer; it knows
nothing of Neve and is what these tests hold the answers against.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.s3.conftest import Answer, Store, allow

from neve.s3.cors import Panel, server_rules
from neve.testing.live import LiveServer

SITE = "https://viewer.test"
Code = Callable[..., tuple[int, str]]

_SAFE_METHODS = {"GET", "HEAD", "POST"}
_SAFE_HEADERS = {"accept", "accept-language", "content-language"}
_SAFE_ANSWER_HEADERS = {
    "cache-control", "content-language", "content-length", "content-type", "expires",
    "last-modified", "pragma",
}  # fmt: skip


class Blocked(Exception):
    """The browser does not let the script have this."""


def listed(answer: Answer, name: str) -> set[str]:
    return {part.strip() for part in answer.headers.get(name, "").split(",") if part.strip()}


def check_origin(answer: Answer, site: str) -> None:
    if answer.headers.get("access-control-allow-origin") not in ("*", site):
        raise Blocked(f"{answer.status}: Access-Control-Allow-Origin")


def browser(
    store: Store,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    site: str = SITE,
) -> tuple[int, dict[str, str], bytes]:
    """What `fetch` gives a script of `site`, credentials omitted. Raises: Blocked."""
    headers = headers or {}
    unsafe = sorted(name.lower() for name in headers if name.lower() not in _SAFE_HEADERS)
    if method not in _SAFE_METHODS or unsafe:
        asked = {"Origin": site, "Access-Control-Request-Method": method}
        if unsafe:
            asked["Access-Control-Request-Headers"] = ",".join(unsafe)
        preflight = store.send("OPTIONS", target, asked)
        check_origin(preflight, site)
        if not 200 <= preflight.status < 300:
            raise Blocked(f"preflight {preflight.status}")
        if method not in listed(preflight, "access-control-allow-methods") | _SAFE_METHODS:
            raise Blocked(method)
        allowed = {name.lower() for name in listed(preflight, "access-control-allow-headers")}
        for name in unsafe:
            # The Fetch standard: `*` does not cover Authorization.
            if name not in allowed and not ("*" in allowed and name != "authorization"):
                raise Blocked(name)
    answer = store.send(method, target, {"Origin": site, **headers}, body)
    check_origin(answer, site)
    exposed = {name.lower() for name in listed(answer, "access-control-expose-headers")}
    seen = {
        name: value
        for name, value in answer.headers.items()
        if "*" in exposed or name in exposed | _SAFE_ANSWER_HEADERS
    }
    return answer.status, seen, answer.body


def put_rules(s3: Any, *rules: dict[str, Any], bucket: str = "data") -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def rule(**fields: Any) -> dict[str, Any]:
    return {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], **fields}


FULL = {
    "ID": "ünï & <code>",
    "AllowedMethods": ["GET", "PUT", "POST", "DELETE", "HEAD"],
    "AllowedOrigins": ["https://*.test", "http://localhost:8080"],
    "AllowedHeaders": ["x-amz-*", "content-type"],
    "ExposeHeaders": ["ETag", "x-amz-meta-unit"],
    "MaxAgeSeconds": 0,
}


def test_rules_come_back_as_they_were_put(s3: Any, code: Code) -> None:
    put_rules(s3, FULL, rule())
    assert s3.get_bucket_cors(Bucket="data")["CORSRules"] == [FULL, rule()]
    put_rules(s3, rule(AllowedMethods=["PUT"]))
    assert s3.get_bucket_cors(Bucket="data")["CORSRules"] == [rule(AllowedMethods=["PUT"])]
    s3.delete_bucket_cors(Bucket="data")
    assert code(s3.get_bucket_cors, Bucket="data") == (404, "NoSuchCORSConfiguration")


def test_the_rules_need_their_own_permissions(s3: Any, anonymous: Any, code: Code) -> None:
    allow(s3, "s3:GetObject", "s3:PutObject", "s3:ListBucket")
    configuration = {"CORSRules": [rule()]}
    put = {"Bucket": "data", "CORSConfiguration": configuration}
    assert code(anonymous.put_bucket_cors, **put) == (403, "AccessDenied")
    assert code(anonymous.get_bucket_cors, Bucket="data") == (403, "AccessDenied")
    allow(s3, "s3:PutBucketCORS")
    anonymous.put_bucket_cors(**put)
    assert code(anonymous.get_bucket_cors, Bucket="data") == (403, "AccessDenied")
    anonymous.delete_bucket_cors(Bucket="data")
    assert code(s3.get_bucket_cors, Bucket="data") == (404, "NoSuchCORSConfiguration")


REFUSED: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "method": ([rule(AllowedMethods=["GET", "PATCH"])], "InvalidRequest", "method is PATCH"),
    "method in lower case": ([rule(AllowedMethods=["get"])], "InvalidRequest", "method is get"),
    "OPTIONS": ([rule(AllowedMethods=["OPTIONS"])], "InvalidRequest", "method is OPTIONS"),
    "two stars in an origin": (
        [rule(AllowedOrigins=["http://*.*"])],
        "InvalidRequest",
        'AllowedOrigin "http://*.*" can not have more than one wildcard.',
    ),
    "two stars in a header": (
        [rule(AllowedHeaders=["x-*-*"])],
        "InvalidRequest",
        'AllowedHeader "x-*-*" can not have more than one wildcard.',
    ),
    "a star in an exposed header": (
        [rule(ExposeHeaders=["x-amz-*"])],
        "InvalidRequest",
        'ExposeHeader "x-amz-*" contains wildcard.',
    ),
    "long id": ([rule(ID="x" * 256)], "InvalidArgument", "255"),
    "101 rules": ([rule()] * 101, "InvalidRequest", "100 rules"),
    "no rule": ([], "MalformedXML", ""),
    "no method": ([rule(AllowedMethods=[])], "MalformedXML", ""),
    "no origin": ([rule(AllowedOrigins=[])], "MalformedXML", ""),
    "negative age": ([rule(MaxAgeSeconds=-1)], "MalformedXML", ""),
    "huge age": ([rule(MaxAgeSeconds=2**31)], "MalformedXML", ""),
    "a header that would be two": ([rule(ExposeHeaders=["a, b"])], "MalformedXML", ""),
    "an empty header": ([rule(AllowedHeaders=[""])], "MalformedXML", ""),
    "a header in Greek": ([rule(ExposeHeaders=["ετικέτα"])], "MalformedXML", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_rule_is_refused_and_changes_nothing(s3: Any, name: str) -> None:
    rules, code, message = REFUSED[name]
    put_rules(s3, rule(ID="old"))
    with pytest.raises(s3.exceptions.ClientError) as caught:
        put_rules(s3, *rules)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert message in error["Message"]
    assert s3.get_bucket_cors(Bucket="data")["CORSRules"] == [rule(ID="old")]


def test_what_just_fits_is_taken(s3: Any) -> None:
    rules = [rule(ID="x" * 255)] * 100
    put_rules(s3, *rules)
    assert s3.get_bucket_cors(Bucket="data")["CORSRules"] == rules
    put_rules(s3, rule(AllowedOrigins=[f"https://{n}.test" for n in range(1000)]))
    with pytest.raises(s3.exceptions.ClientError):
        put_rules(s3, rule(AllowedOrigins=[f"https://{n}.test" for n in range(2000)]))
    assert len(s3.get_bucket_cors(Bucket="data")["CORSRules"][0]["AllowedOrigins"]) == 1000


def document(inner: str) -> bytes:
    return f"<CORSConfiguration><CORSRule>{inner}</CORSRule></CORSConfiguration>".encode()


BASE = "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"
MALFORMED = {
    "nothing": b"",
    "other root": b"<CORSRules/>",
    "empty": b"<CORSConfiguration/>",
    "not a rule": b"<CORSConfiguration><Rule/></CORSConfiguration>",
    "unknown element": document(BASE + "<Allow>x</Allow>"),
    "two ids": document(BASE + "<ID>a</ID><ID>b</ID>"),
    "nested": document(BASE + "<ID><ID>a</ID></ID>"),
    "age in words": document(BASE + "<MaxAgeSeconds>long</MaxAgeSeconds>"),
    "arabic digits": document(BASE + "<MaxAgeSeconds>\u0661</MaxAgeSeconds>"),
    "line break": document(BASE + "<ExposeHeader>a\nb</ExposeHeader>"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_document_is_refused(store: Store, s3: Any, code: Code, name: str) -> None:
    answer = store.signed("PUT", "/data?cors", MALFORMED[name])
    assert answer.status == 400
    assert b"<Code>MalformedXML</Code>" in answer.body
    assert code(s3.get_bucket_cors, Bucket="data") == (404, "NoSuchCORSConfiguration")


# Preflight.

ASK = {"Origin": SITE, "Access-Control-Request-Method": "GET"}


def preflight(store: Store, target: str = "/data/k", **headers: str) -> Answer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return store.send("OPTIONS", target, ASK | fields)


def test_a_permitted_preflight_says_what_may_be_sent(store: Store, s3: Any) -> None:
    put_rules(s3, FULL)
    answer = preflight(store, Access_Control_Request_Headers="X-Amz-Date, content-type")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == SITE
    assert answer.headers["access-control-allow-methods"] == "GET, PUT, POST, DELETE, HEAD"
    assert answer.headers["access-control-allow-headers"] == "x-amz-date, content-type"
    assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-meta-unit"
    assert answer.headers["access-control-max-age"] == "0"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == (
        "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    )


def test_a_star_is_answered_with_a_star_and_without_credentials(store: Store, s3: Any) -> None:
    put_rules(s3, rule())
    answer = preflight(store)
    assert answer.headers["access-control-allow-origin"] == "*"
    for absent in ("credentials", "headers"):
        assert f"access-control-allow-{absent}" not in answer.headers
    assert "access-control-max-age" not in answer.headers


NO_CORS = "CORSResponse: CORS is not enabled for this bucket."
NOT_ALLOWED = "CORSResponse: This CORS request is not allowed."


@pytest.mark.parametrize(
    ("target", "headers", "status", "message"),
    [
        ("/data/k", {"Origin": "https://other.example"}, 403, NOT_ALLOWED),
        ("/data", {"Origin": "https://other.example"}, 403, NOT_ALLOWED),
        ("/data/k", {"Access-Control-Request-Method": "DELETE"}, 403, NOT_ALLOWED),
        ("/data/k", {"Access-Control-Request-Headers": "x-other"}, 403, NOT_ALLOWED),
        ("/data/k", {"Access-Control-Request-Headers": "range,x-other"}, 403, NOT_ALLOWED),
        ("/bare/k", {}, 403, NO_CORS),
        ("/", {}, 403, NO_CORS),
        ("/nope/k", {}, 403, "CORSResponse: Bucket not found"),
        ("/data/k", {"Origin": ""}, 400, "Origin request header needed"),
        ("/data/k", {"Access-Control-Request-Method": ""}, 400, "Request-Method: null"),
    ],
)
def test_a_preflight_is_refused_in_the_words_of_aws(
    store: Store, s3: Any, target: str, headers: dict[str, str], status: int, message: str
) -> None:
    put_rules(s3, rule(AllowedOrigins=[SITE], AllowedHeaders=["range"]))
    s3.create_bucket(Bucket="bare")
    answer = store.send("OPTIONS", target, ASK | headers)
    assert answer.status == status
    code = b"AccessForbidden" if status == 403 else b"BadRequest"
    assert b"<Code>" + code + b"</Code>" in answer.body
    assert message.encode() in answer.body
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        ("*suffix", "foo.suffix", True),
        ("*suffix", "foo.suffix.get", False),
        ("start*end", "startend", True),
        ("start*end", "start12end", True),
        ("start*end", "0start12end", False),
        ("start*tend", "startend", False),
        ("prefix*", "prefix", True),
        ("prefix*", "bla.prefix", False),
        ("https://a.test", "https://A.test", False),
        ("https://a.test", "https://a.test.evil", False),
        ("*", "null", True),
        ("https://*", "null", False),
    ],
)
def test_an_origin_matches_as_a_whole(
    store: Store, s3: Any, pattern: str, origin: str, matches: bool
) -> None:
    put_rules(s3, rule(AllowedOrigins=[pattern]))
    assert (preflight(store, Origin=origin).status == 200) is matches
    answer = store.send("GET", "/data", {"Origin": origin})
    assert ("access-control-allow-origin" in answer.headers) is matches
    assert answer.headers["vary"].startswith("Origin")


def test_the_first_rule_that_matches_decides(store: Store, s3: Any) -> None:
    put_rules(
        s3,
        rule(AllowedOrigins=["https://other.test"], MaxAgeSeconds=1),
        rule(AllowedMethods=["PUT"], MaxAgeSeconds=2),
        rule(AllowedHeaders=["x-a"], MaxAgeSeconds=3),
        rule(AllowedHeaders=["x-*"], MaxAgeSeconds=4),
    )
    for headers, age in (("", "3"), ("x-a", "3"), ("x-a,x-b", "4")):
        answer = preflight(store, Access_Control_Request_Headers=headers)
        assert answer.headers["access-control-max-age"] == age
    answer = store.send("GET", "/data/k", {"Origin": SITE})
    assert answer.headers["access-control-max-age"] == "3"


# Answers.


def test_answers_and_errors_can_be_read_by_the_site(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"0123456789", Metadata={"unit": "K"})
    s3.put_object(Bucket="data", Key="closed", Body=b"x")
    policy = {
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
             "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::data/closed"},
        ]
    }  # fmt: skip
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps(policy))
    with pytest.raises(Blocked):
        browser(store, "GET", "/data/k")
    put_rules(
        s3,
        rule(
            AllowedMethods=["GET", "HEAD", "PUT", "DELETE"],
            AllowedOrigins=[SITE],
            AllowedHeaders=["range", "if-none-match", "content-type"],
            ExposeHeaders=["ETag", "Content-Range", "x-amz-meta-unit"],
        ),
    )
    status, seen, body = browser(store, "GET", "/data/k", {"Range": "bytes=2-4"})
    assert (status, seen["content-range"], body) == (206, "bytes 2-4/10", b"234")
    assert seen["x-amz-meta-unit"] == "K"
    etag = seen["etag"]
    assert browser(store, "GET", "/data/k", {"If-None-Match": etag})[0] == 304
    assert browser(store, "HEAD", "/data/k")[0] == 200
    assert browser(store, "GET", "/data/absent")[0] == 404
    assert browser(store, "HEAD", "/data/absent")[0] == 404
    status, _, body = browser(store, "GET", "/data/closed")
    assert (status, b"AccessDenied" in body) == (403, True)
    assert browser(store, "GET", "/data/k", {"Range": "bytes=99-"})[0] == 416
    # Operations that wait are tasks: they and their refusals have the fields as well.
    assert browser(store, "PUT", "/data/new", {"Content-Type": "a/b"}, b"x")[0] == 200
    assert browser(store, "DELETE", "/data/new")[0] == 204
    wrong = store.send("PUT", "/data/new", {"Origin": SITE, "Content-MD5": "AAAA"}, b"x")
    assert wrong.status == 400
    assert wrong.headers["access-control-allow-origin"] == SITE
    for blocked in (
        lambda: browser(store, "GET", "/data/k", site="https://other.test"),
        lambda: browser(store, "GET", "/data/k", {"X-Custom": "1"}),
        lambda: browser(store, "GET", "/nope/k"),
    ):
        with pytest.raises(Blocked):
            blocked()


def test_a_refused_signature_can_be_read_by_the_site(store: Store, s3: Any) -> None:
    put_rules(s3, rule())
    answer = store.send("GET", "/data/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", {"Origin": SITE})
    assert answer.status == 400
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_request_without_origin_has_none_of_the_fields(store: Store, s3: Any) -> None:
    put_rules(s3, rule())
    answer = store.send("GET", "/data/k")
    assert not [name for name in answer.headers if name.startswith(("access-control", "vary"))]


def test_the_method_that_a_request_names_is_the_one_judged(store: Store, s3: Any) -> None:
    put_rules(s3, rule(), rule(AllowedMethods=["PUT"], AllowedOrigins=["https://writer.test"]))
    for named, allowed in (("GET", "*"), ("PUT", None), ("DELETE", None)):
        headers = {"Origin": SITE, "Access-Control-Request-Method": named}
        answer = store.send("PUT", "/data/k", headers, b"x")
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_virtual_host_style_and_presigned_urls(store: Store, s3: Any) -> None:
    put_rules(s3, rule(AllowedMethods=["GET", "PUT"], AllowedOrigins=[SITE]))
    host = {"Host": "data.s3.test:9000", "Origin": SITE}
    answer = store.send("OPTIONS", "/k", host | {"Access-Control-Request-Method": "PUT"})
    assert answer.headers["access-control-allow-origin"] == SITE
    assert store.send("GET", "/k", host).headers["access-control-allow-origin"] == SITE
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "data", "Key": "k"})
    target = url.partition("9000")[2]
    assert browser(store, "PUT", target, {}, b"from a page")[0] == 200
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "k"})
    assert browser(store, "GET", url.partition("9000")[2])[2] == b"from a page"


# The ready rule, and the server's.


def switch(store: Store, value: Any) -> int:
    body = json.dumps({"cors": value}).encode()
    return store.signed("PUT", "/data?neve-options", body).status


def switches(store: Store) -> Any:
    return json.loads(store.signed("GET", "/data?neve-options").body)["cors"]


def test_a_viewer_reads_chunks_of_a_public_array(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="a/c/0", Body=b"chunk", ContentEncoding="x-own")
    allow(s3, "s3:GetObject", "s3:ListBucket")
    assert switch(store, "web-viewers") == 204
    status, seen, body = browser(store, "GET", "/data/a/c/0", {"Range": "bytes=-4"})
    assert (status, body) == (206, b"hunk")
    assert seen["content-range"] == "bytes 1-4/5"
    assert seen["accept-ranges"] == "bytes"
    assert seen["content-encoding"] == "x-own"
    again = {"If-Match": seen["etag"], "X-Library": "1", "Authorization": "x"}
    assert browser(store, "GET", "/data/a/c/0", {"If-None-Match": seen["etag"]})[0] == 304
    # The fields of a signature pass the preflight; this one is refused for what it is.
    assert browser(store, "GET", "/data/a/c/0", again)[0] == 400
    assert browser(store, "HEAD", "/data/a/zarr.json")[0] == 404
    assert browser(store, "GET", "/data?list-type=2&prefix=a/")[0] == 200
    with pytest.raises(Blocked):
        browser(store, "PUT", "/data/a/c/0", {}, b"x")


def test_the_switch_shows_what_holds(store: Store, s3: Any, code: Code) -> None:
    assert switches(store) is None
    assert switch(store, "web-viewers") == 204
    assert switches(store) == "web-viewers"
    assert s3.get_bucket_cors(Bucket="data")["CORSRules"][0]["AllowedMethods"] == ["GET", "HEAD"]
    put_rules(s3, rule())
    assert switches(store) == "custom"
    for wrong in ("custom", "all", True, 1):
        assert switch(store, wrong) == 400
    assert switches(store) == "custom"
    assert switch(store, None) == 204
    assert code(s3.get_bucket_cors, Bucket="data") == (404, "NoSuchCORSConfiguration")


@pytest.fixture
def open_store() -> Iterator[Store]:
    made = Store()
    made.pipeline.cors = server_rules([SITE])
    yield made
    made.close()


def test_rules_of_the_server_hold_until_a_bucket_has_its_own(open_store: Store) -> None:
    s3 = open_store.client()
    s3.create_bucket(Bucket="data")
    assert browser(open_store, "GET", "/data/k")[0] == 403
    assert browser(open_store, "PUT", "/data/k", {"x-amz-meta-a": "b"}, b"x")[0] == 403
    assert browser(open_store, "GET", "/nope/k")[0] == 404
    assert browser(open_store, "GET", "/")[0] == 403
    with pytest.raises(Blocked):
        browser(open_store, "GET", "/data/k", site="https://other.test")
    put_rules(s3, rule(AllowedOrigins=["https://other.test"]))
    with pytest.raises(Blocked):
        browser(open_store, "GET", "/data/k")
    assert browser(open_store, "GET", "/data/k", site="https://other.test")[0] == 403


def test_the_setting_reaches_the_workers(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", "--cors-allow-origins", SITE, workers=1) as server:
        server.client().create_bucket(Bucket="data")
        url = f"{server.endpoint}/data/k"
        with urllib.request.urlopen(urllib.request.Request(url, None, ASK, method="OPTIONS")) as ok:
            assert ok.headers["access-control-allow-origin"] == SITE
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, None, {"Origin": SITE}))
        assert refused.value.code == 403
        assert refused.value.headers["access-control-allow-origin"] == SITE


# The panel's own pages.

OURS = "http://s3.test:9001"
RULES = {
    "none": [],
    "of other sites": [rule(AllowedOrigins=["https://other.test"], AllowedMethods=["PUT"])],
    "of no help": [rule(AllowedOrigins=[OURS], AllowedMethods=["GET"], AllowedHeaders=[])],
}


@pytest.fixture
def panel(store: Store) -> Panel:
    store.pipeline.panel = Panel(port=9001)
    return store.pipeline.panel


@pytest.mark.parametrize("name", RULES)
def test_the_panel_may_use_every_bucket(store: Store, s3: Any, panel: Panel, name: str) -> None:
    if RULES[name]:
        put_rules(s3, *RULES[name])
    headers = {"Content-Type": "a/b", "X-Amz-Meta-Unit": "K"}
    place = {"Bucket": "data", "Key": "k"}
    url = s3.generate_presigned_url("put_object", Params=place | {"Metadata": {"unit": "K"}})
    status, seen, _ = page(store, "PUT", url.partition("9000")[2], headers, b"from a page")
    assert status == 200
    assert seen["etag"]
    for operation, method in (("get_object", "GET"), ("head_object", "HEAD")):
        url = s3.generate_presigned_url(operation, Params=place)
        status, seen, _ = page(store, method, url.partition("9000")[2])
        assert (status, seen["x-amz-meta-unit"]) == (200, "K")
    url = s3.generate_presigned_url("delete_object", Params=place)
    assert page(store, "DELETE", url.partition("9000")[2])[0] == 204
    for target, expected in (("/data/k", 403), ("/nope/k?uploads", 404), ("/", 403)):
        status, _, body = page(store, "POST" if "?" in target else "GET", target)
        assert (status, b"<Code>" in body) == (expected, True)


def page(
    store: Store,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, dict[str, str], bytes]:
    """What `fetch` gives a page of the panel."""
    return browser(store, method, target, headers, body, site=OURS)


@pytest.mark.parametrize(
    ("port", "host", "origin", "ours"),
    [
        (9001, "s3.test:9000", "http://s3.test:9001", True),
        (9001, "s3.test:9000", "https://s3.test:9001", True),
        (9001, "S3.test", "http://s3.test:9001", True),
        (9001, "[::1]:9000", "http://[::1]:9001", True),
        (443, "s3.test:9000", "https://s3.test", True),
        (443, "s3.test:9000", "http://s3.test:443", True),
        (80, "s3.test:9000", "http://s3.test", True),
        (80, "s3.test:9000", "https://s3.test", False),
        (9001, "s3.test:9000", "http://s3.test:9000", False),
        (9001, "s3.test:9000", "http://s3.test", False),
        (9001, "s3.test:9000", "http://s3.test:90011", False),
        (9001, "s3.test:9000", "http://evil.test:9001", False),
        (9001, "s3.test:9000", "http://s3.test:9001.evil.test", False),
        (9001, "s3.test:9000", "ftp://s3.test:9001", False),
        (9001, "s3.test:9000", "null", False),
        (9001, "s3.test:9000", "", False),
        (9001, "", "http://:9001", False),
        (0, "s3.test:9000", "http://s3.test:0", False),
    ],
)
def test_whose_pages_are_ours(port: int, host: str, origin: str, ours: bool) -> None:
    headers = {b"host": host.encode(), b"origin": origin.encode()}
    assert Panel(port=port).asks(headers) is ours


def test_a_panel_with_a_url_is_there_and_nowhere_else(store: Store) -> None:
    store.pipeline.panel = Panel("https://panel.example.org", 9001)
    for origin, ours in (("https://panel.example.org", True), (OURS, False)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        answer = store.send("OPTIONS", "/data/k", asked)
        assert (answer.headers.get("access-control-allow-origin") == origin) is ours
        answer = store.send("GET", "/data/k", {"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is ours


def test_the_panel_sends_no_unknown_methods(store: Store, panel: Panel) -> None:
    asked = {"Origin": OURS, "Access-Control-Request-Method": "PATCH"}
    assert store.send("OPTIONS", "/data/k", asked).status == 403


def test_a_live_server_knows_the_port_of_its_panel(live_server: LiveServer) -> None:
    live_server.client().create_bucket(Bucket="panel-cors")
    target = f"{live_server.endpoint}/panel-cors/k"
    for origin, ours in ((live_server.panel, True), ("http://127.0.0.1:1", False)):
        request = urllib.request.Request(target, headers={"Origin": origin})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        allowed = refused.value.headers["access-control-allow-origin"]
        refused.value.close()
        assert (allowed == origin) is ours


def test_a_live_server_takes_the_url_of_its_panel(tmp_path: Path) -> None:
    site = "https://panel.example.org"
    with LiveServer(tmp_path / "data", "--panel-url", f"{site}/", workers=1) as server:
        asked = {"Origin": site, "Access-Control-Request-Method": "PUT"}
        url = f"{server.endpoint}/any/k"
        request = urllib.request.Request(url, method="OPTIONS", headers=asked)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.headers["access-control-allow-origin"] == site
