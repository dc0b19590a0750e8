"""Policies for people to read and build: statements as lines, and a statement from a form."""

import json
from typing import Any, NamedTuple

from neve.panel.language import Language

KINDS: dict[str, tuple[str, ...]] = {
    "list": ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation"),
    "read": (
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectTagging",
        "s3:GetObjectAttributes",
    ),
    "write": (
        "s3:PutObject",
        "s3:PutObjectTagging",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
    "delete": ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteObjectTagging"),
    "settings": ("s3:GetBucket*", "s3:PutBucket*", "s3:GetLifecycle*", "s3:PutLifecycle*"),
    "create": ("s3:CreateBucket", "s3:ListAllMyBuckets"),
    "all": ("s3:*",),
}
"""What a statement of the form may be about, and the actions that it stands for."""
_ON_BUCKETS = ("list", "settings", "create")
_ARN = "arn:aws:s3:::"


class Line(NamedTuple):
    """A statement as a line of a table."""

    allows: bool
    actions: list[str]
    resources: list[str]
    conditions: str
    """As JSON, '' for none."""


def lines(document: dict[str, Any]) -> list[Line]:
    """Return the statements of a policy, whatever is in it."""
    found = document.get("Statement") or []
    return [_line(each) for each in _list(found) if isinstance(each, dict)]


def statement(kinds: list[str], bucket: str, prefix: str, allow: bool) -> dict[str, Any] | None:
    """Return a statement for what was ticked in the form, None when nothing was."""
    actions = [action for kind in kinds for action in KINDS.get(kind, ())]
    if not actions:
        return None
    place = bucket or "*"
    resources = []
    if any(kind in (*_ON_BUCKETS, "all") for kind in kinds):
        resources.append(_ARN + place)
    if any(kind not in _ON_BUCKETS for kind in kinds):
        resources.append(f"{_ARN}{place}/{prefix}*")
    made: dict[str, Any] = {
        "Effect": "Allow" if allow else "Deny",
        "Action": actions,
        "Resource": resources,
    }
    return made


def with_statement(text: str, added: dict[str, Any]) -> str:
    """Return a policy with one more statement. Raises: ValueError when the text is no object."""
    document = json.loads(text) if text.strip() else {}
    if not isinstance(document, dict):
        raise ValueError("not an object")
    statements = [*_list(document.get("Statement") or []), added]
    return pretty({"Version": "2012-10-17", **document, "Statement": statements})


def pretty(document: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def json_problem(language: Language, text: str) -> str:
    """Return what is wrong with a text that should be JSON, '' when nothing is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return language.gettext(
            "This is no JSON: line %(line)d, column %(column)d: %(why)s.",
            line=error.lineno,
            column=error.colno,
            why=error.msg,
        )
    except (ValueError, RecursionError):  # numbers of thousands of digits, or a depth of them
        return language.gettext("This is not a valid policy.")
    return ""


def _line(found: dict[str, Any]) -> Line:
    actions = _texts(found.get("Action")) or [f"≠ {x}" for x in _texts(found.get("NotAction"))]
    resources = _texts(found.get("Resource")) or [
        f"≠ {x}" for x in _texts(found.get("NotResource"))
    ]
    conditions = found.get("Condition")
    return Line(
        found.get("Effect") == "Allow",
        actions,
        [each.removeprefix(_ARN) for each in resources],
        json.dumps(conditions, ensure_ascii=False) if conditions else "",
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any) -> list[str]:
    return [str(each) for each in _list(value)] if value else []
