"""The policies: which there are, who has them, making, changing and removing them."""

from typing import Any

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import abilities, bucket_names, identities, named
from neve.panel.pages.people.statements import (
    KINDS,
    json_problem,
    lines,
    pretty,
    statement,
    with_statement,
)
from neve.panel.routing import get, post
from neve.panel.visit import Visit

CANNED = (
    "consoleAdmin",
    "contributor",
    "diagnostics",
    "reader",
    "readonly",
    "readwrite",
    "selfservice",
    "writeonly",
)
"""Always there; the server refuses to remove them."""


def show(visit: Visit) -> Response:
    """Every policy, with how many have it."""
    calls = identities(visit)
    held = {each.policy: each for each in calls.holders()}
    return visit.page(
        "people/policies.html",
        policies={name: lines(document) for name, document in calls.policies().items()},
        held=held,
        scoped=sorted(name for name in held if ":" in name),
        canned=CANNED,
        may=abilities(visit, "CreatePolicy"),
    )


def one(visit: Visit) -> Response:
    """One policy."""
    name = named(visit, "name")
    calls = identities(visit)
    document = calls.policy(name)
    return visit.page(
        "people/policy.html",
        name=name,
        lines=lines(document),
        text=pretty(document),
        holders=calls.holders(name),
        canned=name in CANNED or ":" in name,
        may=abilities(visit, "CreatePolicy", "DeletePolicy", "UpdatePolicyAssociation"),
    )


def edit(visit: Visit) -> Response:
    """The editor, for a new policy or one that is there."""
    visit.need("admin:CreatePolicy")
    name = visit.query("name")
    document: Any = identities(visit).policy(name) if name else {"Version": "2012-10-17"}
    return _editor(visit, name, pretty(document) if name else "", existing=bool(name))


def save(visit: Visit) -> Response:
    """Keep the policy, or add a statement to it and show the editor again."""
    name, text = visit.field("name"), visit.field("document")
    existing = visit.field("existing") == "yes"
    if visit.field("do") == "add":
        return _with_statement(visit, name, text, existing)
    problem = "" if name else visit._("Give the policy a name.")
    problem = problem or json_problem(visit.language, text)
    calls = identities(visit)
    if not problem and not existing and name in calls.policies():
        problem = visit._("There is a policy of this name already.")
    if problem:
        return _editor(visit, name, text, existing, problem, 400)
    try:
        calls.put_policy(name, text.encode())
    except ServerError as error:
        return _editor(visit, name, text, existing, visit.sentence(error), error.status)
    visit.tell(
        visit._("The policy %(name)s is saved. It holds from the next request on.", name=name)
    )
    return visit.go("/policy", name=name)


def remove(visit: Visit) -> Response:
    """Remove a policy that nobody has."""
    name = named(visit, "name")
    identities(visit).remove_policy(name)
    visit.tell(visit._("The policy %(name)s is removed.", name=name))
    return visit.go("/policies")


def _with_statement(visit: Visit, name: str, text: str, existing: bool) -> Response:
    prefix = visit.field("prefix")
    added = statement(
        visit.fields("kind"), visit.field("bucket"), prefix, visit.field("effect") != "deny"
    )
    if added is None:
        message = visit._("Tick at least one thing that the statement is about.")
        return _editor(visit, name, text, existing, message, 400)
    problem = json_problem(visit.language, text) if text else ""
    if not problem:
        try:
            text = with_statement(text, added)
        except ValueError:
            problem = visit._("The document is no JSON object.")
    return _editor(visit, name, text, existing, problem, 400 if problem else 200)


def _editor(
    visit: Visit, name: str, text: str, existing: bool, problem: str = "", status: int = 200
) -> Response:
    return visit.page(
        "people/edit_policy.html",
        status,
        name=name,
        text=text,
        existing=existing,
        problem=problem,
        kinds=KINDS,
        buckets=bucket_names(visit),
    )


ROUTES = [
    get("/policies", show),
    get("/policy", one),
    get("/policy/edit", edit),
    post("/policy/edit", save),
    post("/policy/remove", remove),
]
