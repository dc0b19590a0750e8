"""A bucket's policy as rules for everybody: read, edited, written back.

A rule is a prefix and the actions that everybody may do under it. Only plain statements are rules:
Allow, everybody, no Sid, actions of this module, resources that are the bucket or a prefix with one
star at its end, no condition but `s3:prefix` of listings. All others are kept as they are.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from neve.client.errors import ClientError
from neve.client.s3 import S3

ARN = "arn:aws:s3:::"
LIST = "s3:ListBucket"
READ = frozenset(("s3:GetObject",))
WRITE = frozenset(
    ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject")
)
_LOCATION, _UPLOADS = "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"
_OBJECT = READ | WRITE
_BUCKET = frozenset((_LOCATION, _UPLOADS, LIST))
_FIELDS = frozenset(("Sid", "Effect", "Principal", "Action", "Resource", "Condition"))
PERMISSIONS = {
    "none": frozenset[str](),
    "download": READ | {LIST},
    "upload": WRITE,
    "public": READ | WRITE | {LIST},
}
"""What the words of `neve anonymous set` mean, in actions."""


@dataclass
class Grants:
    """What everybody may do in a bucket."""

    bucket: str
    rules: dict[str, set[str]] = field(default_factory=dict)
    """Actions by prefix; '' is the whole bucket."""
    others: list[dict[str, Any]] = field(default_factory=list)
    """Statements that are no rules."""
    version: str = "2012-10-17"

    @property
    def custom(self) -> bool:
        """Whether other statements, too, allow everybody something."""
        return any(map(_lets_everybody, self.others))

    def close(self) -> None:
        """Take away all that lets everybody in; what the policy says of others stays."""
        self.rules.clear()
        self.others = [each for each in self.others if not _lets_everybody(each)]

    def document(self) -> dict[str, Any] | None:
        """Return the policy, None when nothing is left to say."""
        statements = self.others + list(self._statements())
        return {"Version": self.version, "Statement": statements} if statements else None

    def _statements(self) -> Iterable[dict[str, Any]]:
        rules = {prefix: actions for prefix, actions in sorted(self.rules.items()) if actions}
        if not rules:
            return
        whole = [_LOCATION]
        if any(actions & WRITE for actions in rules.values()):
            whole.append(_UPLOADS)
        yield _allow(whole, ARN + self.bucket)
        listed = [prefix for prefix, actions in rules.items() if LIST in actions]
        if "" in listed:
            yield _allow([LIST], ARN + self.bucket)
        elif listed:
            patterns = [f"{prefix}*" for prefix in listed]
            condition = {"StringLike": {"s3:prefix": patterns}}
            yield _allow([LIST], ARN + self.bucket) | {"Condition": condition}
        by_actions: dict[tuple[str, ...], list[str]] = {}
        for prefix, actions in rules.items():
            by_actions.setdefault(tuple(sorted(actions & _OBJECT)), []).append(prefix)
        for names, prefixes in by_actions.items():
            if names:
                yield _allow(names, *(f"{ARN}{self.bucket}/{prefix}*" for prefix in prefixes))


def permission_of(actions: set[str]) -> tuple[str, bool]:
    """Return the word for what may be done, and whether listing is among it."""
    objects = frozenset(actions & _OBJECT)
    words = {READ: "download", WRITE: "upload", _OBJECT: "public"}
    if not objects:
        return ("custom" if LIST in actions else "none"), LIST in actions
    return words.get(objects, "custom"), LIST in actions


def read(server: S3, bucket: str) -> Grants:
    """Return what the bucket's policy says."""
    body = server.get_setting(bucket, "policy", "read the bucket's policy")
    return parse(bucket, body) if body else Grants(bucket)


def write(server: S3, grants: Grants) -> None:
    """Replace the bucket's policy."""
    document = grants.document()
    if document is None:
        server.delete_setting(grants.bucket, "policy", "change the bucket's policy")
    else:
        body = json.dumps(document, indent=1).encode()
        server.put_setting(grants.bucket, "policy", body, "change the bucket's policy")


def parse(bucket: str, body: bytes) -> Grants:
    """Return what a policy says. Raises: ClientError when it is none."""
    try:
        document = json.loads(body)
        statements = document["Statement"]
        version = str(document.get("Version") or "2012-10-17")
    except (ValueError, KeyError, TypeError) as error:
        raise ClientError("the bucket's policy is no JSON document.", "NotS3") from error
    grants = Grants(bucket, version=version)
    for each in [statements] if isinstance(statements, dict) else statements:
        found = _rules_of(bucket, each)
        if found is None:
            grants.others.append(each)
        else:
            for prefix, actions in found.items():
                grants.rules.setdefault(prefix, set()).update(actions)
    return grants


def _rules_of(bucket: str, statement: dict[str, Any]) -> dict[str, set[str]] | None:
    """Return the rules in a statement, None when it is not a plain one."""
    actions = set(_texts(statement.get("Action")))
    prefixes = _listed_prefixes(statement.get("Condition"))
    if (
        set(statement) - _FIELDS
        or statement.get("Sid")
        or statement.get("Effect") != "Allow"
        or not _everybody(statement.get("Principal"))
        or prefixes is None
        or not actions <= _OBJECT | _BUCKET
    ):
        return None
    found: dict[str, set[str]] = {}
    for resource in _texts(statement.get("Resource")):
        name = resource.removeprefix(ARN)
        if name == bucket and not (statement.get("Condition") and actions != {LIST}):
            for prefix in prefixes:
                found.setdefault(prefix, set()).update(actions & {LIST})
        elif name.startswith(f"{bucket}/") and name.endswith("*") and prefixes == [""]:
            prefix = name[len(bucket) + 1 : -1]
            if "*" in prefix or "?" in prefix or "$" in prefix:
                return None
            found.setdefault(prefix, set()).update(actions & _OBJECT)
        else:
            return None
    return found


def _listed_prefixes(condition: Any) -> list[str] | None:
    """Return the prefixes that a condition limits listing to; None when it says something else."""
    if not condition:
        return [""]
    if not isinstance(condition, dict) or len(condition) != 1:
        return None
    operator, tests = next(iter(condition.items()))
    if operator not in ("StringEquals", "StringLike") or list(tests) != ["s3:prefix"]:
        return None
    values = _texts(tests["s3:prefix"])
    if operator == "StringLike":
        values = [value.removesuffix("*") for value in values]
    elif "" in values:
        # It lists from the root of the bucket only: less than a rule for the whole bucket.
        return None
    return None if any("*" in value or "?" in value for value in values) else values


def _allow(actions: Iterable[str], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": list(actions),
        "Resource": list(resources),
    }


def _lets_everybody(statement: dict[str, Any]) -> bool:
    return statement.get("Effect") == "Allow" and _everybody(statement.get("Principal"))


def _everybody(principal: Any) -> bool:
    if isinstance(principal, dict):
        return "*" in _texts(principal.get("AWS"))
    return bool(principal == "*")


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value or ()]
