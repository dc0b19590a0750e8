"""The groups, and making one."""

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import abilities, identities
from neve.panel.routing import get, post
from neve.panel.visit import Visit

DETAILED_MAX = 200
"""Groups whose members and policies the list shows; each is a request to the server."""


def show(visit: Visit) -> Response:
    """Every group."""
    return _list(visit)


def make(visit: Visit) -> Response:
    """Make a group without members."""
    name = visit.field("name")
    if not name:
        return _list(visit, visit._("Give the group a name."), 400)
    try:
        identities(visit).change_members(name, [])
    except ServerError as error:
        return _list(visit, visit.sentence(error), error.status)
    visit.tell(visit._("The group %(name)s is made. Nobody is in it yet.", name=name))
    return visit.go("/group", name=name)


def _list(visit: Visit, problem: str = "", status: int = 200) -> Response:
    calls = identities(visit)
    names = calls.group_names()
    may = abilities(visit, "AddUserToGroup", "GetGroup")
    detailed = [calls.group(name) for name in names[:DETAILED_MAX]] if may["GetGroup"] else []
    return visit.page(
        "people/groups.html",
        status,
        problem=problem,
        may=may,
        groups=detailed,
        others=names[len(detailed) :],
        name=visit.field("name"),
    )


ROUTES = [get("/groups", show), post("/groups", make)]
