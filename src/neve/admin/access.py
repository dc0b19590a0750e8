"""ExplainAccess: why somebody may do something, or may not. Neve's own; MinIO has no such call.

Everybody may ask about itself; statements of a bucket's policy that are about others are left out
of such an answer. `policies` names those of the user, its groups and the access key. `sourceIp`
asks as if from that address, else it is the caller's. For an action on objects `object` is the key;
for one on a bucket it is the prefix that would be listed.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.admin.rights import allows
from neve.answer import Response
from neve.errors import NoSuchBucket, NoSuchKey
from neve.iam.acls import OBJECT_ACTIONS
from neve.iam.actions import ACTIONS
from neve.iam.admin_actions import OTHER_ACTIONS
from neve.iam.context import RequestContext
from neve.iam.explain import Explanation, explain
from neve.iam.principals import ANONYMOUS, Principal
from neve.s3 import acls
from neve.s3.metadata import unpack
from neve.s3.tagging import decode_tags

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket

_BY_NAME = {name.lower(): name for name in (*ACTIONS, *OTHER_ACTIONS)}
_ABOUT_OTHERS = "it is about other principals"


def explain_access(call: AdminCall) -> Response:
    """Return whether somebody may do an action, and every statement that names the action."""
    name = call.query.get("user", "")
    public = call.flag("anonymous")
    own = not public and name in ("", call.caller.name, call.access_key)
    may_ask_all = allows(call, call.route.action)
    if not may_ask_all:
        call.check(own=own)
    action = _BY_NAME.get(call.argument("action").lower(), "")
    if not action:
        raise AdminError("XMinioAdminInvalidArgument", "there is no such action")
    if public:
        principal = ANONYMOUS
    else:
        principal = call.caller if name in ("", call.access_key) else _principal(call, name)
    if principal is ANONYMOUS and not public:
        return json_response(_signs_no_more(name, action, call))
    found = _explain(call, principal, action)
    document = found.as_data()
    if ACTIONS.get(action, "service") == "service":
        document["resource"] = ""
    if not may_ask_all:
        document["considered"] = [
            each for each in document["considered"] if each["why"] != _ABOUT_OTHERS
        ]
    return json_response(document)


def _principal(call: AdminCall, name: str) -> Principal:
    """Return who signs with a name or an access key; anonymous when it may not sign (any more)."""
    directory = call.directory
    known = directory.user(name) or directory.key(name)
    if known is None and not directory.is_root(name):
        raise AdminError("XMinioAdminNoSuchUser")
    return directory.principal_of(name)


def _signs_no_more(name: str, action: str, call: AdminCall) -> dict[str, Any]:
    key = call.directory.key(name)
    what = "access key" if key else "user"
    resource = "/".join(filter(None, (call.query.get("bucket"), call.query.get("object"))))
    return {
        "principal": name,
        "action": action,
        "resource": resource,
        "allowed": False,
        "reason": f"the {what} is disabled or has expired: its requests are refused",
        "policy": "",
        "statement": "",
        "considered": [],
        "policies": [],
    }


def _explain(call: AdminCall, principal: Principal, action: str) -> Explanation:
    name, key = call.query.get("bucket", ""), call.query.get("object", "")
    target = ACTIONS.get(action, "service")
    if target == "object" and not (name and key):
        raise AdminError("XMinioAdminInvalidArgument", "the action is on objects: name one")
    if target == "bucket" and not name:
        raise AdminError("XMinioAdminInvalidArgument", "the action is on buckets: name one")
    context = RequestContext(
        principal,
        call.query.get("sourceIp") or call.request.client,
        call.request.secure,
        query={"prefix": key} if key and target == "bucket" else {},
        auth_type="" if principal is ANONYMOUS else "REST-HEADER",
    )
    bucket = _bucket(call, name, action)
    asked = key if target == "object" else None
    if bucket is None:
        return explain(principal, action, name if target != "service" else "", asked, context)
    if asked:
        context.existing_tags = partial(_tags, call, bucket, asked)
        context.object_owner = partial(_owner, call, bucket, asked)
    return explain(
        principal,
        action,
        bucket.name,
        asked,
        context,
        bucket_owner=bucket.owner,
        policy=bucket.policy,
        acl=partial(_by_acl, call, bucket, asked or "", principal, action),
    )


def _bucket(call: AdminCall, name: str, action: str) -> "Bucket | None":
    if not name or ACTIONS.get(action, "service") == "service":
        return None
    try:
        return call.engine.bucket(name)
    except NoSuchBucket:
        if action == "s3:CreateBucket":
            return None
        raise


def _by_acl(call: AdminCall, bucket: "Bucket", key: str, principal: Principal, action: str) -> bool:
    if action not in OBJECT_ACTIONS:
        return acls.bucket_allows(bucket, principal, action)
    try:
        row = call.engine.head(bucket, key)
    except NoSuchKey:
        return False
    return acls.object_allows(bucket, row, principal, action)


def _owner(call: AdminCall, bucket: "Bucket", key: str) -> str:
    try:
        return acls.object_acl(bucket, call.engine.head(bucket, key).meta).owner
    except NoSuchKey:
        return ""


def _tags(call: AdminCall, bucket: "Bucket", key: str) -> dict[str, str]:
    try:
        value = unpack(call.engine.head(bucket, key).meta).get("x-amz-tagging")
    except NoSuchKey:
        return {}
    return dict(decode_tags(value)) if value else {}
