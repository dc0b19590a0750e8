"""GetStoreQuota, PutStoreQuota, GetStoreUsage: quotas of users, the default of new buckets, usage.

Only root may use the quotas. `PUT /?neve-quota` changes what its JSON object names and leaves the
rest:

| member | meaning |
|---|---|
| `users` | user name → an object with `bytes`, `objects`, `soft` as in PutBucketQuota, or null |
| `default` | the same for buckets that are made from now on, or null |

A user's quota is over everything that is its own: all of its buckets but what others wrote there,
and what it wrote into buckets of others. `GET /?neve-usage` answers what each bucket and each owner
(by canonical id; users with a quota by name too) has: to root and those with `admin:DataUsageInfo`
of all, to every other user of its own.
"""

from typing import Annotated, Any

import msgspec

from neve.engine import quota
from neve.engine.quota import Quota, Used, UserQuota
from neve.engine.quotas import Usage
from neve.iam.principals import user_canonical_id
from neve.iam.statements import Decision
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.operations.bucket_quota import QUOTA_BYTES_MAX, json_answer, parse, shown
from neve.s3.response import Response
from neve.s3.rights import may_administer

_OWN = Decision(True, "own")

UserName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class StoreQuota(msgspec.Struct, forbid_unknown_fields=True):
    """The document of PutStoreQuota."""

    users: dict[UserName, Quota | None] = {}
    default: Quota | msgspec.UnsetType | None = msgspec.UNSET


def get_store_quota(call: Call) -> Response:
    """Return the quotas of users and the default of new buckets."""
    quotas = call.engine.quotas
    users = {}
    for limits in quotas.users().values():
        fields = quota.plain(limits)
        users[fields.pop("name")] = fields
    default = quotas.default()
    return json_answer({"users": users, "default": quota.plain(default) if default else None})


async def put_store_quota(call: Call) -> Response:
    """Change quotas of users and the default of new buckets."""
    document = parse(await call.body(QUOTA_BYTES_MAX), StoreQuota)
    changes = {
        user_canonical_id(name): UserQuota(limits.bytes, limits.objects, limits.soft, name)
        if limits is not None
        else None
        for name, limits in document.users.items()
    }
    await call.engine.quotas.set_store(changes, default=document.default)
    return Response(204, [])


def get_store_usage(call: Call) -> Response:
    """Return what every bucket and every owner has, or what is the caller's own."""
    if not may_administer(call, "admin:DataUsageInfo"):
        return _own_usage(call)
    quotas = call.engine.quotas
    buckets: dict[str, Any] = {}
    owned: dict[str, Used] = {}
    for bucket in call.engine.buckets():
        buckets[bucket.name] = shown(quotas.usage(bucket))
        for owner, used in quotas.owners(bucket).items():
            before = owned.get(owner, Used(0, 0))
            owned[owner] = Used(before.objects + used.objects, before.bytes + used.bytes)
    owners = dict.fromkeys(quotas.users(), Used(0, 0)) | owned
    shown_owners = {
        owner: _shown_owner(Usage(used, quotas.users().get(owner)))
        for owner, used in owners.items()
    }
    return json_answer({"buckets": buckets, "owners": shown_owners})


def _own_usage(call: Call) -> Response:
    """Raises: S3Error AccessDenied for a key that a policy of its own limits."""
    caller, quotas = call.caller, call.engine.quotas
    if caller.limit is not None:
        raise S3Error("AccessDenied")
    call.request.decision = _OWN
    id = caller.canonical_id
    own = [bucket for bucket in call.engine.buckets() if bucket.owner == id]
    buckets = {bucket.name: shown(quotas.usage(bucket)) for bucket in own}
    return json_answer({"buckets": buckets, "owners": {id: _shown_owner(quotas.user(id))}})


def _shown_owner(usage: Usage) -> dict[str, Any]:
    fields = shown(usage)
    if isinstance(usage.quota, UserQuota):
        fields["name"] = usage.quota.name
    return fields
