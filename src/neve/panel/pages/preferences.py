"""Language and colours, kept by the browser: they say nothing about who one is."""

from starlette.responses import Response

from neve.panel.language import LANGUAGES
from neve.panel.origin import is_local_path
from neve.panel.routing import post
from neve.panel.visit import THEMES, Visit

YEAR_S = 365 * 86400


def change(visit: Visit) -> Response:
    """Keep a choice and show the page again that it was made on."""
    back = visit.field("back")
    answer = visit.go(back if is_local_path(back) else "/")
    choices = (("lang", "neve_lang", LANGUAGES), ("theme", "neve_theme", THEMES))
    for field, cookie, allowed in choices:
        if visit.field(field) in allowed:
            secure = visit.request.url.scheme == "https"
            answer.set_cookie(
                cookie, visit.field(field), max_age=YEAR_S, path="/", secure=secure,
                httponly=True, samesite="lax",
            )  # fmt: skip
    return answer


ROUTES = [post("/preferences", change, public=True)]
