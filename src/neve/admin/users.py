"""AddUser, ListUsers, GetUserInfo, SetUserStatus, RemoveUser: users, who are named by access keys.

Users may change their own secret and read about themselves. Root is no user and is not listed.
"""

from typing import Any

from neve.admin.call import AdminCall, done, json_response, text_of, time_text
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.iam.identities import User

STATES = {"enabled": True, "disabled": False}


async def add_user(call: AdminCall) -> Response:
    """Make a user, or give one another secret."""
    name = call.argument("accessKey")
    own = name == call.access_key
    call.check(own=own)
    if call.directory.is_root(name):
        raise AdminError("XMinioInvalidIAMCredentials")
    if call.directory.key(name) is not None:
        raise AdminError("XMinioNameIsOfAccessKey")
    if name == call.caller.name and not own:
        # With an access key one cannot become its user.
        raise AdminError("XMinioIAMActionNotAllowed")
    document = await call.sealed_json_body()
    secret = text_of(document, "secretKey")
    enabled = None if own else _state(text_of(document, "status", "enabled"))
    await call.directory.put_user(name, secret=secret, enabled=enabled)
    return done()


async def list_users(call: AdminCall) -> Response:
    """Return all users with their state, policies and groups."""
    call.refuse("bucket")
    users = {user.name: user_document(call, user) for user in call.directory.users()}
    return await call.sealed(users)


def get_user_info(call: AdminCall) -> Response:
    """Return state, policies and groups of one user."""
    name = call.argument("accessKey")
    call.check(own=name == call.caller.name)
    user = call.directory.user(name)
    if user is None:
        if call.directory.key(name) is not None:
            raise AdminError("XMinioIAMActionNotAllowed")
        raise AdminError("XMinioAdminNoSuchUser")
    return json_response(user_document(call, user))


async def set_user_status(call: AdminCall) -> Response:
    """Enable or disable a user."""
    name = call.argument("accessKey")
    enabled = _state(call.query.get("status", ""))
    if name == call.caller.name:
        raise AdminError("XMinioIAMActionNotAllowed")
    await call.directory.put_user(name, enabled=enabled)
    return done()


async def remove_user(call: AdminCall) -> Response:
    """Remove a user with its access keys."""
    name = call.argument("accessKey")
    if name == call.caller.name or call.directory.key(name) is not None:
        raise AdminError("XMinioIAMActionNotAllowed")
    await call.directory.delete_user(name)
    return done()


def user_document(call: AdminCall, user: User) -> dict[str, Any]:
    """Return what the protocol says of a user; never its secret."""
    document: dict[str, Any] = {"status": "enabled" if user.enabled else "disabled"}
    groups = call.directory.groups_of(user.name)
    if user.policies:
        document["policyName"] = ",".join(user.policies)
    if groups:
        document["memberOf"] = groups
    document["updatedAt"] = time_text(user.changed_us)
    return document


def _state(text: str) -> bool:
    if text not in STATES:
        raise AdminError("XMinioAdminInvalidArgument", "the status must be enabled or disabled")
    return STATES[text]
