"""Whether a bucket policy is "public" as GetBucketPolicyStatus and Block Public Access mean it.

Source: S3 User Guide, "The meaning of 'public'". A policy is taken to be public until every Allow
is shown to be limited to fixed values: a principal that is named, or a condition on one of a short
list of keys whose values have neither wildcards nor variables. A Deny never makes a policy less
public.
"""

import ipaddress
from collections.abc import Iterable

from neve.iam.conditions import Condition
from neve.iam.patterns import parse_pattern
from neve.iam.statements import Statement, Verdict

_FIXED_KEYS = frozenset(
    (
        "aws:principalorgid",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceowner",
        "aws:sourceaccount",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_MATCHING = frozenset(
    ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike")
)
_IPV4_LENGTH_MIN = 8
_IPV6_LENGTH_MIN = 32


def is_public(statements: Iterable[Statement]) -> bool:
    """Whether any statement grants something to more than fixed principals, networks or sources."""
    return any(
        statement.effect is Verdict.ALLOW
        and statement.everyone
        and not any(_limits(condition) for condition in statement.conditions)
        for statement in statements
    )


def _limits(condition: Condition) -> bool:
    operator = condition.operator
    # These hold for requests that lack the key, so they shut nobody out.
    if operator.if_exists or operator.quantifier == "ForAllValues":
        return False
    if condition.key == "aws:sourceip":
        return operator.base == "IpAddress" and all(map(_is_narrow, condition.values))
    if operator.base not in _MATCHING:
        return False
    if condition.key == "s3:dataaccesspointarn":
        return all(map(_has_fixed_account, condition.values))
    return condition.key in _FIXED_KEYS and all(p.is_fixed for p in condition.patterns)


def _is_narrow(value: str) -> bool:
    """AWS: networks broader than /8 (IPv6: /32) count as public."""
    network = ipaddress.ip_network(value, strict=False)
    return network.prefixlen >= (_IPV4_LENGTH_MIN if network.version == 4 else _IPV6_LENGTH_MIN)


def _has_fixed_account(arn: str) -> bool:
    """AWS: the access point's name may have a wildcard as long as its account has none."""
    parts = arn.split(":", 5)
    return len(parts) == 6 and parts[4].isdigit() and parse_pattern(parts[4]).is_fixed
