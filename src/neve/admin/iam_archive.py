"""ExportIam, ImportIam, ImportIamV2: users, groups, policies and access keys as a zip archive.

The archive is MinIO's, so that either server reads what the other wrote: JSON files in
`iam-assets/`. **It holds the secrets of users and access keys in clear text**, those of root's
access keys only when root asks.

An import adds and replaces, it removes nothing. What cannot be taken is left out and named, the
rest is taken: policies, then users, groups, access keys, then who has which policies. Policies that
Neve gives are skipped when the archive has the same, else they fail. Keys whose parent is neither a
user nor this server's root fail.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from neve.admin.archive import ARCHIVE_BYTES_MAX, Archive, pack
from neve.admin.call import AdminCall, done, json_response, text_of, texts_of, time_text
from neve.admin.errors import AdminError, as_answer
from neve.admin.keys import NEVER, expiry_of, key_policy
from neve.admin.policies import attached, names_of
from neve.admin.users import STATES
from neve.answer import Response
from neve.errors import DomainError
from neve.iam.canned import canned_policy
from neve.iam.identities import AccessKey, Group, User

FOLDER = "iam-assets/"
_ZIP = [(b"content-type", b"application/zip")]


async def export_iam(call: AdminCall) -> Response:
    """Return the archive of all identities, secrets included."""
    directory = call.directory
    users, groups = directory.users(), directory.groups()
    # Those that Neve gives are there anyway; but another server does not know them all.
    names = {policy.name for policy in directory.policies() if not policy.canned}
    policies = map(directory.policy, sorted(names.union(attached(call))))
    keys = [key for key in directory.all_keys() if call.caller.is_unlimited or not key.of_root]
    documents: dict[str, Any] = {
        "policies": {each.name: msgspec.Raw(each.document) for each in policies if each},
        "users": {user.name: _user(user) for user in users if user.secret},
        "groups": {group.name: _group(group) for group in groups},
        "svcaccts": {key.id: _key(key) for key in keys if key.secret},
        "user_mappings": {user.name: _mapping(user) for user in users if user.policies},
        "group_mappings": {group.name: _mapping(group) for group in groups if group.policies},
        "stsuser_mappings": {},
    }
    files = [
        (f"{FOLDER}{name}.json", msgspec.json.encode(document))
        for name, document in documents.items()
    ]
    return Response(200, _ZIP, await asyncio.to_thread(pack, files))


async def import_iam(call: AdminCall) -> Response:
    """Take what an archive holds; an error names the first that could not be taken."""
    report = await _import(call)
    for kind, failures in report.failed.items():
        raise AdminError("InvalidRequest", f"{kind} {failures[0]['name']}: {failures[0]['error']}")
    return done()


async def import_iam_v2(call: AdminCall) -> Response:
    """Take what an archive holds, and return what was added, skipped and what failed."""
    report = await _import(call)
    return json_response(
        {
            "skipped": report.skipped,
            "removed": {},
            "added": report.added,
            "failed": report.failed,
        }
    )


def _user(user: User) -> dict[str, Any]:
    return {"secretKey": user.secret, "status": "enabled" if user.enabled else "disabled"}


def _group(group: Group) -> dict[str, Any]:
    return {
        "version": 1,
        "status": "enabled" if group.enabled else "disabled",
        "members": list(group.members),
        "updatedAt": time_text(group.changed_us),
    }


def _key(key: AccessKey) -> dict[str, Any]:
    claims = {"accessKey": key.id, "parent": key.parent}
    claims["sa-policy"] = "inherited-policy" if key.policy is None else "embedded-policy"
    return {
        "parent": key.parent,
        "accessKey": key.id,
        "secretKey": key.secret,
        "groups": None,
        "claims": claims,
        "sessionPolicy": None if key.policy is None else msgspec.Raw(key.policy),
        "status": "on" if key.enabled else "off",
        "name": key.name,
        "description": key.description,
        "expiration": time_text(key.expires_us) if key.expires_us else NEVER,
    }


def _mapping(holder: User | Group) -> dict[str, Any]:
    policies = ",".join(holder.policies)
    return {"version": 0, "policy": policies, "updatedAt": time_text(holder.changed_us)}


class Report:
    """What became of the items of an archive."""

    def __init__(self) -> None:
        self.added: dict[str, list[Any]] = {}
        self.skipped: dict[str, list[Any]] = {}
        self.failed: dict[str, list[dict[str, Any]]] = {}


async def _import(call: AdminCall) -> Report:
    archive = Archive(await call.body(ARCHIVE_BYTES_MAX))
    return await take_identities(call, {name: _document(archive, name) for name, *_ in _STEPS})


async def take_identities(call: AdminCall, documents: dict[str, dict[str, Any]]) -> Report:
    """Take what the documents of an archive, by the names of their files, hold."""
    report = Report()
    for file, kind, take in _STEPS:
        for name, item in documents.get(file, {}).items():
            await _take(call, report, kind, name, item, take)
    return report


async def _take(
    call: AdminCall, report: Report, kind: str, name: str, item: Any, take: "_Take"
) -> None:
    try:
        if not isinstance(item, dict):
            raise AdminError("XMinioAdminConfigBadJSON")
        taken = await take(call, name, item)
    except (DomainError, AdminError) as error:
        entry: dict[str, Any] = {"name": name, "error": as_answer(error).message}
        report.failed.setdefault(kind, []).append(entry)
        return
    (report.added if taken else report.skipped).setdefault(kind, []).append(
        {name: names_of(text_of(item, "policy"))} if kind.endswith("Policies") else name
    )


def _document(archive: Archive, name: str) -> dict[str, Any]:
    data = archive.read(f"{FOLDER}{name}.json")
    if not data:
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdminError("XMinioAdminConfigBadJSON", f"{name}.json") from error


async def _take_policy(call: AdminCall, name: str, item: dict[str, Any]) -> bool:
    canned = canned_policy(name)
    if canned is not None and _same(json.loads(canned.document), item):
        return False
    await call.directory.put_policy(name, msgspec.json.encode(item))
    return True


async def _take_user(call: AdminCall, name: str, item: dict[str, Any]) -> bool:
    if call.directory.is_root(name):
        raise AdminError("XMinioInvalidIAMCredentials")
    enabled = STATES.get(text_of(item, "status"), True)
    await call.directory.put_user(name, secret=text_of(item, "secretKey"), enabled=enabled)
    return True


async def _take_group(call: AdminCall, name: str, item: dict[str, Any]) -> bool:
    await call.directory.put_group(name, add=texts_of(item, "members"))
    if text_of(item, "status") == "disabled":
        await call.directory.put_group(name, enabled=False)
    return True


async def _take_key(call: AdminCall, id: str, item: dict[str, Any]) -> bool:
    parent = text_of(item, "parent")
    key = AccessKey(
        id,
        text_of(item, "secretKey"),
        parent,
        of_root=call.directory.is_root(parent),
        name=text_of(item, "name"),
        description=text_of(item, "description"),
        expires_us=expiry_of(text_of(item, "expiration")),
        policy=key_policy(item, "sessionPolicy"),
        enabled=text_of(item, "status") != "off",
    )
    if key.of_root and not call.caller.is_unlimited:
        raise AdminError("AccessDenied")
    await call.directory.put_key(key)
    return True


async def _take_user_policies(call: AdminCall, name: str, item: dict[str, Any]) -> bool:
    await call.directory.set_policies(names_of(text_of(item, "policy")), user=name)
    return True


async def _take_group_policies(call: AdminCall, name: str, item: dict[str, Any]) -> bool:
    await call.directory.set_policies(names_of(text_of(item, "policy")), group=name)
    return True


_Take = Callable[[AdminCall, str, dict[str, Any]], Awaitable[bool]]
_STEPS: tuple[tuple[str, str, _Take], ...] = (
    ("policies", "policies", _take_policy),
    ("users", "users", _take_user),
    ("groups", "groups", _take_group),
    ("svcaccts", "serviceAccounts", _take_key),
    ("user_mappings", "userPolicies", _take_user_policies),
    ("group_mappings", "groupPolicies", _take_group_policies),
)


def _same(one: Any, other: Any) -> bool:
    """Whether two documents differ in nothing but the order of their lists."""
    return bool(_ordered(one) == _ordered(other))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(item) for item in value), key=json.dumps)
    return value
