"""The grammar of bucket policies: what is accepted, what is refused, and in which words."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neve.errors import MalformedPolicy
from neve.iam.documents import BODY_BYTES_MAX, POLICY_BYTES_MAX
from neve.iam.policies import Policy, parse_policy
from neve.s3.errors import from_domain

STATEMENT = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::bkt/*",
}
LISTING = {**STATEMENT, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bkt"}


def read(statement: object, **fields: object) -> Policy:
    document = {"Version": "2012-10-17", "Statement": statement, **fields}
    return parse_policy(json.dumps(document).encode(), "bkt")


def refusal(document: bytes) -> str:
    with pytest.raises(MalformedPolicy) as caught:
        parse_policy(document, "bkt")
    answer = from_domain(caught.value)
    assert (answer.code, answer.status) == ("MalformedPolicy", 400)
    return answer.message


def when(operator: str, key: str, value: object) -> dict:
    return {**STATEMENT, "Condition": {operator: {key: value}}}


def without(name: str) -> dict:
    return {key: value for key, value in STATEMENT.items() if key != name}


NOT_OBJECT = "Policies must be valid JSON and the first byte must be '{'"
NOT_JSON = "This policy contains invalid Json"
SYNTAX = "Invalid policy syntax."
NOT_APPLICABLE = "Action does not apply to any resource(s) in statement"
BAD_PRINCIPAL = "Invalid principal in policy"
BAD_ACTION = "Policy has invalid action"
BAD_RESOURCE = "Policy has invalid resource"
BAD_KEY = "Policy has an invalid condition key"
BAD_IP = "Invalid IP address in Conditions"
BAD_VERSION = "The policy must contain a valid version string"
BAD_PAIR = "Conditions do not apply to combination of actions and resources in statement"
BAD_VALUE = "Invalid value in Conditions for operator "
BAD_OPERATOR = "Invalid Condition type : "


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", NOT_OBJECT),
        (b"[]", NOT_OBJECT),
        (b' {"Statement": []}', NOT_OBJECT),
        (b"\xef\xbb\xbf{}", NOT_OBJECT),
        (b"{", NOT_JSON),
        (b"{} {}", NOT_JSON),
        (b'{"Statement": [],}', NOT_JSON),
        (b'{"Version": NaN, "Statement": []}', NOT_JSON),
        (b'{"Id": "\xff"}', NOT_JSON),
        (b'{"Id": "\\ud800", "Statement": []}', NOT_JSON),
        (b'{"Id": "a", "Id": "a"}', NOT_JSON),
        (b'{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', NOT_JSON),
        (b'{"Id": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", NOT_JSON),
        (b'{"Id": ' + b"9" * 19_000 + b"}", NOT_JSON),
        (b"{}", "Missing required field Statement"),
        (b'{"Statement": []}', "Could not parse the policy: Statement is empty!"),
        (b'{"Statement": "x"}', SYNTAX),
        (b'{"Statement": [[]]}', SYNTAX),
        (b'{"Statement": [], "Version": "2012-10-18"}', BAD_VERSION),
        (b'{"Statement": [], "Version": ["2012-10-17"]}', BAD_VERSION),
        (b'{"Statement": [], "Id": 1}', SYNTAX),
        (b'{"Statement": [], "statement": []}', "Unknown field statement"),
    ],
)
def test_document_is_refused(document: bytes, message: str) -> None:
    assert refusal(document) == message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({**STATEMENT, "Resources": "x"}, "Unknown field Resources"),
        ({**STATEMENT, "condition": {}}, "Unknown field condition"),
        ({**STATEMENT, "Sid": 1}, SYNTAX),
        (without("Effect"), "Missing required field Effect"),
        ({**STATEMENT, "Effect": "allow"}, "Invalid effect: allow"),
        ({**STATEMENT, "Effect": None}, SYNTAX),
        (without("Principal"), "Missing required field Principal"),
        ({**STATEMENT, "Principal": {}}, "Missing required field Principal cannot be empty!"),
        ({**STATEMENT, "Principal": ""}, "Missing required field Principal cannot be empty!"),
        ({**STATEMENT, "Principal": {"AWS": []}}, "Missing required field AWS cannot be empty!"),
        ({**STATEMENT, "Principal": {"AWS": 1}}, SYNTAX),
        ({**STATEMENT, "Principal": ["*"]}, SYNTAX),
        ({**STATEMENT, "Principal": "amy"}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"AWS": "amy"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"AWS": "12345"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"AWS": "arn:aws:iam::*:root"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"AWS": "arn:aws:iam::123456789012:user/*"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"AWS": "arn:aws:iam::123456789012:group/g"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"aws": "*"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"CanonicalUser": "abc"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "Principal": {"Service": "*"}}, BAD_PRINCIPAL),
        ({**STATEMENT, "NotPrincipal": "*"}, SYNTAX),
        ({**without("Principal"), "NotPrincipal": "*"}, "Allow with NotPrincipal is not allowed."),
        (without("Action"), "Missing required field Action"),
        ({**STATEMENT, "Action": []}, "Missing required field Action cannot be empty!"),
        ({**STATEMENT, "Action": ""}, "Missing required field Action cannot be empty!"),
        ({**STATEMENT, "Action": {"s3": "x"}}, SYNTAX),
        ({**STATEMENT, "Action": "s3:GetObjects"}, BAD_ACTION),
        ({**STATEMENT, "Action": "s3:Foo*"}, BAD_ACTION),
        ({**STATEMENT, "Action": "ec2:*"}, BAD_ACTION),
        ({**STATEMENT, "Action": "s*"}, BAD_ACTION),
        ({**STATEMENT, "Action": ["s3:GetObject", "GetObject"]}, BAD_ACTION),
        ({**STATEMENT, "NotAction": "s3:*"}, SYNTAX),
        (without("Resource"), "Missing required field Resource"),
        ({**STATEMENT, "Resource": [1]}, SYNTAX),
        ({**STATEMENT, "Resource": "*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "bkt/*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:s3:::other/*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:s3:::bkt2/*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:s3:::bk/*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:s3:::bkt/"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:iam:::bkt/*"}, BAD_RESOURCE),
        ({**STATEMENT, "Resource": "arn:aws:s3:::bkt/${aws:username"}, BAD_RESOURCE),
        ({**STATEMENT, "NotResource": "arn:aws:s3:::bkt"}, SYNTAX),
        ({**STATEMENT, "Resource": "arn:aws:s3:::bkt"}, NOT_APPLICABLE),
        ({**LISTING, "Resource": "arn:aws:s3:::bkt/*"}, NOT_APPLICABLE),
        ({**STATEMENT, "Action": ["s3:GetObject", "s3:ListBucket"]}, NOT_APPLICABLE),
        (
            {
                **STATEMENT,
                "Action": "s3:ListAllMyBuckets",
                "Resource": ["arn:aws:s3:::bkt", "arn:aws:s3:::*/*"],
            },
            NOT_APPLICABLE,
        ),
        ({**STATEMENT, "Condition": []}, SYNTAX),
        ({**STATEMENT, "Condition": {"StringEquals": "x"}}, SYNTAX),
        ({**STATEMENT, "Condition": {"StringEquals": {}}}, SYNTAX),
        (when("StringEquals", "aws:Referer", []), SYNTAX),
        (when("StringEquals", "aws:Referer", None), SYNTAX),
        (when("StringEquals", "aws:Referer", [["x"]]), SYNTAX),
        (when("StringIs", "aws:Referer", "x"), BAD_OPERATOR + "StringIs"),
        (when("stringequals", "aws:Referer", "x"), BAD_OPERATOR + "stringequals"),
        (when("ForSome:StringLike", "aws:Referer", "x"), BAD_OPERATOR + "ForSome:StringLike"),
        (when("NullIfExists", "aws:Referer", "true"), BAD_OPERATOR + "NullIfExists"),
        (when("ForAnyValue:Null", "aws:Referer", "true"), BAD_OPERATOR + "ForAnyValue:Null"),
        (when("StringEquals", "s3:nothing", "x"), BAD_KEY),
        (when("StringEquals", "foo:bar", "x"), BAD_KEY),
        (when("StringEquals", "s3:ExistingObjectTag/", "x"), BAD_KEY),
        (when("IpAddress", "aws:SourceIp", "10.0.0.256"), BAD_IP),
        (when("IpAddress", "aws:SourceIp", "10.0.0.0/33"), BAD_IP),
        (when("NotIpAddress", "aws:SourceIp", "10.0.0.0/255.0.0.0"), BAD_IP),
        (when("NumericEquals", "aws:EpochTime", "ten"), BAD_VALUE + "NumericEquals"),
        (when("NumericEquals", "aws:EpochTime", "inf"), BAD_VALUE + "NumericEquals"),
        (when("DateLessThan", "aws:CurrentTime", "yesterday"), BAD_VALUE + "DateLessThan"),
        (when("DateLessThan", "aws:CurrentTime", "2023-02-30"), BAD_VALUE + "DateLessThan"),
        (when("Bool", "aws:SecureTransport", "yes"), BAD_VALUE + "Bool"),
        (when("Null", "aws:Referer", "yes"), BAD_VALUE + "Null"),
        (when("BinaryEquals", "aws:Referer", "*"), BAD_VALUE + "BinaryEquals"),
        (when("StringLike", "aws:Referer", "${}"), BAD_VALUE + "StringLike"),
        (when("StringEquals", "s3:prefix", "x"), BAD_PAIR),
    ],
)
def test_statement_is_refused(statement: dict, message: str) -> None:
    assert (
        refusal(json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()) == message
    )


@pytest.mark.parametrize(
    "statement",
    [
        [STATEMENT],
        {**STATEMENT, "Sid": "Allow Public Access to All Objects", "Condition": {}},
        {**STATEMENT, "Principal": {"AWS": ["*", "arn:aws:iam::123456789012:root"]}},
        {**STATEMENT, "Principal": {"AWS": "arn:aws:iam::s3tenant1:root"}},
        {**STATEMENT, "Principal": {"AWS": "arn:aws:iam:::user/amy"}},
        {**STATEMENT, "Principal": {"AWS": "arn:aws:sts::123456789012:assumed-role/role/session"}},
        {**STATEMENT, "Principal": {"Service": ["logging.s3.amazonaws.com"]}},
        {**STATEMENT, "Principal": {"Federated": "cognito-identity.amazonaws.com"}},
        {**STATEMENT, "Principal": {"CanonicalUser": "0" * 64, "AWS": "123456789012"}},
        {**STATEMENT, "Action": "*", "Resource": ["arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"]},
        {**STATEMENT, "Action": ["S3:getobject", "s3:*Version", "s3:Get?bject"]},
        {**STATEMENT, "Resource": "arn:aws:s3:::bkt*"},
        {**STATEMENT, "Resource": "arn:aws:s3:::${aws:username}/x"},
        {**STATEMENT, "Resource": "arn:aws:s3:::bkt/a key/with ünïcode"},
        {**LISTING, "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]},
        {**LISTING, "Condition": {"NumericLessThan": {"s3:max-keys": 10}}},
        {**STATEMENT, "Condition": {"Bool": {"aws:SecureTransport": False}}},
        when("StringEquals", "aws:PrincipalOrgID", "o-1"),
        {**without("Action"), "NotAction": "s3:PutObject"},
        {**without("Resource"), "NotResource": "arn:aws:s3:::bkt/private/*"},
    ],
)
def test_statement_is_accepted(statement: object) -> None:
    assert len(read(statement).statements) == 1


def test_document_is_kept_as_sent() -> None:
    document = b'{ "Statement" :\n' + json.dumps(STATEMENT).encode() + b"}\n"
    policy = parse_policy(document, "bkt")
    assert policy.document == document
    assert [statement.label for statement in policy.statements] == ["NO_ID-0"]


def test_statement_ids_are_unique_unless_empty() -> None:
    assert len(read([{**STATEMENT, "Sid": ""}, {**STATEMENT, "Sid": ""}]).statements) == 2
    twice = {"Statement": [{**STATEMENT, "Sid": "a"}, {**STATEMENT, "Sid": "a"}]}
    assert "unique" in refusal(json.dumps(twice).encode())


def test_size_limit_counts_the_document_without_white_space() -> None:
    spare = POLICY_BYTES_MAX - len(
        json.dumps({"Id": "", "Statement": [STATEMENT]}, separators=(",", ":"))
    )
    fits = {"Id": "x" * spare, "Statement": [STATEMENT]}
    assert parse_policy(json.dumps(fits, indent=4).encode(), "bkt")
    over = {"Id": "x" * (spare + 1), "Statement": [STATEMENT]}
    message = "Normalized policy document exceeds the maximum allowed size of 20480 bytes"
    assert refusal(json.dumps(over).encode()) == message
    assert refusal(b"{" + b" " * BODY_BYTES_MAX + b"}") == message


def test_variables_are_plain_text_before_2012() -> None:
    document = {"Statement": {**STATEMENT, "Resource": "arn:aws:s3:::bkt/${aws:username"}}
    assert parse_policy(json.dumps(document).encode(), "bkt")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
WORDS = [
    *STATEMENT,
    "Version",
    "Id",
    "Statement",
    "Sid",
    "NotPrincipal",
    "NotAction",
    "NotResource",
]
WORDS += ["Condition", "AWS", "StringLike", "IpAddress", "DateEquals", "Null", "BinaryEquals"]
WORDS += ["ForAnyValue:ArnLike", "aws:SourceIp", "aws:username", "s3:prefix", "2012-10-17", "Allow"]
WORDS += ["Deny", "*", "s3:*", "s3:GetObject", "arn:aws:s3:::bkt", "10.0.0.0/8", "2023", "true"]
WORDS += ["arn:aws:s3:::bkt/${*}${aws:x,'y'}?*", "${", "${aws:username}", "YQ=="]
words = st.sampled_from(WORDS)
trees = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=9)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60)
    | st.binary(max_size=60).map(lambda tail: b"{" + tail)
    | trees.map(lambda tree: json.dumps(tree).encode())
)
@example(b'{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"}}')
def test_nothing_but_malformed_policy_comes_out_of_any_bytes(document: bytes) -> None:
    try:
        parse_policy(document, "bkt")
    except MalformedPolicy as error:
        assert error.message


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*STATEMENT, "Condition", "Sid", "NotAction"]), trees), max_size=2
    )
)
def test_nothing_but_malformed_policy_comes_out_of_a_broken_statement(changes: list) -> None:
    statement = {**STATEMENT, **dict(changes)}
    try:
        read([statement])
    except MalformedPolicy as error:
        assert error.message
