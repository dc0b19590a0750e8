"""One user: what it may do, its groups and keys, and changing all of that."""

from functools import partial

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import (
    abilities,
    bucket_names,
    change_policies,
    chosen_secret,
    identities,
    named,
    new_secret,
)
from neve.panel.routing import get, post
from neve.panel.visit import Visit

_RIGHTS = (
    "CreateUser",
    "EnableUser",
    "DeleteUser",
    "ListGroups",
    "AddUserToGroup",
    "ListUserPolicies",
    "UpdatePolicyAssociation",
    "ListServiceAccounts",
    "CreateServiceAccount",
)


def show(visit: Visit) -> Response:
    """Everything about a user."""
    name = named(visit, "name")
    calls, may = identities(visit), abilities(visit, *_RIGHTS)
    found = calls.user(name)
    return visit.page(
        "people/user.html",
        user=found,
        may=may,
        groups=calls.group_names() if may["ListGroups"] else [],
        policies=list(calls.policies()) if may["ListUserPolicies"] else [],
        keys=calls.keys(name) if may["ListServiceAccounts"] else None,
        buckets=bucket_names(visit),
    )


def set_state(visit: Visit) -> Response:
    """Enable or disable."""
    name, on = named(visit, "name"), visit.field("enabled") == "yes"
    identities(visit).set_user_enabled(name, on)
    said = (
        visit._("%(name)s may log in and sign requests again.", name=name)
        if on
        else visit._("%(name)s is shut out from the next request on.", name=name)
    )
    visit.tell(said)
    return _back(visit, name)


def set_secret(visit: Visit) -> Response:
    """Give the user another secret key, and show it once when it was made here."""
    name, typed = named(visit, "name"), chosen_secret(visit)
    secret = typed or new_secret()
    identities(visit).put_user(name, secret)
    if typed:
        visit.tell(visit._("The secret key of %(name)s is changed.", name=name))
        return _back(visit, name)
    return visit.page(
        "people/made.html",
        title=visit._("The new secret key of %(name)s", name=name),
        access_key=name,
        secret_key=secret,
        problems=[],
        onward=("/user?name=", name),
    )


def join(visit: Visit) -> Response:
    """Put the user into a group."""
    name, group = named(visit, "name"), visit.field("group")
    if group:
        identities(visit).change_members(group, [name])
        visit.tell(visit._("%(name)s is in the group %(group)s now.", name=name, group=group))
    return _back(visit, name)


def leave(visit: Visit) -> Response:
    """Take the user out of a group."""
    name, group = named(visit, "name"), visit.field("group")
    identities(visit).change_members(group, [name], remove=True)
    visit.tell(visit._("%(name)s is in the group %(group)s no more.", name=name, group=group))
    return _back(visit, name)


def ask_removal(visit: Visit) -> Response:
    """Say what goes with the user."""
    visit.need("admin:DeleteUser")
    return _ask(visit, named(visit, "name"))


def remove(visit: Visit) -> Response:
    """Remove the user, once its name was typed."""
    name = named(visit, "name")
    if visit.field("typed") != name:
        return _ask(visit, name, visit._("Type the name as it stands."), 400)
    try:
        identities(visit).remove_user(name)
    except ServerError as error:
        return _ask(visit, name, visit.sentence(error), error.status)
    visit.tell(visit._("The user %(name)s is removed.", name=name))
    return visit.go("/users")


def _ask(visit: Visit, name: str, problem: str = "", status: int = 200) -> Response:
    calls = identities(visit)
    may = abilities(visit, "ListServiceAccounts")
    keys = calls.keys(name) if may["ListServiceAccounts"] else []
    return visit.page(
        "people/remove_user.html", status, user=calls.user(name), keys=keys, problem=problem
    )


def _back(visit: Visit, name: str) -> Response:
    return visit.go("/user", name=name)


ROUTES = [
    get("/user", show),
    post("/user/state", set_state),
    post("/user/secret", set_secret),
    post("/user/attach", partial(change_policies, kind="user", give=True)),
    post("/user/detach", partial(change_policies, kind="user", give=False)),
    post("/user/join", join),
    post("/user/leave", leave),
    get("/user/remove", ask_removal),
    post("/user/remove", remove),
]
