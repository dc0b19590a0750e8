"""A bucket's policy for people: what somebody is allowed, as statements and as one reads them.

What everybody may do by prefix is in `neve.client.anonymous`; this is about the rest.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from neve.client.anonymous import ARN

USER_ARN = "arn:aws:iam:::user/"
OBJECT_USES = {
    "read": ("s3:GetObject", "s3:GetObjectVersion"),
    "write": ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"),
    "delete": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
}
USES = ("list", *OBJECT_USES)
_LIST = ("s3:ListBucket", "s3:ListBucketVersions")

Statement = dict[str, Any]


class Shown(NamedTuple):
    """A statement as one reads it."""

    allows: bool
    who: list[str]
    """`*` is everybody; users by their names."""
    others: bool
    """Whether it is about all but `who`."""
    actions: list[str]
    resources: list[str]
    """Without what all begin with."""
    condition: str
    """As JSON, '' for none."""
    sid: str


def allowing(bucket: str, user: str, uses: Iterable[str], prefix: str = "") -> list[Statement]:
    """Return the statements that let a user do some of `USES` in a bucket, or under a prefix."""
    wanted = set(uses)
    found = []
    if "list" in wanted:
        found.append(_allow(user, ["s3:GetBucketLocation"], ARN + bucket))
        listing = _allow(user, _LIST, ARN + bucket)
        if prefix:
            listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
        found.append(listing)
    actions = [action for use, names in OBJECT_USES.items() if use in wanted for action in names]
    if actions:
        found.append(_allow(user, actions, f"{ARN}{bucket}/{prefix}*"))
    return found


def shown(statement: Statement) -> Shown:
    """Return a statement as one reads it, whatever it is."""
    principal = statement.get("Principal", statement.get("NotPrincipal", "*"))
    condition = statement.get("Condition")
    return Shown(
        statement.get("Effect") == "Allow",
        [name.removeprefix(USER_ARN) for name in _names(principal)],
        "NotPrincipal" in statement,
        _texts(statement.get("Action") or statement.get("NotAction")),
        [
            text.removeprefix(ARN)
            for text in _texts(statement.get("Resource") or statement.get("NotResource"))
        ],
        json.dumps(condition, ensure_ascii=False) if condition else "",
        str(statement.get("Sid") or ""),
    )


def _allow(user: str, actions: Iterable[str], resource: str) -> Statement:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": [USER_ARN + user]},
        "Action": list(actions),
        "Resource": [resource],
    }


def _names(principal: Any) -> list[str]:
    if isinstance(principal, dict):
        return [text for value in principal.values() for text in _texts(value)]
    return _texts(principal)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value or ()]
