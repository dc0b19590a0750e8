"""When a policy is public: the rules and examples of "The meaning of 'public'" (S3 User Guide)."""

import json

import pytest

from neve.iam.policies import parse_policy


def is_public(*statements: dict) -> bool:
    full = [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::bkt/*",
            **statement,
        }
        for statement in statements
    ]
    document = {"Version": "2012-10-17", "Statement": full}
    return parse_policy(json.dumps(document).encode(), "bkt").is_public


USER = {"Principal": {"AWS": "arn:aws:iam::123456789012:user/amy"}}
ORG = {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}}


def when(operator: str, key: str, *values: str) -> dict:
    return {"Condition": {operator: {key: list(values)}}}


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}},
        # The two public examples of the guide.
        when("StringLike", "aws:SourceVpc", "vpc-*"),
        when("StringLike", "aws:SourceVpc", "vpc-1", "vpc-*"),
        when("StringLike", "aws:PrincipalOrgID", "o-?"),
        when("StringEquals", "aws:SourceAccount", "${aws:username}"),
        when("StringNotEquals", "aws:SourceVpc", "vpc-1"),
        when("StringEqualsIfExists", "aws:SourceVpc", "vpc-1"),
        when("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1"),
        when("ArnLike", "aws:SourceArn", "arn:aws:s3:::*"),
        when("StringLike", "aws:userid", "AROAEXAMPLE:*"),
        when("StringLike", "s3:DataAccessPointArn", "arn:aws:s3:us-west-2:*:accesspoint/x"),
        when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
        when("IpAddress", "aws:SourceIp", "0.0.0.0/1"),
        when("IpAddress", "aws:SourceIp", "10.0.0.0/8", "0.0.0.0/0"),
        when("IpAddress", "aws:SourceIp", "2001::/16"),
        when("Bool", "aws:SecureTransport", "true"),
        when("StringEquals", "aws:Referer", "http://example.com/"),
    ],
)
def test_public(statement: dict) -> None:
    assert is_public(statement)


@pytest.mark.parametrize(
    "statement",
    [
        USER,
        {"Principal": {"AWS": "123456789012"}},
        {"Principal": {"Service": "cloudtrail.amazonaws.com"}},
        {"Principal": {"CanonicalUser": "a" * 64}},
        {"Effect": "Deny"},
        ORG,
        when("StringLike", "aws:SourceVpc", "vpc-91237329"),
        when("StringEquals", "aws:SourceVpce", "vpce-1"),
        when("StringEquals", "aws:SourceOwner", "123456789012"),
        when("ForAnyValue:StringEquals", "aws:SourceAccount", "123456789012"),
        when("ArnEquals", "aws:SourceArn", "arn:aws:s3:::source"),
        when("StringEquals", "aws:userid", "AIDAEXAMPLE"),
        when("StringEquals", "s3:x-amz-server-side-encryption-aws-kms-key-id", "key"),
        when(
            "StringLike", "s3:DataAccessPointArn", "arn:aws:s3:us-west-2:123456789012:accesspoint/*"
        ),
        when("StringEquals", "s3:DataAccessPointAccount", "123456789012"),
        when("IpAddress", "aws:SourceIp", "203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32"),
    ],
)
def test_not_public(statement: dict) -> None:
    assert not is_public(statement)


def test_one_public_statement_makes_the_policy_public() -> None:
    assert not is_public(USER, ORG)
    assert is_public(USER, ORG, {})
    assert is_public({}, {"Effect": "Deny"})
