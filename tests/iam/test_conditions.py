"""Every condition operator, set qualifier and `IfExists`, from the tables of the IAM User Guide."""

import json

import pytest

from neve.iam.context import RequestContext
from neve.iam.evaluate import evaluate_bucket_policy
from neve.iam.policies import parse_policy
from neve.iam.principals import ANONYMOUS, user_principal
from neve.iam.statements import Verdict

TIME_US = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
AMY = user_principal("amy")


def holds(
    condition: dict, *, version: str = "2012-10-17", tags: dict | None = None, **request
) -> bool:
    """Whether a request meets the condition. `request` is what RequestContext takes."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::bkt",
        "Condition": condition,
    }
    policy = parse_policy(json.dumps({"Version": version, "Statement": statement}).encode(), "bkt")
    request.setdefault("time_us", TIME_US)
    context = RequestContext(request.pop("principal", AMY), **request)
    context.existing_tags = lambda: tags or {}
    resource = "arn:aws:s3:::bkt"
    verdict = evaluate_bucket_policy(policy, context.principal, "s3:ListBucket", resource, context)
    return verdict is Verdict.ALLOW


def agent(value: str | None) -> dict:
    return {} if value is None else {b"user-agent": value.encode()}


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "aÉ", "Aé", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", ["x*", "*z"], "yz", True),
        ("StringLike", "a*", None, False),
        ("StringNotLike", "a*", "ab", False),
        ("StringNotLike", "a*", None, True),
        ("StringLikeIfExists", "a*", None, True),
        ("StringLikeIfExists", "a*", "b", False),
        ("StringNotEqualsIfExists", "a", None, True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 9007199254740993, "9007199254740992", False),
        ("NumericNotEquals", "10", "11", True),
        ("NumericNotEquals", "10", "ten", True),
        ("NumericLessThan", "10", "9.5", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", ["1", "10"], "10", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericGreaterThanEquals", "10", "ten", False),
        ("NumericGreaterThanEquals", "10", None, False),
        ("DateEquals", "2023-11-14", "2023-11-14T00:00:00Z", True),
        ("DateEquals", "2023-11-14T01:00+01:00", "2023-11-14", True),
        ("DateEquals", "2023", "2023-01-01", True),
        ("DateNotEquals", "2023-11", "2023-11-01T00:00:00.5Z", True),
        ("DateLessThan", "2023-11-14T22:13:20Z", "1699999999", True),
        ("DateGreaterThanEquals", "1700000000", "2023-11-14T22:13:20Z", True),
        ("DateLessThan", "2024", "garbage", False),
        ("Bool", "true", "TRUE", True),
        ("Bool", False, "true", False),
        ("Bool", "true", None, False),
        ("BoolIfExists", "true", None, True),
        ("BinaryEquals", "YWI=", "ab", True),
        ("BinaryEquals", "YWI=", "YWI=", False),
        ("Null", "true", None, True),
        ("Null", "true", "", False),
        ("Null", False, "x", True),
        ("Null", False, None, False),
        ("ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bkt", True),
        ("ArnLike", "arn:aws:s3:::*", "arn:aws:s3:us:1:bkt", False),
        ("ArnLike", "arn:aws:*:*:*:a:b*", "arn:aws:s3:us:1:a:bc", True),
        ("ArnLike", "*", "arn:aws:s3:::bkt", False),
        ("ArnLike", "arn:aws", "arn:aws", False),
        ("ArnNotLike", "arn:aws:s3:::b*", "arn:aws:s3:::bkt", False),
        ("ArnNotEquals", "arn:aws:s3:::b", None, True),
    ],
)
def test_operators_on_one_value(
    operator: str, wanted: object, given: str | None, expected: bool
) -> None:
    condition = {operator: {"aws:UserAgent": wanted}}
    assert holds(condition, headers=agent(given)) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "203.0.113.77/24", "203.0.113.9", True),
        ("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("IpAddress", "::ffff:10.0.0.0/104", "10.1.1.1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "fe80::/10", "fe80::1%eth0", True),
        ("IpAddress", "0.0.0.0/0", "", False),
        ("IpAddress", "0.0.0.0/0", "unix:", False),
        ("NotIpAddress", "10.0.0.0/8", "10.1.1.1", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.1.1", True),
        ("NotIpAddress", "10.0.0.0/8", "", True),
    ],
)
def test_addresses(operator: str, wanted: object, given: str, expected: bool) -> None:
    assert holds({operator: {"aws:SourceIp": wanted}}, source_ip=given) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "tagging", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], "a=1&b=2", True),
        ("ForAllValues:StringEquals", ["a", "b"], "a=1&c=2", False),
        ("ForAllValues:StringEquals", ["a"], "", True),
        ("ForAllValues:StringNotEquals", ["a"], "b=1&c=2", True),
        ("ForAllValues:StringNotEquals", ["a"], "b=1&a=2", False),
        ("ForAllValues:StringLike", ["a*"], "ab=1&ac=2", True),
        ("ForAnyValue:StringEquals", ["a", "b"], "c=1&b=2", True),
        ("ForAnyValue:StringEquals", ["a"], "", False),
        ("ForAnyValue:StringEqualsIfExists", ["a"], "", True),
        ("ForAnyValue:StringNotEquals", ["a"], "a=1&b=2", True),
        ("ForAnyValue:StringNotEquals", ["a"], "a=1", False),
        ("ForAnyValue:StringNotEquals", ["a"], "", False),
        ("StringEquals", ["a"], "a=1&b=2", True),
        ("StringNotEquals", ["a"], "a=1&b=2", False),
    ],
)
def test_set_qualifiers(operator: str, wanted: list, tagging: str, expected: bool) -> None:
    headers = {b"x-amz-tagging": tagging.encode()} if tagging else {}
    assert holds({operator: {"s3:RequestObjectTagKeys": wanted}}, headers=headers) is expected


@pytest.mark.parametrize(
    ("key", "value", "request_"),
    [
        ("aws:SecureTransport", "true", {"secure": True}),
        ("AWS:SECURETRANSPORT", "false", {}),
        ("aws:CurrentTime", "2023-11-14T22:13:20Z", {}),
        ("aws:EpochTime", "1700000000", {}),
        ("aws:Referer", "http://x/", {"headers": {b"referer": b"http://x/"}}),
        ("aws:username", "amy", {}),
        ("aws:userid", AMY.user_id, {}),
        ("aws:userid", "anonymous", {"principal": ANONYMOUS}),
        ("aws:PrincipalArn", "arn:aws:iam::000000000000:user/amy", {}),
        ("aws:PrincipalType", "User", {}),
        ("aws:PrincipalType", "Anonymous", {"principal": ANONYMOUS}),
        ("aws:PrincipalAccount", "000000000000", {}),
        ("s3:prefix", "a/", {"query": {"prefix": "a/"}}),
        ("s3:delimiter", "/", {"query": {"delimiter": "/"}}),
        ("s3:max-keys", "7", {"query": {"max-keys": "7"}}),
        ("s3:VersionId", "v1", {"query": {"versionId": "v1"}}),
        ("s3:authType", "REST-HEADER", {"auth_type": "REST-HEADER"}),
        ("s3:signatureversion", "AWS4-HMAC-SHA256", {"auth_type": "REST-HEADER"}),
        ("s3:signatureAge", "600", {"auth_type": "REST-QUERY-STRING", "signature_age_ms": 600}),
        ("s3:x-amz-acl", "private", {"headers": {b"x-amz-acl": b"private"}}),
        ("s3:x-amz-grant-read", "id=1", {"headers": {b"x-amz-grant-read": b"id=1"}}),
        ("s3:x-amz-storage-class", "STANDARD", {"headers": {b"x-amz-storage-class": b"STANDARD"}}),
        ("s3:x-amz-content-sha256", "U", {"headers": {b"x-amz-content-sha256": b"U"}}),
        ("s3:if-none-match", "*", {"headers": {b"if-none-match": b"*"}}),
        (
            "s3:object-lock-mode",
            "GOVERNANCE",
            {"headers": {b"x-amz-object-lock-mode": b"GOVERNANCE"}},
        ),
        ("s3:ObjectCreationOperation", "false", {"query": {"uploadId": "x"}}),
        ("s3:ExistingObjectTag/Team", "x y", {"tags": {"Team": "x y"}}),
        ("s3:RequestObjectTag/a", "b c", {"headers": {b"x-amz-tagging": b"a=b+c"}}),
    ],
)
def test_keys(key: str, value: str, request_: dict) -> None:
    assert holds({"StringEquals": {key: value}}, **request_)
    assert not holds({"StringEquals": {key: value + "!"}}, **request_)


@pytest.mark.parametrize(
    "key", ["s3:signatureAge", "s3:authType", "aws:username", "aws:PrincipalArn"]
)
def test_keys_that_anonymous_requests_lack(key: str) -> None:
    assert holds({"Null": {key: "true"}}, principal=ANONYMOUS)


@pytest.mark.parametrize(
    "spelling", [b"src/a%20b", b"/src/a b", b"src/a%20b?versionId=7", b"%73rc/a b"]
)
def test_no_spelling_of_a_copy_source_escapes(spelling: bytes) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::bkt/*",
        "Condition": {"StringLike": {"s3:x-amz-copy-source": "src/a b"}},
    }
    policy = parse_policy(json.dumps({"Statement": statement}).encode(), "bkt")
    context = RequestContext(headers={b"x-amz-copy-source": spelling})
    resource = "arn:aws:s3:::bkt/x"
    verdict = evaluate_bucket_policy(policy, ANONYMOUS, "s3:PutObject", resource, context)
    assert verdict is Verdict.DENY


def test_variables_in_values() -> None:
    condition = {"StringLike": {"s3:prefix": ["home/${aws:username}/*", "${aws:none, 'public'}"]}}
    assert holds(condition, query={"prefix": "home/amy/x"})
    assert not holds(condition, query={"prefix": "home/bob/x"})
    assert holds(condition, query={"prefix": "public"})
    assert not holds(condition, query={"prefix": "home/amy/x"}, principal=ANONYMOUS)
    assert not holds(condition, query={"prefix": "home/amy/x"}, version="2008-10-17")
    literal = {"StringEquals": {"s3:prefix": "${aws:username}"}}
    assert holds(literal, query={"prefix": "${aws:username}"}, version="2008-10-17")


def test_variables_name_keys_in_any_case_but_tags_exactly() -> None:
    condition = {
        "StringEquals": {"aws:UserAgent": ["${AWS:UserName}", "${s3:existingobjecttag/T}"]}
    }
    assert holds(condition, headers=agent("amy"))
    assert holds(condition, headers=agent("x"), tags={"T": "x", "t": "y"})
    assert not holds(condition, headers=agent("y"), tags={"T": "x", "t": "y"})


def test_a_variable_with_many_values_stands_for_nothing() -> None:
    condition = {"StringEquals": {"aws:UserAgent": "${s3:RequestObjectTagKeys}"}}
    headers = {b"user-agent": b"a", b"x-amz-tagging": b"a=1"}
    assert not holds(condition, headers=headers)


def test_all_operators_and_all_keys_must_hold() -> None:
    condition = {
        "StringEquals": {"aws:UserAgent": "a", "aws:Referer": "r"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    headers = {b"user-agent": b"a", b"referer": b"r"}
    assert holds(condition, headers=headers, secure=True)
    assert not holds(condition, headers=headers)
    assert not holds(condition, headers={b"user-agent": b"a"}, secure=True)


def test_header_bytes_that_are_no_utf8_are_compared_and_never_fail() -> None:
    assert not holds({"StringLike": {"aws:UserAgent": "a"}}, headers={b"user-agent": b"\xff\xfe"})
    assert holds({"StringLike": {"aws:UserAgent": "?*"}}, headers={b"user-agent": b"\xff\xfe"})
    binary = {"BinaryEquals": {"aws:UserAgent": "//4="}}
    assert holds(binary, headers={b"user-agent": b"\xff\xfe"})


def test_tags_are_read_once_and_only_when_asked_for() -> None:
    calls = []
    context = RequestContext(AMY)
    context.existing_tags = lambda: calls.append(1) or {"a": "1", "b": "2"}
    policy = parse_policy(
        json.dumps(
            {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::bkt/*",
                    "Condition": {
                        "StringEquals": {
                            "s3:ExistingObjectTag/a": "1",
                            "s3:ExistingObjectTag/b": "2",
                        }
                    },
                }
            }
        ).encode(),
        "bkt",
    )
    evaluate_bucket_policy(policy, AMY, "s3:PutObject", "arn:aws:s3:::bkt/k", context)
    assert not calls
    got = evaluate_bucket_policy(policy, AMY, "s3:GetObject", "arn:aws:s3:::bkt/k", context)
    assert (got, calls) == (Verdict.ALLOW, [1])
