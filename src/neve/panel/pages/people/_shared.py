"""What the pages about people share: the calls as the visitor, fields, and secrets."""

import secrets
import string

from starlette.responses import Response

from neve.client.identities import Identities
from neve.panel.upstream import Ask, May
from neve.panel.visit import Refused, Visit

SECRET_LENGTH = 24
SECRET_LENGTH_MIN = 8


def identities(visit: Visit) -> Identities:
    """Return the calls about people, as the visitor."""
    return Identities(visit.admin)


def named(visit: Visit, field: str) -> str:
    """Return whom a page or form is about. Raises: Refused when nobody is named."""
    name = visit.query(field) or visit.field(field)
    if not name:
        raise Refused(400, visit._("Nobody is named."))
    return name


def new_secret() -> str:
    """Return a secret key that nobody guesses."""
    return "".join(
        secrets.choice(string.ascii_letters + string.digits) for _ in range(SECRET_LENGTH)
    )


def chosen_secret(visit: Visit, field: str = "secret") -> str:
    """Return the secret of a form, as it was typed; '' for none. Raises: Refused."""
    value = visit.form.get(field, "")
    secret = value if isinstance(value, str) else ""
    if secret and len(secret) < SECRET_LENGTH_MIN:
        message = visit._(
            "A secret key has at least %(count)d characters.", count=SECRET_LENGTH_MIN
        )
        raise Refused(400, message)
    return secret


def abilities(visit: Visit, *actions: str) -> dict[str, May]:
    """Return whether the visitor may do each of some actions on the store, without `admin:`."""
    asks = [Ask(f"admin:{action}") for action in actions]
    return dict(zip(actions, visit.may_all(asks), strict=True))


def bucket_names(visit: Visit) -> list[str]:
    """The buckets that the visitor may see."""
    if not visit.may("s3:ListAllMyBuckets"):
        return []
    return [bucket.name for bucket in visit.s3.buckets()]


def change_policies(visit: Visit, kind: str, give: bool) -> Response:
    """Give a policy to a user or a group (`kind`), or take it away."""
    name, policy = named(visit, "name"), visit.field("policy")
    if policy and give:
        identities(visit).attach([policy], **{kind: name})
        visit.tell(visit._("%(name)s has the policy %(policy)s now.", name=name, policy=policy))
    elif policy:
        identities(visit).detach([policy], **{kind: name})
        said = visit._("%(name)s has the policy %(policy)s no more.", name=name, policy=policy)
        visit.tell(said)
    return visit.go(f"/{kind}", name=name)
