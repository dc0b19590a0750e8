"""UpdateGroupMembers, GetGroup, ListGroups, SetGroupStatus: groups of users, who share policies."""

from neve.admin.call import AdminCall, done, json_response, text_of, texts_of, time_text
from neve.admin.errors import AdminError
from neve.admin.users import STATES
from neve.answer import Response


async def update_group_members(call: AdminCall) -> Response:
    """Add users to a group, which is made when it is new, or remove them.

    Removing nobody removes the group, which must be empty.
    """
    document = await call.json_body()
    name = text_of(document, "group")
    members = texts_of(document, "members")
    if not name:
        raise AdminError("XMinioAdminInvalidArgument", "group is missing")
    if document.get("isRemove") is not True:
        await call.directory.put_group(name, add=members)
    elif members:
        await call.directory.put_group(name, remove=members)
    else:
        await call.directory.delete_group(name)
    return done()


def get_group(call: AdminCall) -> Response:
    """Return members, state and policies of a group."""
    name = call.argument("group")
    group = call.directory.group(name)
    if group is None:
        raise AdminError("XMinioAdminNoSuchGroup")
    return json_response(
        {
            "name": group.name,
            "status": "enabled" if group.enabled else "disabled",
            "members": list(group.members),
            "policy": ",".join(group.policies),
            "updatedAt": time_text(group.changed_us),
        }
    )


def list_groups(call: AdminCall) -> Response:
    """Return the names of all groups."""
    return json_response([group.name for group in call.directory.groups()])


async def set_group_status(call: AdminCall) -> Response:
    """Enable or disable a group; a disabled one gives its members nothing."""
    status = call.choice("status", *STATES)
    await call.directory.put_group(call.argument("group"), enabled=STATES[status])
    return done()
