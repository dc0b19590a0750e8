"""Policies for users: the grammar, canned ones and their scopes, and whatever else is sent."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neve.errors import MalformedPolicy
from neve.iam.actions import ACTIONS
from neve.iam.admin_actions import OTHER_ACTIONS
from neve.iam.canned import canned_policies, canned_policy
from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.iam.policies import Policy, Rights, parse_user_policy
from neve.iam.principals import root_principal, user_canonical_id, user_principal


def document(*statements: Any, **more: Any) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more}).encode()


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def may(policy: Policy, action: str, bucket: str = "", key: str | None = None, **more: Any) -> bool:
    amy = user_principal("amy", Rights((policy,)))
    context = RequestContext(amy, "127.0.0.1", query=more.pop("query", {}))
    owner = more.pop("object_owner", None)
    context.object_owner = None if owner is None else lambda: owner
    return decide(amy, more.pop("owner", ""), None, action, bucket, key, context).allowed


def canned(name: str) -> Policy:
    found = canned_policy(name)
    assert found is not None
    return parse_user_policy(found.document, name)


# What the grammar takes and refuses.


@pytest.mark.parametrize(
    "statement",
    [
        allow(),
        allow("*"),
        allow("s3:*"),
        allow(["s3:Get*", "admin:*"]),
        allow(resource=["arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"]),
        {"Effect": "Allow", "Action": "admin:*"},
        {"Effect": "Allow", "Action": ["kms:*", "sts:AssumeRole"]},
        {"Effect": "Deny", "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::bkt/*"},
        allow(Condition={"StringLike": {"s3:prefix": ["${aws:username}/*"]}}),
        allow(Condition={"StringEquals": {"jwt:sub": "x", "aws:groups": "lab"}}),
        allow(resource="arn:aws:s3:::home-${aws:username}/*"),
    ],
)
def test_accepted(statement: dict[str, Any]) -> None:
    parse_user_policy(document(statement), "p")


@pytest.mark.parametrize(
    "statement",
    [
        allow(Principal="*"),
        {"Effect": "Allow", "Action": "s3:GetObject"},
        {"Effect": "Allow", "Resource": "*"},
        allow("s3:Nothing"),
        allow("ec2:*"),
        allow("admin:Nothing"),
        allow(resource="arn:aws:s3:::"),
        allow(resource="bkt/*"),
        allow(resource="arn:aws:s3:::bkt/${aws:"),
        allow(Effect="Permit"),
        allow(Condition={"StringSays": {"aws:username": "x"}}),
        allow(Condition={"StringEquals": {"s3:nothing": "x"}}),
        allow(Conditions={}),
        allow([]),
        [],
    ],
)
def test_refused(statement: Any) -> None:
    with pytest.raises(MalformedPolicy):
        parse_user_policy(document(statement), "p")


def test_a_document_of_over_20_480_bytes_is_refused() -> None:
    places = [f"arn:aws:s3:::bucket-{n:05}/*" for n in range(900)]
    with pytest.raises(MalformedPolicy):
        parse_user_policy(document(allow(resource=places)), "p")


def test_a_star_means_every_action_of_s3_and_no_other() -> None:
    policy = parse_user_policy(document(allow("*")), "p")
    assert all(may(policy, action, "bkt", "k") for action in ACTIONS)
    assert not any(may(policy, action) for action in OTHER_ACTIONS)


def test_variables_stand_for_who_asks() -> None:
    statement = allow(resource="arn:aws:s3:::home/${aws:username}/*")
    policy = parse_user_policy(document(statement), "p")
    assert may(policy, "s3:GetObject", "home", "amy/x")
    assert not may(policy, "s3:GetObject", "home", "bob/x")


# Canned policies.


def test_those_of_minio_are_minios() -> None:
    found = {each.name: json.loads(each.document) for each in canned_policies()}
    everywhere = ["arn:aws:s3:::*"]
    for name, actions in {
        "readonly": ["s3:GetBucketLocation", "s3:GetObject"],
        "writeonly": ["s3:PutObject"],
        "readwrite": ["s3:*"],
    }.items():
        assert found[name] == {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": everywhere}],
        }
    assert [each["Action"] for each in found["consoleAdmin"]["Statement"]] == [
        ["admin:*"],
        ["kms:*"],
        ["s3:*"],
    ]
    assert "admin:ServerInfo" in found["diagnostics"]["Statement"][0]["Action"]


def test_every_canned_policy_can_be_read() -> None:
    for each in canned_policies():
        assert parse_user_policy(each.document, each.name).statements


def test_reader_and_contributor() -> None:
    reader, contributor = canned("reader"), canned("contributor")
    for action in ("s3:GetObject", "s3:GetObjectTagging"):
        assert may(reader, action, "bkt", "k")
        assert may(contributor, action, "bkt", "k")
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert not may(reader, action, "bkt", "k")
        assert may(contributor, action, "bkt", "k")
    for action in ("s3:ListBucket", "s3:GetBucketLocation"):
        assert may(reader, action, "bkt")
        assert may(contributor, action, "bkt")
    for action in ("s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"):
        assert not may(contributor, action, "bkt")
    assert not may(contributor, "s3:DeleteObjectVersion", "bkt", "k")


@pytest.mark.parametrize("end", ["", "*"])
def test_a_scope_limits_to_a_prefix(end: str) -> None:
    policy = canned(f"contributor:climate/cmip6/{end}")
    assert may(policy, "s3:GetObject", "climate", "cmip6/tas.nc")
    assert may(policy, "s3:PutObject", "climate", "cmip6/tas.nc")
    assert not may(policy, "s3:GetObject", "climate", "cmip5/tas.nc")
    assert not may(policy, "s3:GetObject", "climate2", "cmip6/tas.nc")
    assert may(policy, "s3:ListBucket", "climate", query={"prefix": "cmip6/day"})
    assert not may(policy, "s3:ListBucket", "climate", query={"prefix": "cmip"})
    assert not may(policy, "s3:ListBucket", "climate")
    assert may(policy, "s3:GetBucketLocation", "climate")


def test_a_scope_limits_to_buckets() -> None:
    policy = canned("reader:public-*")
    assert may(policy, "s3:GetObject", "public-a", "k")
    assert may(policy, "s3:ListBucket", "public-b")
    assert not may(policy, "s3:GetObject", "private", "k")


@pytest.mark.parametrize("prefix", ["a?b/", "${aws:username}/", "$x/", "ü/ space/"])
def test_signs_in_a_scope_mean_themselves(prefix: str) -> None:
    policy = canned(f"reader:bkt/{prefix}")
    assert may(policy, "s3:GetObject", "bkt", prefix + "k")
    assert may(policy, "s3:ListBucket", "bkt", query={"prefix": prefix})
    for other in ("axb/k", "amy/k", "$y/k", "u/ space/k"):
        assert not may(policy, "s3:GetObject", "bkt", other)


@pytest.mark.parametrize(
    "name",
    ["reader:", "reader:UPPER", "reader:a/*/b", "readonly:bkt", "other:bkt", "reader:b/a\nb", ":b"],
)
def test_what_is_no_scope_is_no_policy(name: str) -> None:
    assert canned_policy(name) is None


def test_selfservice_rules_what_its_user_owns_and_nothing_else() -> None:
    policy = canned("selfservice")
    mine, theirs = user_canonical_id("amy"), root_principal("").canonical_id
    assert may(policy, "s3:CreateBucket", "new")
    for action in ("s3:ListBucket", "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:ListAllMyBuckets"):
        assert may(policy, action, "bkt", owner=mine)
        assert not may(policy, action, "bkt", owner=theirs)
    assert may(policy, "s3:PutObject", "bkt", "k", owner=mine)
    assert not may(policy, "s3:PutObject", "bkt", "k", owner=theirs)
    # An object that it wrote in a bucket that others opened to it.
    assert may(policy, "s3:GetObject", "bkt", "k", owner=theirs, object_owner=mine)
    assert may(policy, "s3:PutObjectAcl", "bkt", "k", owner=theirs, object_owner=mine)
    assert not may(policy, "s3:DeleteObject", "bkt", "k", owner=theirs, object_owner=mine)
    assert not may(policy, "s3:GetObject", "bkt", "k", owner=theirs, object_owner=theirs)
    assert not may(policy, "admin:ListUsers")


# Anything else.

_NAMES = [
    "Version", "Statement", "Id", "Sid", "Effect", "Action", "NotAction", "Resource",
    "NotResource", "Condition", "Principal", "StringLike", "IpAddress", "aws:SourceIp",
]  # fmt: skip
_TEXTS = [
    "2012-10-17", "Allow", "Deny", "s3:*", "admin:*", "*", "s3:GetObject", "arn:aws:s3:::*",
    "arn:aws:s3:::${aws:username}/*", "${", "${aws:username", "10.0.0.0/8", "\ud800", "",
]  # fmt: skip
_leaf = st.one_of(st.sampled_from(_TEXTS), st.text(max_size=6), st.integers(), st.none())
_json = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)
_statement = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.one_of(st.sampled_from(_TEXTS), st.lists(st.sampled_from(_TEXTS), max_size=2)),
    },
    optional={
        "Resource": st.sampled_from(_TEXTS),
        "Condition": st.dictionaries(
            st.sampled_from(["StringLike", "IpAddress", "Bool"]),
            st.dictionaries(st.sampled_from(["aws:SourceIp", "s3:prefix", "x"]), _leaf, max_size=2),
            max_size=2,
        ),
    },
)


def _judge(sent: bytes) -> None:
    try:
        policy = parse_user_policy(sent, "p")
    except MalformedPolicy:
        return
    # Whatever was accepted can be asked about.
    for action in ("s3:GetObject", "admin:ListUsers"):
        assert may(policy, action, "bkt", "k") in (True, False)
    assert parse_user_policy(policy.document, "p").by_action.keys() == policy.by_action.keys()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), _json.map(lambda v: json.dumps(v).encode())))
def test_any_document_is_read_or_refused(sent: bytes) -> None:
    _judge(sent)


@settings(max_examples=300, deadline=None)
@given(st.lists(_statement, min_size=1, max_size=3))
def test_any_statement_is_read_or_refused(statements: list[Any]) -> None:
    _judge(document(*statements))
