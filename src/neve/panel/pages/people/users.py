"""The users, and making one."""

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import (
    abilities,
    bucket_names,
    chosen_secret,
    identities,
    new_secret,
)
from neve.panel.pages.people.grant import scoped
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit


def show(visit: Visit) -> Response:
    """Every user."""
    wanted = visit.query("name").lower()
    users = [each for each in identities(visit).users() if wanted in each.name.lower()]
    may = abilities(visit, "CreateUser")
    return visit.page("people/users.html", users=users, wanted=wanted, may=may)


def new(visit: Visit) -> Response:
    """The form."""
    visit.need("admin:CreateUser")
    return _form(visit)


def make(visit: Visit) -> Response:
    """Make a user with what it may do, and show its keys once."""
    name = visit.field("name")
    calls = identities(visit)
    try:
        secret = chosen_secret(visit) or new_secret()
        if not name:
            raise Refused(400, visit._("Give the user a name."))
        if any(user.name == name for user in calls.users()):
            raise Refused(409, visit._("There is a user of this name already."))
        calls.put_user(name, secret)
    except Refused as error:
        return _form(visit, error.message, error.status)
    except ServerError as error:
        return _form(visit, visit.sentence(error), error.status)
    problems = _equip(visit, name)
    return visit.page(
        "people/made.html",
        title=visit._("The user %(name)s is made", name=name),
        access_key=name,
        secret_key=secret,
        problems=problems,
        onward=("/user?name=", name),
    )


def _equip(visit: Visit, name: str) -> list[str]:
    """Give a new user what the form says; return what went wrong."""
    calls = identities(visit)
    problems = []
    group, role = visit.field("group"), visit.field("role")
    policy = scoped(role, visit.field("bucket")) if role in ("reader", "contributor") else role
    try:
        if policy:
            calls.attach([policy], user=name)
    except ServerError as error:
        problems.append(visit._("The policy was not attached: %(why)s", why=visit.sentence(error)))
    try:
        if group:
            calls.change_members(group, [name])
    except ServerError as error:
        problems.append(visit._("The group was not joined: %(why)s", why=visit.sentence(error)))
    return problems


def _form(visit: Visit, problem: str = "", status: int = 200) -> Response:
    may = abilities(visit, "ListGroups", "ListUserPolicies")
    calls = identities(visit)
    return visit.page(
        "people/new_user.html",
        status,
        problem=problem,
        groups=calls.group_names() if may["ListGroups"] else [],
        policies=list(calls.policies()) if may["ListUserPolicies"] else [],
        buckets=bucket_names(visit),
    )


ROUTES = [get("/users", show), get("/users/new", new), post("/users/new", make)]
