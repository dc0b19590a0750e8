"""BucketsInfo, UsageInfo: the buckets that the caller sees, and what is in them. Neve's own.

Which buckets are shown is what ListBuckets shows. Counts are exact, of counters, and told to who
may list the whole bucket, rules it as its owner, or has `admin:DataUsageInfo`; else `usage` is
null. `objects` are current ones, `versions` are all that are kept, delete markers aside. In `quota`
are the limits, `percent` is the share of the tightest that is used, `warning` whether the soft
level is reached.

`neve/buckets` takes `prefix`, `marker` (a name to begin after) and `limit` (up to 1,000); `next` is
the marker of the next page. `public` says what requests without a signature may do with the bucket:
`yes`, `no`, `partly` (some keys) or `conditionally` (an address, a time), ACLs of single objects
aside.

`neve/usage` is about one `bucket`, and says of uploads in progress as well, at most 1,000. With
`prefix` it is about one of the prefixes of its quota, null when it is not counted. With `owner` (a
user's name or canonical id) it is about what that user has in the bucket or, without one, anywhere:
for others than the caller that needs `admin:DataUsageInfo`, or to rule the bucket.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from neve.admin.call import AdminCall, json_response, time_text
from neve.admin.errors import AdminError
from neve.admin.inner import question
from neve.admin.places import place_of, word_of
from neve.admin.rights import allows
from neve.answer import Response
from neve.engine.quota import Used
from neve.engine.quotas import Usage
from neve.iam.principals import ANONYMOUS, root_principal, user_canonical_id
from neve.iam.reach import reach
from neve.s3 import acls, rights
from neve.s3.operations.bucket_quota import shown
from neve.s3.request import integer

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket

LIMIT_MAX = 1000
UPLOADS_MAX = 1000
BUCKETS_AT_ONCE = 20
"""Between two of these other requests get their turn."""

PUBLIC = (("list", "s3:ListBucket"), ("read", "s3:GetObject"), ("write", "s3:PutObject"))
_SEES_USAGE = "admin:DataUsageInfo"
_CANONICAL_ID_LENGTH = 64


async def buckets_info(call: AdminCall) -> Response:
    """Return the buckets that the caller sees, with what is in them and who may use them."""
    query = call.query
    limit = integer(query, "limit", LIMIT_MAX, 1, LIMIT_MAX)
    prefix, after = query.get("prefix", ""), query.get("marker", "")
    asked = question(call, "", {})
    every = rights.may_list_all(asked)
    counts = allows(call, _SEES_USAGE)
    names = _Names(call)
    found: list[dict[str, Any]] = []
    more = ""
    for number, bucket in enumerate(call.engine.buckets(), 1):
        if not number % BUCKETS_AT_ONCE:
            await asyncio.sleep(0)
        if bucket.name <= after or not bucket.name.startswith(prefix):
            continue
        if not every and not rights.may_see(asked, bucket):
            continue
        if len(found) == limit:
            more = found[-1]["name"]
            break
        found.append(_shown_bucket(call, bucket, names, counts))
    if not found and not rights.may_see_some(asked):
        raise AdminError("AccessDenied")
    call.request.decision = None
    return json_response({"buckets": found, "next": more})


def usage_info(call: AdminCall) -> Response:
    """Return what is in a bucket, in a prefix of it, or what a user has."""
    name, owner = call.query.get("bucket", ""), call.query.get("owner", "")
    if not name:
        id = _id_of(call, call.argument("owner"))
        call.check(own=id == call.caller.canonical_id)
        return json_response({"owner": id} | shown(call.engine.quotas.user(id)))
    bucket = call.engine.bucket(name)
    counts = allows(call, call.route.action) or _rules(call, bucket)
    if owner:
        id = _id_of(call, owner)
        if not counts:
            call.check(own=id == call.caller.canonical_id)
        used = call.engine.quotas.owners(bucket).get(id, Used(0, 0))
        return json_response({"bucket": name, "owner": id} | shown(Usage(used)))
    prefix = call.query.get("prefix", "")
    if not counts and not _lists(call, bucket, prefix):
        raise AdminError("AccessDenied")
    if prefix:
        usage = call.engine.quotas.prefixes(bucket).get(prefix)
        counted = None if usage is None else shown(usage)
        return json_response({"bucket": name, "prefix": prefix, "usage": counted})
    return json_response(_whole(call, bucket, counts))


def _whole(call: AdminCall, bucket: "Bucket", counts: bool) -> dict[str, Any]:
    quotas = call.engine.quotas
    document: dict[str, Any] = {"bucket": bucket.name, "usage": _usage(call, bucket)}
    document["uploads"] = len(call.engine.list_uploads(bucket, "", "", "", UPLOADS_MAX))
    document["prefixes"] = {
        prefix: None if usage is None else shown(usage)
        for prefix, usage in quotas.prefixes(bucket).items()
    }
    own = call.caller.canonical_id
    document["owners"] = {
        id: shown(Usage(used)) for id, used in quotas.owners(bucket).items() if counts or id == own
    }
    return document


def _shown_bucket(
    call: AdminCall, bucket: "Bucket", names: "_Names", counts: bool
) -> dict[str, Any]:
    told = counts or _rules(call, bucket) or _lists(call, bucket, "")
    versioning = bucket.versioning
    return {
        "name": bucket.name,
        "created": time_text(bucket.created_us),
        "owner": bucket.owner,
        "ownerName": names.of(bucket.owner),
        "own": bucket.owner == call.caller.canonical_id,
        "versioning": "" if versioning is None else versioning.state,
        "locking": bucket.locks,
        "public": public_of(call, bucket),
        "usage": _usage(call, bucket) if told else None,
    }


def public_of(call: AdminCall, bucket: "Bucket") -> dict[str, str]:
    """Return what may be done with the bucket without a signature."""
    if bucket.policy is None and acls.BUCKET_ACL not in bucket.options:
        return {name: "no" for name, _ in PUBLIC}
    place = place_of(call.engine, bucket, "")
    allowed = partial(acls.bucket_allows, bucket, ANONYMOUS)
    return {
        name: word_of(reach(ANONYMOUS, action, place, acl=allowed(action)).may)
        for name, action in PUBLIC
    }


def _usage(call: AdminCall, bucket: "Bucket") -> dict[str, Any]:
    usage = call.engine.quotas.usage(bucket)
    found = shown(usage)
    found["versions"] = found["objects"]
    found["objects"] -= usage.versions
    found["deleteMarkers"] = usage.markers
    return found


def _lists(call: AdminCall, bucket: "Bucket", prefix: str) -> bool:
    asked = question(call, bucket.name, {"prefix": prefix})
    return rights.allows(asked, "s3:ListBucket", bucket)


def _rules(call: AdminCall, bucket: "Bucket") -> bool:
    return rights.may_rule(question(call, bucket.name, {}), bucket)


def _id_of(call: AdminCall, owner: str) -> str:
    """Return the canonical id of a user, who need not be there any more."""
    if call.directory.is_root(owner):
        return root_principal("").canonical_id
    known = len(owner) == _CANONICAL_ID_LENGTH and call.directory.user(owner) is None
    return owner if known else user_canonical_id(owner)


class _Names:
    """Names of owners, as far as the caller may know them."""

    def __init__(self, call: AdminCall) -> None:
        own = call.caller
        self._known = {root_principal("").canonical_id: "root"}
        if own.kind == "user":
            self._known[own.canonical_id] = own.name
        if allows(call, "admin:ListUsers"):
            users = (user.name for user in call.directory.users())
            self._known |= {user_canonical_id(name): name for name in users}

    def of(self, id: str) -> str:
        """Return the name behind a canonical id; empty when there is none to tell."""
        return self._known.get(id, "")
