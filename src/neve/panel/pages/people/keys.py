"""Access keys: one's own, those of a user, and for administrators everybody's.

A key can never do more than its user. Its secret is shown once, on the page that made it.
"""

import json
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.client.identities import after
from neve.panel.pages.people._shared import abilities, bucket_names, identities, named
from neve.panel.pages.people.statements import json_problem, lines, pretty, statement
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit

LIVES = {"1h": 1 / 24, "12h": 0.5, "1d": 1, "7d": 7, "30d": 30, "90d": 90, "365d": 365, "": 0}
"""Days that a key may live, by what the form says; '' is for ever."""


def show(visit: Visit) -> Response:
    """Keys: mine, or `user=`'s, or all with `all=yes`."""
    everybody, user = visit.query("all") == "yes", visit.query("user")
    may = abilities(visit, "ListServiceAccounts", "ListUsers", "CreateServiceAccount")
    found = identities(visit).keys(user, everybody)
    return visit.page(
        "people/keys.html",
        keys=found,
        user=user,
        everybody=everybody,
        may_make=user in ("", visit.user) or may["CreateServiceAccount"].allowed,
        may_all=may["ListServiceAccounts"].allowed and may["ListUsers"].allowed,
        now=datetime.now(UTC),
    )


def new(visit: Visit) -> Response:
    """The form."""
    if visit.query("user") not in ("", visit.user):
        visit.need("admin:CreateServiceAccount")
    return _form(visit)


def make(visit: Visit) -> Response:
    """Make a key and show its secret."""
    user = visit.field("user")
    try:
        expires = _expiry(visit)
        policy = _policy(visit)
        access_key, secret_key = identities(visit).add_key(
            user, visit.field("name"), visit.field("description"), expires, policy
        )
    except Refused as error:
        return _form(visit, error.message, error.status)
    except ServerError as error:
        return _form(visit, visit.sentence(error), error.status)
    return visit.page(
        "people/made.html",
        title=visit._("The access key is made"),
        access_key=access_key,
        secret_key=secret_key,
        expires=expires,
        problems=[],
        onward=("/keys?user=" if user else "/keys", user),
    )


def one(visit: Visit) -> Response:
    """One key."""
    calls = identities(visit)
    found = calls.key(named(visit, "id"))
    may = abilities(visit, "UpdateServiceAccount", "RemoveServiceAccount")
    mine = [] if all(may.values()) else calls.keys()
    own = any(each.id == found.id for each in mine)
    return visit.page(
        "people/key.html",
        key=found,
        may_change=own or may["UpdateServiceAccount"].allowed,
        may_remove=own or may["RemoveServiceAccount"].allowed,
        lines=lines(found.policy) if found.policy else [],
        text=pretty(found.policy) if found.policy else "",
        now=datetime.now(UTC),
    )


def change(visit: Visit) -> Response:
    """Change name, description or the end of a key."""
    id = named(visit, "id")
    changes: dict[str, Any] = {"newDescription": visit.field("description")}
    if visit.field("name"):
        changes["newName"] = visit.field("name")
    expires = _expiry(visit)
    if expires:
        changes["newExpiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    identities(visit).change_key(id, **changes)
    visit.tell(visit._("The access key %(id)s is changed.", id=id))
    return visit.go("/key", id=id)


def set_state(visit: Visit) -> Response:
    """Accept requests signed with a key, or not."""
    id, on = named(visit, "id"), visit.field("enabled") == "yes"
    identities(visit).change_key(id, newStatus="on" if on else "off")
    said = (
        visit._("Requests signed with %(id)s are accepted again.", id=id)
        if on
        else visit._("Requests signed with %(id)s are refused from now on.", id=id)
    )
    visit.tell(said)
    return visit.go("/key", id=id)


def remove(visit: Visit) -> Response:
    """Remove a key, once it was said that this is meant."""
    id = named(visit, "id")
    key = identities(visit).key(id)
    if visit.field("sure") != "yes":
        return visit.page("people/remove_key.html", key=key)
    identities(visit).remove_key(id)
    visit.tell(visit._("The access key %(id)s is removed.", id=id))
    own = key.user == visit.user
    return visit.go("/keys", user="" if own else visit.field("user"))


def _expiry(visit: Visit) -> datetime | None:
    life = visit.field("life")
    if life not in LIVES:
        raise Refused(400, visit._("Say how long the key may live."))
    return after(LIVES[life]) if LIVES[life] else None


def _policy(visit: Visit) -> Any:
    """The narrower rights of the form: none, kinds in a bucket, or a document. Raises: Refused."""
    limit = visit.field("limit")
    if limit == "json":
        text = visit.field("document")
        problem = json_problem(visit.language, text)
        if problem:
            raise Refused(400, problem)
        return json.loads(text)
    if limit in ("read", "write"):
        kinds = ["list", "read", *(["write", "delete"] if limit == "write" else [])]
        made = statement(kinds, visit.field("bucket"), "", allow=True)
        return {"Version": "2012-10-17", "Statement": [made]}
    if visit.field("bucket"):  # a key for one bucket was meant, and would be one for all
        raise Refused(400, visit._("Say what the key may do in the bucket: choose its rights."))
    return None


def _form(visit: Visit, problem: str = "", status: int = 200) -> Response:
    return visit.page(
        "people/new_key.html",
        status,
        problem=problem,
        user=visit.field("user") or visit.query("user"),
        buckets=bucket_names(visit),
        life=visit.field("life", "90d"),
        limit=visit.field("limit", "none"),
    )


ROUTES = [
    get("/keys", show),
    get("/keys/new", new),
    post("/keys/new", make),
    get("/key", one),
    post("/key", change),
    post("/key/state", set_state),
    post("/key/remove", remove),
]
