"""One's own account: what one may do, another secret key, and where one is logged in."""

import hmac
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import SECRET_LENGTH_MIN, chosen_secret, identities
from neve.panel.pages.people.statements import lines
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit


def show(visit: Visit) -> Response:
    """The page."""
    return _page(visit)


def set_secret(visit: Visit) -> Response:
    """Change one's own secret key, and end all other sessions."""
    session = visit.session
    assert session is not None  # the page is not public
    try:
        old, new = visit.form.get("old", ""), chosen_secret(visit, "new")
        if not isinstance(old, str) or not hmac.compare_digest(
            old.encode(), session.secret_key.encode()
        ):
            raise Refused(403, visit._("The present secret key is wrong."))
        if not new:
            message = visit._("Give a new secret key of %(count)d characters or more.",
                              count=SECRET_LENGTH_MIN)  # fmt: skip
            raise Refused(400, message)
        if new != visit.form.get("again", ""):
            raise Refused(400, visit._("The two new secret keys differ."))
        identities(visit).put_user(session.access_key, new)
    except Refused as error:
        return _page(visit, error.message, error.status)
    except ServerError as error:
        return _page(visit, visit.sentence(error), error.status)
    session.secret_key = new
    visit.panel.sessions.end_others(session)
    visit.tell(visit._("Your secret key is changed. Other sessions have ended."))
    return visit.go("/account")


def end_sessions(visit: Visit) -> Response:
    """End another session of one's own, or all of them."""
    session = visit.session
    assert session is not None
    count = visit.panel.sessions.end_others(session, visit.field("mark"))
    visit.tell(
        visit.language.ngettext("%(count)s session ended.", "%(count)s sessions ended.", count)
    )
    return visit.go("/account")


def _page(visit: Visit, problem: str = "", status: int = 200) -> Response:
    session = visit.session
    assert session is not None
    info: dict[str, Any] = {}
    try:
        info = visit.admin.call("GET", "accountinfo", doing="read about your account") or {}
    except ServerError as error:
        if not error.denied:
            raise
    policy = info.get("Policy")
    return visit.page(
        "people/account.html",
        status,
        problem=problem,
        name=info.get("AccountName") or session.access_key,
        lines=lines(policy) if isinstance(policy, dict) else [],
        sessions=[
            (each, each is session, datetime.fromtimestamp(each.begun, UTC))
            for each in visit.panel.sessions.of_key(session.access_key)
        ],
    )


ROUTES = [
    get("/account", show),
    post("/account/secret", set_secret),
    post("/account/sessions", end_sessions),
]
