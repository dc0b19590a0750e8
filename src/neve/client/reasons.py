"""Why a Neve server refused: asked of it after a refusal that somebody is to read.

One more request, and only then; a server that does not know the call, or does not answer it, leaves
the sentence as it was. Other servers are not asked.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neve.client.errors import ClientError

if TYPE_CHECKING:
    from neve.client.transport import Transport

SOFTWARE = "Neve"
"""What the server's own header says of a server that can be asked."""
ASKED_MAX = 20
"""A run that is refused everywhere is told why so many times."""

_EXPLAIN = "minio/admin/v3/neve/explain"


def _setting(name: str, removed: str = "") -> dict[str, str]:
    return {"GET": f"Get{name}", "PUT": f"Put{name}", "DELETE": removed or f"Put{name}"}


_OF_OBJECTS = {
    "": {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"},
    "uploads": {"POST": "PutObject"},
    "uploadId": {
        "GET": "ListMultipartUploadParts", "PUT": "PutObject", "POST": "PutObject",
        "DELETE": "AbortMultipartUpload",
    },
    "tagging": _setting("ObjectTagging", "DeleteObjectTagging"),
    "retention": _setting("ObjectRetention"),
    "legal-hold": _setting("ObjectLegalHold"),
}  # fmt: skip
_OF_BUCKETS = {
    "": {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket",
         "DELETE": "DeleteBucket"},
    "list-type": {"GET": "ListBucket"},
    "versions": {"GET": "ListBucketVersions"},
    "uploads": {"GET": "ListBucketMultipartUploads"},
    "location": {"GET": "GetBucketLocation"},
    "policy": _setting("BucketPolicy", "DeleteBucketPolicy"),
    "versioning": _setting("BucketVersioning"),
    "tagging": _setting("BucketTagging"),
    "cors": _setting("BucketCORS"),
    "lifecycle": _setting("LifecycleConfiguration"),
    "encryption": _setting("EncryptionConfiguration"),
    "notification": _setting("BucketNotification"),
    "object-lock": _setting("BucketObjectLockConfiguration"),
}  # fmt: skip
_OF_VERSIONS = ("GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging",
                "DeleteObjectTagging")  # fmt: skip


def action_of(method: str, bucket: str, key: str, query: Mapping[str, Any]) -> str:
    """Return the action that policies must allow for a request, '' when that is not known."""
    if not bucket:
        return "" if key or method != "GET" else "s3:ListAllMyBuckets"
    table = _OF_OBJECTS if key else _OF_BUCKETS
    resource = next((name for name in query if name in table), "")
    action = table[resource].get(method, "")
    if key and query.get("versionId") and action in _OF_VERSIONS:
        action = action.replace("Object", "ObjectVersion", 1)
    return action and f"s3:{action}"


def reason_of(
    transport: "Transport", method: str, bucket: str, key: str, query: Mapping[str, Any]
) -> str:
    """Return why the server refuses this request of its caller, '' when it does not say."""
    action = action_of(method, bucket, key, query)
    if not action or transport.alias.anonymous or not transport.may_ask_why():
        return ""
    place = key or str(query.get("prefix", ""))
    asked = {"action": action, "bucket": bucket, "object": place}
    asked = {name: value for name, value in asked.items() if value}
    try:
        answer = transport.request("GET", key=_EXPLAIN, query=asked, idempotent=False)
        return _reason(json.loads(answer.body), action)
    except (ClientError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _reason(found: dict[str, Any], action: str) -> str:
    if found["allowed"]:
        return ""  # What was refused was something else, such as reading the source of a copy.
    if found["policy"]:
        return f"{found['reason']} {action} (statement {found['statement']})"
    if found["reason"] != "nothing allows it":
        return str(found["reason"])
    policies = [str(name) for name in found["policies"]]
    if not policies:
        return f"no policy is attached to it that could allow {action}"
    if len(policies) == 1:
        return f"{policies[0]} does not allow {action}"
    return f"{', '.join(policies[:-1])} and {policies[-1]} do not allow {action}"
