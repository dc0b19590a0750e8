"""Give a person or a group access to a bucket, or to a folder in it: three clicks.

What is given is one of the policies that their names make: `reader:BUCKET/PREFIX` to read and list,
`contributor:BUCKET/PREFIX` to write and delete as well.
"""

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import abilities, bucket_names, identities
from neve.panel.routing import get, post
from neve.panel.visit import Visit

ROLES = ("reader", "contributor")


def scoped(role: str, bucket: str, prefix: str = "") -> str:
    """Return the name of the policy that gives a role in a bucket; without one, everywhere."""
    if not bucket:
        return role
    return f"{role}:{bucket}/{prefix}" if prefix else f"{role}:{bucket}"


def show(visit: Visit) -> Response:
    """The form, filled in with what the link says."""
    return _form(visit)


def give(visit: Visit) -> Response:
    """Attach the policy."""
    kind, _, name = visit.field("who").partition(":")
    role, bucket = visit.field("role"), visit.field("bucket")
    prefix = visit.form.get("prefix", "")
    if role not in ROLES or kind not in ("user", "group") or not name or not bucket:
        return _form(
            visit, visit._("Say who gets access, to which bucket, and of which kind."), 400
        )
    policy = scoped(role, bucket, prefix if isinstance(prefix, str) else "")
    try:
        identities(visit).attach([policy], **{kind: name})
    except ServerError as error:
        if error.code != "XMinioAdminPolicyChangeAlreadyApplied":
            return _form(visit, visit.sentence(error), error.status)
    said = (
        visit._("%(name)s may read %(bucket)s now.", name=name, bucket=bucket)
        if role == "reader"
        else visit._("%(name)s may read and write %(bucket)s now.", name=name, bucket=bucket)
    )
    visit.tell(said)
    return visit.go(f"/{kind}", name=name)


def _form(visit: Visit, problem: str = "", status: int = 200) -> Response:
    calls = identities(visit)
    may = abilities(visit, "ListUsers", "ListGroups", "UpdatePolicyAssociation")
    return visit.page(
        "people/grant.html",
        status,
        problem=problem,
        may=may,
        users=[user.name for user in calls.users()] if may["ListUsers"] else [],
        groups=calls.group_names() if may["ListGroups"] else [],
        buckets=bucket_names(visit),
        who=visit.field("who") or visit.query("who"),
        bucket=visit.field("bucket") or visit.query("bucket"),
        prefix=visit.field("prefix") or visit.query("prefix"),
        role=visit.field("role") or visit.query("role") or "reader",
    )


ROUTES = [get("/grant", show), post("/grant", give)]
