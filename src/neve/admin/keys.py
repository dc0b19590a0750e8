"""AddServiceAccount, ListServiceAccounts, InfoAccessKey and their kin: access keys of users.

`Service account` is the protocol's word for an access key beside the one that a user is named by.
Users manage their own; a secret is shown once, to who made the key. There are no temporary keys.
"""

import secrets
import string
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from neve.admin.call import AdminCall, text_of, time_text
from neve.admin.errors import AdminError
from neve.admin.rights import ROOT_POLICY, policy_of_user
from neve.answer import Response
from neve.clock import now_us
from neve.iam.identities import AccessKey

NEVER = "1970-01-01T00:00:00Z"
"""When a key that never expires expires, in lists."""
_NEVER_TEXTS = ("", NEVER, "0001-01-01T00:00:00Z")
_STATES = {"on": True, "off": False, "enabled": True, "disabled": False}
_LIST_TYPES = ("all", "svcacc-only", "sts-only", "users-only")


async def add_service_account(call: AdminCall) -> Response:
    """Make an access key of a user or of the caller, and return it with its secret."""
    document = await call.sealed_json_body()
    target = text_of(document, "targetUser") or call.caller.name
    if target == call.access_key:
        target = call.caller.name
    _check_parent(call, target)
    id, secret = text_of(document, "accessKey"), text_of(document, "secretKey")
    if id and not secret:
        raise AdminError("XMinioAdminNoSecretKey")
    if secret and not id:
        raise AdminError("XMinioAdminNoAccessKey")
    if id and (call.directory.key(id) or call.directory.user(id) or call.directory.is_root(id)):
        taken = "the service account access key already taken"
        raise AdminError("XMinioIAMServiceAccountNotAllowed", taken)
    key = AccessKey(
        id or _random(string.ascii_uppercase + string.digits, 20),
        secret or _random(string.ascii_letters + string.digits, 40),
        target,
        of_root=call.directory.is_root(target),
        name=text_of(document, "name"),
        description=text_of(document, "description") or text_of(document, "comment"),
        expires_us=expiry_of(text_of(document, "expiration")),
        policy=key_policy(document, "policy"),
        enabled=_state(text_of(document, "status", "enabled")),
    )
    key = await call.directory.put_key(key)
    credentials = {"accessKey": key.id, "secretKey": key.secret, "expiration": _expires(key)}
    return await call.sealed({"credentials": credentials})


async def update_service_account(call: AdminCall) -> Response:
    """Change secret, state, name, description, expiry or policy of an access key."""
    key = _key(call)
    document = await call.sealed_json_body()
    changes: dict[str, Any] = {}
    for field, name in (("newSecretKey", "secret"), ("newName", "name")):
        if text := text_of(document, field):
            changes[name] = text
    if document.get("newDescription") is not None:
        changes["description"] = text_of(document, "newDescription")
    if status := text_of(document, "newStatus"):
        changes["enabled"] = _state(status)
    if document.get("newExpiration") is not None:
        changes["expires_us"] = expiry_of(text_of(document, "newExpiration"))
    if document.get("newPolicy") is not None:
        changes["policy"] = key_policy(document, "newPolicy")
    if not (key.secret or "secret" in changes):
        raise AdminError("XMinioAdminNoSecretKey", "the stored one cannot be read: give a new one")
    await call.directory.put_key(replace(key, **changes))
    return Response(204, [])


async def info_service_account(call: AdminCall) -> Response:
    """Return what is known of an access key, its secret aside."""
    return await call.sealed(_info(call, _key(call, reading=True)))


async def list_service_accounts(call: AdminCall) -> Response:
    """Return the access keys of a user, or of the caller."""
    user = call.query.get("user") or call.caller.name
    _check_parent(call, user)
    keys = [_summary(key) for key in call.directory.keys_of(user)]
    return await call.sealed({"accounts": keys})


async def delete_service_account(call: AdminCall) -> Response:
    """Remove an access key."""
    await call.directory.delete_key(_key(call).id)
    return Response(204, [])


async def info_access_key(call: AdminCall) -> Response:
    """Return what is known of an access key; without an id, of the one that signed."""
    id = call.query.get("accessKey") or call.access_key
    key = call.directory.key(id)
    _check_parent(call, key.parent if key else "", itself=id == call.access_key)
    if key is None:
        raise AdminError("XMinioAdminNoSuchAccessKey")
    document = {
        "AccessKey": key.id,
        **_info(call, key),
        "userType": "Service Account",
        "userProvider": "builtin",
        "ldapSpecificInfo": {"username": ""},
        "openIDSpecificInfo": {"configName": "", "userID": "", "userIDClaim": ""},
    }
    return await call.sealed(document)


async def list_access_keys_bulk(call: AdminCall) -> Response:
    """Return the access keys of some users, of all, or of the caller."""
    kind = call.query.get("listType", "")
    if kind not in _LIST_TYPES:
        raise AdminError("InvalidRequest", "invalid list type")
    users = call.values("users")
    everybody = call.flag("all")
    if everybody and users:
        raise AdminError("InvalidRequest", "users and all exclude each other")
    if everybody:
        call.check("admin:ListUsers")
        call.check()
        users = [*(user.name for user in call.directory.users()), call.node.config.root_access_key]
    elif not users:
        users = [call.caller.name]
    found = {}
    for user in users:
        _check_parent(call, user)
        if not call.directory.is_root(user) and call.directory.user(user) is None:
            continue
        keys = [] if kind in ("sts-only", "users-only") else call.directory.keys_of(user)
        if keys or kind in ("all", "users-only"):
            found[user] = {"serviceAccounts": list(map(_summary, keys)), "stsKeys": []}
    return await call.sealed(found)


def temporary_account_info(call: AdminCall) -> Response:
    """Answer that there is no such temporary key: there are none."""
    call.argument("accessKey")
    raise AdminError("XMinioAdminNoSuchAccessKey", "there are no temporary access keys")


def _key(call: AdminCall, *, reading: bool = False) -> AccessKey:
    """Return the key that the query names, if the caller may do to it what it asks."""
    id = call.argument("accessKey")
    key = call.directory.key(id)
    # Whoever may not manage the keys of others is not told which there are.
    parent = key.parent if key else ""
    _check_parent(call, parent, itself=reading and id == call.access_key)
    if key is None:
        raise AdminError("XMinioServiceAccountNotFound")
    return key


def _check_parent(call: AdminCall, parent: str, *, itself: bool = False) -> None:
    """Raise AccessDenied unless the caller may manage the access keys of `parent`.

    `itself`: it only reads about the key that signed.
    """
    call.check(own=parent == call.caller.name, itself=itself)
    if call.directory.is_root(parent) and not (call.caller.is_unlimited or itself):
        raise AdminError("AccessDenied")


def _info(call: AdminCall, key: AccessKey) -> dict[str, Any]:
    policy: Any = key.policy
    if policy is None and key.of_root:
        policy = msgspec.json.encode(ROOT_POLICY)
    elif policy is None:
        policy = msgspec.json.encode(policy_of_user(call.directory, key.parent))
    document = {**_summary(key), "policy": policy.decode()}
    del document["accessKey"]
    if not key.expires_us:
        del document["expiration"]
    return document


def _summary(key: AccessKey) -> dict[str, Any]:
    document: dict[str, Any] = {
        "parentUser": key.parent,
        "accountStatus": "on" if key.enabled else "off",
        "impliedPolicy": key.policy is None,
        "accessKey": key.id,
        "expiration": _expires(key),
    }
    if key.name:
        document["name"] = key.name
    if key.description:
        document["description"] = key.description
    return document


def _expires(key: AccessKey) -> str:
    return time_text(key.expires_us) if key.expires_us else NEVER


def expiry_of(text: str) -> int:
    """Return microseconds, 0 for never. Raises: AdminError."""
    if text in _NEVER_TEXTS:
        return 0
    try:
        moment = datetime.fromisoformat(text)
        at_us = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000
    except (ValueError, OverflowError) as error:
        raise AdminError("XMinioAdminInvalidArgument", "the expiration is not a time") from error
    if at_us <= now_us():
        raise AdminError("XMinioAdminInvalidArgument", "the expiration must lie in the future")
    return at_us


def key_policy(document: dict[str, Any], field: str) -> bytes | None:
    """Return the policy of a key; None when it is absent or says nothing: the user's hold then."""
    value = document.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise AdminError("XMinioMalformedIAMPolicy")
    if not value.get("Version") and not value.get("Statement"):
        return None
    return msgspec.json.encode(value)


def _state(text: str) -> bool:
    if text not in _STATES:
        raise AdminError("XMinioAdminInvalidArgument", "the status must be enabled or disabled")
    return _STATES[text]


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
