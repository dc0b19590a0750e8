"""BucketAccess: who can reach a bucket, and why. Neve's own.

`who` has a row for the anonymous, for root, for every user and every access key with a policy of
its own that can do anything with `bucket`, or with what in it begins with `prefix`: of `list`,
`read`, `write`, `delete` and `manage` (its policy and settings, and its removal) `may` is

| word | meaning |
|---|---|
| `yes` | every request would be allowed |
| `partly` | some keys, or some of the settings |
| `conditionally` | it depends on the request: an address, a time, the tags of an object |
| `no` | no request would be allowed |

`by` names the statements that allow something of it, `against` those that deny something; `via` the
groups through which a user has a policy that is not its own. Policies are weighed, nothing is
tried; ACLs of single objects and quotas are left aside.

All of this is told to who has `admin:ListUserPolicies`, of access keys to who has
`admin:ListServiceAccounts` as well. The owner of the bucket, and who may read its policy, is told a
part (`complete` is false): the anonymous, root, itself, and the users whom the bucket's policy
names by what that policy alone gives them (`known` is false). `marker` and `limit` (100 rows,
at most 1,000) page; `next` is the marker of the next page.
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.admin.inner import question
from neve.admin.places import place_of, word_of
from neve.admin.rights import allows
from neve.answer import Response
from neve.iam.principals import ANONYMOUS, Principal, root_principal, user_principal
from neve.iam.reach import May, Place, Reach, Share, reach
from neve.s3 import acls, rights
from neve.s3.request import integer

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket

LIMIT, LIMIT_MAX = 100, 1000
WEIGHED_AT_ONCE = 10
"""Between two of these other requests get their turn."""

USES: dict[str, tuple[str, ...]] = {
    "list": ("s3:ListBucket",),
    "read": ("s3:GetObject",),
    "write": ("s3:PutObject",),
    "delete": ("s3:DeleteObject",),
    "manage": (
        "s3:PutBucketPolicy",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketCORS",
        "s3:DeleteBucket",
    ),
}
_KINDS = ("anonymous", "root", "user", "key")
"""In the order in which they are listed."""
_USER_ARN = user_principal("").arn
_OWN_POLICY = "policy "


class _Candidate(NamedTuple):
    kind: str
    name: str
    principal: Principal
    user: str = ""
    """Of an access key: whose it is."""
    known: bool = True
    """Whether the caller may know what its own policies say; the principal has none if not."""

    @property
    def order(self) -> tuple[int, str]:
        """Its place among all."""
        return _KINDS.index(self.kind), self.name


async def bucket_access(call: AdminCall) -> Response:
    """Return who can reach a bucket, or a prefix of it, and by what."""
    bucket = call.engine.bucket(call.argument("bucket"))
    complete = allows(call, call.route.action)
    if not complete and not _knows_policy(call, bucket):
        raise AdminError("AccessDenied")
    place = place_of(call.engine, bucket, call.query.get("prefix", ""))
    limit = integer(call.query, "limit", LIMIT, 1, LIMIT_MAX)
    after = _parse_marker(call.query.get("marker", ""))
    rows: list[dict[str, Any]] = []
    more = ""
    for number, each in enumerate(_everybody(call) if complete else _told(call, bucket), 1):
        if not number % WEIGHED_AT_ONCE:
            await asyncio.sleep(0)
        row = _row(call, bucket, place, each) if each.order > after else None
        if row is None:
            continue
        if len(rows) == limit:
            more = f"{rows[-1]['kind']}/{rows[-1]['name']}"
            break
        rows.append(row)
    document = {"bucket": bucket.name, "prefix": place.prefix, "complete": complete}
    return json_response(document | {"who": rows, "next": more})


def _parse_marker(text: str) -> tuple[int, str]:
    kind, _, name = text.partition("/")
    if text and kind not in _KINDS:
        raise AdminError("XMinioAdminInvalidArgument", "this is no marker")
    return (_KINDS.index(kind), name) if text else (-1, "")


def _knows_policy(call: AdminCall, bucket: "Bucket") -> bool:
    asked = question(call, bucket.name, {})
    return rights.may_rule(asked, bucket) or rights.allows(asked, "s3:GetBucketPolicy", bucket)


def _everybody(call: AdminCall) -> Iterator[_Candidate]:
    """Give everybody who may sign now, in order."""
    directory = call.directory
    yield _Candidate("anonymous", "", ANONYMOUS)
    yield _Candidate("root", "root", root_principal(""))
    for user in directory.users():
        principal = directory.principal_of(user.name)
        if principal.kind == "user":
            yield _Candidate("user", user.name, principal)
    if not allows(call, "admin:ListServiceAccounts"):
        return
    for key in directory.all_keys():
        principal = ANONYMOUS if key.policy is None else directory.principal_of(key.id)
        if principal.kind != "anonymous":
            yield _Candidate("key", key.id, principal, "root" if key.of_root else key.parent)


def _told(call: AdminCall, bucket: "Bucket") -> Iterator[_Candidate]:
    """Give those about whom anybody may know who knows the bucket's policy, in order."""
    caller = call.caller
    yield _Candidate("anonymous", "", ANONYMOUS)
    yield _Candidate("root", "root", root_principal(""))
    statements = () if bucket.policy is None else bucket.policy.statements
    arns = {arn for each in statements for arn in each.principals.arns}
    names = {arn.removeprefix(_USER_ARN) for arn in arns if arn.startswith(_USER_ARN)}
    own = caller.name if caller.kind == "user" and caller.limit is None else None
    for name in sorted(names | {own} if own is not None else names):
        if name == own:
            yield _Candidate("user", name, caller)
        elif call.directory.user(name) is not None:
            yield _Candidate("user", name, user_principal(name), known=False)
    if caller.limit is not None:
        whose = "root" if caller.kind == "root" else caller.name
        yield _Candidate("key", call.access_key, caller, whose)


def _row(call: AdminCall, bucket: "Bucket", place: Place, who: _Candidate) -> dict[str, Any] | None:
    """Return what somebody can do; None when that is nothing."""
    principal = who.principal
    uses = {name: _use(bucket, place, principal, actions) for name, actions in USES.items()}
    if who.kind not in ("anonymous", "root") and not any(use.may for use in uses.values()):
        return None
    groups = _groups(call, who)
    row: dict[str, Any] = {"kind": who.kind, "name": who.name}
    if who.kind == "key":
        row["user"] = who.user
    row["owner"] = principal.canonical_id == bucket.owner
    row["known"] = who.known
    for name, found in uses.items():
        row[name] = {
            "may": word_of(found.may),
            "by": [_shown(share, groups) for share in found.allowing],
            "against": [_shown(share, groups) for share in found.denying],
        }
    return row


def _use(bucket: "Bucket", place: Place, principal: Principal, actions: tuple[str, ...]) -> Reach:
    """Return how much of all these actions somebody may do."""
    found = [
        reach(principal, action, place, acl=acls.bucket_allows(bucket, principal, action))
        for action in actions
    ]
    levels = {each.may for each in found}
    if len(levels) == 1:
        may = levels.pop()
    else:
        may = May.PARTLY if max(levels) > May.DEPENDS else May.DEPENDS
    allowing = dict.fromkeys(share for each in found for share in each.allowing)
    denying = dict.fromkeys(share for each in found for share in each.denying)
    return Reach(may, tuple(allowing), tuple(denying))


def _groups(call: AdminCall, who: _Candidate) -> dict[str, list[str]]:
    """Return the groups through which a user has policies that are not its own, by policy."""
    found: dict[str, list[str]] = {}
    user = call.directory.user(who.principal.name) if who.known else None
    if user is None:
        return found
    for name in who.principal.groups:
        group = call.directory.group(name)
        for policy in group.policies if group is not None else ():
            if policy not in user.policies:
                found.setdefault(_OWN_POLICY + policy, []).append(name)
    return found


def _shown(share: Share, groups: dict[str, list[str]]) -> dict[str, Any]:
    shown: dict[str, Any] = {"policy": share.policy, "may": word_of(share.may)}
    if share.statement:
        shown["statement"] = share.statement
    if share.policy in groups:
        shown["via"] = groups[share.policy]
    return shown
