"""POST policies: the document by which a signer limits what a browser's form may contain.

The document is JSON in base64: when it expires, and conditions on the fields of the form. Pure
functions over text; who signed it is `neve.s3.post_auth`'s matter.
Source: "Creating a POST policy", Amazon S3 API Reference.

Invariants: every field but the exempt ones is covered by a condition, and so is the bucket; a field
that a condition names must be there; nothing unknown in a document is passed over.
"""

import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from neve.s3.errors import S3Error

_EXEMPT = frozenset(("x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"))
# A checksum can only refuse a file that arrived damaged; no signer need foresee it
# (s3-tests: test_post_object_upload_checksum).
_FREE_PREFIXES = ("x-ignore-", "x-amz-checksum-")
_LENGTH = "content-length-range"
_SIZE_MAX = 1 << 50
_IS_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII).fullmatch


class Condition(NamedTuple):
    """What one field must be."""

    operator: str
    """`eq` or `starts-with`."""
    field: str
    """In lower case, without the dollar."""
    value: str


class PostPolicy(NamedTuple):
    """A policy that was read, not yet judged."""

    expires: float
    """Seconds since 1970."""
    conditions: tuple[Condition, ...]
    size_min: int
    size_max: int | None
    """None: as large as any object of one request."""


def parse_post_policy(encoded: bytes) -> PostPolicy:
    """Return the policy in a form's `policy` field. Raises: S3Error InvalidPolicyDocument."""
    try:
        document = msgspec.json.decode(binascii.a2b_base64(b"".join(encoded.split())))
    except (ValueError, RecursionError) as error:
        raise _invalid("Invalid JSON.") from error
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    for name in document:
        if name not in ("expiration", "conditions"):
            raise _invalid(f"Unexpected: '{name}'")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise _invalid("Policy missing conditions.")
    found: list[Condition] = []
    low, high = 0, None
    for condition in conditions:
        if isinstance(condition, list) and _operator(condition) == _LENGTH:
            first, last = _length_range(condition)
            low, high = max(low, first), last if high is None else min(high, last)
        else:
            found.append(_condition(condition))
    return PostPolicy(_expiration(document["expiration"]), tuple(found), low, high)


def _operator(condition: list[Any]) -> str:
    return condition[0].lower() if condition and isinstance(condition[0], str) else ""


def _length_range(condition: list[Any]) -> tuple[int, int]:
    bounds = [_number(bound) for bound in condition[1:]]
    if len(bounds) != 2 or None in bounds:
        raise _invalid(f"Invalid {_LENGTH}: two whole numbers are needed.")
    return bounds[0], bounds[1]  # type: ignore[return-value]


def _number(bound: Any) -> int | None:
    if isinstance(bound, str) and bound.isascii() and bound.isdigit() and len(bound) < 20:
        bound = int(bound)
    if isinstance(bound, bool) or not isinstance(bound, int):
        return None
    return bound if 0 <= bound <= _SIZE_MAX else None


def _condition(condition: Any) -> Condition:
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid("Simple-Conditions must have exactly one property specified.")
        [(field, value)] = condition.items()
        operator = "eq"
    elif isinstance(condition, list) and len(condition) == 3:
        operator, (field, value) = _operator(condition), condition[1:]
        if operator not in ("eq", "starts-with") or not isinstance(field, str) or field[:1] != "$":
            raise _invalid(f"Invalid Condition: {_shown(condition)}")
        field = field[1:]
    else:
        raise _invalid(f"Invalid Condition: {_shown(condition)}")
    if not field or not isinstance(value, str):
        raise _invalid(f"Invalid Condition: {_shown(condition)}")
    return Condition(operator, field.lower(), value)


def _expiration(text: Any) -> float:
    if isinstance(text, str) and _IS_DATE(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        except (ValueError, OverflowError):
            pass
    raise _invalid(f"Invalid 'expiration' value: '{text}'")


def check_policy(policy: PostPolicy, fields: Mapping[str, str], bucket: str, now: float) -> None:
    """Raise S3Error AccessDenied unless the form, posted to `bucket`, is what the policy allows."""
    if now >= policy.expires:
        raise _refused("Policy expired.")
    # What the form says of the bucket counts for nothing: it is where the form was sent.
    given = {**fields, "bucket": bucket}
    covered = set()
    for condition in policy.conditions:
        covered.add(condition.field)
        value = given.get(condition.field)
        if value is None or not _holds(condition, value):
            shown = _shown([condition.operator, f"${condition.field}", condition.value])
            raise _refused(f"Policy Condition failed: {shown}")
    extra = [
        name
        for name in given
        if name not in covered and name not in _EXEMPT and not name.startswith(_FREE_PREFIXES)
    ]
    if extra:
        raise _refused(f"Extra input fields: {', '.join(sorted(extra))}")


def _holds(condition: Condition, value: str) -> bool:
    if condition.operator == "eq":
        return value == condition.value
    if condition.field == "content-type" and "," in value:
        # AWS: a list of types, of which each must begin so.
        return all(each.strip().startswith(condition.value) for each in value.split(","))
    return value.startswith(condition.value)


def check_size(policy: PostPolicy, size: int) -> None:
    """Raise S3Error EntityTooSmall when the file is smaller than the policy allows."""
    if size < policy.size_min:
        raise S3Error("EntityTooSmall", ProposedSize=size, MinSizeAllowed=policy.size_min)


def _shown(condition: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(condition), indent=0).decode()


def _invalid(why: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {why}")


def _refused(why: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {why}")
