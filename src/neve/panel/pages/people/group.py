"""One group: members, policies, state."""

from functools import partial

from starlette.responses import Response

from neve.panel.pages.people._shared import (
    abilities,
    bucket_names,
    change_policies,
    identities,
    named,
)
from neve.panel.routing import get, post
from neve.panel.visit import Visit


def show(visit: Visit) -> Response:
    """Everything about a group."""
    name = named(visit, "name")
    calls = identities(visit)
    may = abilities(
        visit, "AddUserToGroup", "EnableGroup", "ListUsers", "ListUserPolicies",
        "UpdatePolicyAssociation",
    )  # fmt: skip
    return visit.page(
        "people/group.html",
        group=calls.group(name),
        may=may,
        users=[user.name for user in calls.users()] if may["ListUsers"] else [],
        policies=list(calls.policies()) if may["ListUserPolicies"] else [],
        buckets=bucket_names(visit),
    )


def set_state(visit: Visit) -> Response:
    """Enable or disable."""
    name, on = named(visit, "name"), visit.field("enabled") == "yes"
    identities(visit).set_group_enabled(name, on)
    said = (
        visit._("The policies of %(name)s hold for its members again.", name=name)
        if on
        else visit._("The policies of %(name)s hold for nobody now.", name=name)
    )
    visit.tell(said)
    return _back(visit, name)


def add(visit: Visit) -> Response:
    """Put users in."""
    name, members = named(visit, "name"), visit.field("member").split()
    if members:
        identities(visit).change_members(name, members)
        who = ", ".join(members)
        visit.tell(visit._("%(who)s: in the group %(group)s now.", who=who, group=name))
    return _back(visit, name)


def take_out(visit: Visit) -> Response:
    """Take a user out."""
    name, member = named(visit, "name"), visit.field("member")
    identities(visit).change_members(name, [member], remove=True)
    visit.tell(visit._("%(name)s is in the group %(group)s no more.", name=member, group=name))
    return _back(visit, name)


def remove(visit: Visit) -> Response:
    """Remove a group that nobody is in."""
    name = named(visit, "name")
    identities(visit).remove_group(name)
    visit.tell(visit._("The group %(name)s is removed.", name=name))
    return visit.go("/groups")


def _back(visit: Visit, name: str) -> Response:
    return visit.go("/group", name=name)


ROUTES = [
    get("/group", show),
    post("/group/state", set_state),
    post("/group/add", add),
    post("/group/take-out", take_out),
    post("/group/attach", partial(change_policies, kind="group", give=True)),
    post("/group/detach", partial(change_policies, kind="group", give=False)),
    post("/group/remove", remove),
]
