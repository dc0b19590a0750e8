"""Policies that are always there: MinIO's own, as they are, and three that MinIO lacks.

    readonly      GetObject and GetBucketLocation: it cannot list      MinIO's
    readwrite     everything of S3                                     MinIO's
    writeonly     PutObject                                            MinIO's
    diagnostics   what an operator looks at                            MinIO's
    consoleAdmin  everything of S3 and of administration               MinIO's
    reader        read and list
    contributor   read, list, write and delete
    selfservice   make buckets, and everything in those one owns

`reader` and `contributor` may be limited to a bucket or a prefix where they are attached, by a name
such as `reader:climate`, `contributor:climate/cmip6/` or `reader:public-*`: the bucket (with `*`
for any text), then, after a slash, what keys begin with (a `*` at its end may be there and changes
nothing). Such a policy is made from its name, and stored nowhere.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from neve.iam.identities import NamedPolicy

ANYWHERE = "arn:aws:s3:::"

_READ_BUCKET = (
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketVersioning",
)
_LIST = ("s3:ListBucket", "s3:ListBucketVersions")
_READ_OBJECT = (
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionTagging",
)
_WRITE_OBJECT = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
_SCOPE = re.compile(r"([a-z0-9.*-]{1,63})(?:/(.*))?", re.DOTALL)


def _allow(
    actions: Iterable[str], resource: str = "", condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions)}
    if resource:
        statement["Resource"] = [ANYWHERE + resource]
    if condition:
        statement["Condition"] = condition
    return statement


def _document(*statements: dict[str, Any]) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1).encode()


def _scoped(bucket: str, prefix: str, *, writes: bool) -> bytes:
    """Return the document of `reader` or `contributor` for keys that begin with `prefix`.

    Uploads in progress are listed without regard to prefixes, so only for a whole bucket.
    """
    # What comes from a name must not be read as a variable or a wildcard.
    literal = "".join(f"${{{sign}}}" if sign in "*?$" else sign for sign in prefix)
    limit = {"StringLike": {"s3:prefix": [literal + "*"]}} if prefix else None
    objects = (*_READ_OBJECT, *_WRITE_OBJECT) if writes else _READ_OBJECT
    statements = [
        _allow(_READ_BUCKET, bucket),
        _allow(_LIST, bucket, limit),
        _allow(objects, f"{bucket}/{literal}*"),
    ]
    if writes and not prefix:
        statements.append(_allow(["s3:ListBucketMultipartUploads"], bucket))
    return _document(*statements)


_OWN_BUCKET = {"StringEquals": {"neve:BucketOwner": "${neve:CanonicalId}"}}
_OWN_OBJECT = {"StringEquals": {"neve:ObjectOwner": "${neve:CanonicalId}"}}
_OBJECT_ACTIONS = ("s3:GetObject*", "s3:PutObjectAcl", "s3:PutObjectVersionAcl")

_CANNED: dict[str, bytes] = {
    "consoleAdmin": _document(_allow(["admin:*"]), _allow(["kms:*"]), _allow(["s3:*"], "*")),
    "contributor": _scoped("*", "", writes=True),
    "diagnostics": _document(
        _allow(
            [
                "admin:Profiling",
                "admin:ServerTrace",
                "admin:ConsoleLog",
                "admin:ServerInfo",
                "admin:TopLocksInfo",
                "admin:OBDInfo",
                "admin:Prometheus",
                "admin:BandwidthMonitor",
            ],
            "*",
        )
    ),
    "reader": _scoped("*", "", writes=False),
    "readonly": _document(_allow(["s3:GetBucketLocation", "s3:GetObject"], "*")),
    "readwrite": _document(_allow(["s3:*"], "*")),
    "selfservice": _document(
        _allow(["s3:CreateBucket"], "*"),
        _allow(["s3:*"], "*", _OWN_BUCKET),
        _allow(_OBJECT_ACTIONS, "*", _OWN_OBJECT),
    ),
    "writeonly": _document(_allow(["s3:PutObject"], "*")),
}
_SCOPED = {"reader": False, "contributor": True}


def canned_policies() -> list[NamedPolicy]:
    """Return all of them, in name order, without the scoped ones."""
    return [NamedPolicy(name, document, canned=True) for name, document in _CANNED.items()]


def canned_policy(name: str) -> NamedPolicy | None:
    """Return the canned policy of this name, scoped or not; None when there is none."""
    document = _CANNED.get(name)
    if document is None:
        kind, colon, scope = name.partition(":")
        found = _SCOPE.fullmatch(scope)
        if not colon or kind not in _SCOPED or not found or not _is_prefix(found[2] or ""):
            return None
        prefix = (found[2] or "").removesuffix("*")
        document = _scoped(found[1], prefix, writes=_SCOPED[kind])
    return NamedPolicy(name, document, canned=True)


def is_reserved(name: str) -> bool:
    """Whether no policy of one's own may be called so: it is canned, or looks like a scoped one."""
    kind, colon, _ = name.partition(":")
    return name in _CANNED or bool(colon and kind in _SCOPED)


def _is_prefix(text: str) -> bool:
    return text.isprintable() and "*" not in text[:-1] and "," not in text and len(text) <= 512
