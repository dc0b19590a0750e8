"""Logging in with an access key and its secret, and out again.

Failures are counted by address and by access key (`throttle`). Whoever logs in gets a new session,
whatever cookie the browser had. Single sign-on will be another way to `_enter`.
"""

import math
from urllib.parse import quote

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.origin import is_local_path
from neve.panel.routing import get, post
from neve.panel.sessions import LIFE_S
from neve.panel.visit import Visit

LENGTH_MAX = 256
_WRONG = ("InvalidAccessKeyId", "SignatureDoesNotMatch")


def show(visit: Visit) -> Response:
    """The form."""
    if visit.session:
        return visit.go(_next(visit.query("next")))
    return _form(visit)


def enter(visit: Visit) -> Response:
    """Check the keys with the server and begin a session."""
    access_key = visit.field("access_key")
    secret_key = visit.form.get("secret_key", "")
    throttle, who = visit.panel.throttle, (f"from {visit.address}", f"key {access_key}")
    wait_s = throttle.wait_s(*who)
    if wait_s:
        message = visit._(
            "Too many failed attempts. Try again in %(minutes)d min.",
            minutes=math.ceil(wait_s / 60),
        )
        return _form(visit, message, 429, {"retry-after": str(math.ceil(wait_s))})
    if not isinstance(secret_key, str) or not access_key or not secret_key:
        return _form(visit, visit._("Give both the access key and the secret key."), 400)
    possible = access_key.isprintable() and max(len(access_key), len(secret_key)) <= LENGTH_MAX
    if not possible or not _good(visit, secret_key):
        throttle.failed(*who)
        return _form(visit, visit._("The access key or the secret key is wrong."), 403)
    return _enter(visit, access_key, secret_key)


def leave(visit: Visit) -> Response:
    """End the session."""
    panel, request = visit.panel, visit.request
    name = panel.cookie(request)
    panel.sessions.end(request.cookies.get(name, ""))
    answer = visit.go("/login")
    answer.delete_cookie(name, path="/", secure=name.startswith("__Host-"), httponly=True)
    answer.headers["clear-site-data"] = '"cache"'
    return answer


def public(visit: Visit) -> Response:
    """Open a bucket that can be read without an account, by its name."""
    bucket = visit.field("bucket").strip("/")
    if not bucket:
        return visit.go("/login")
    return visit.go(f"/browse/{quote(bucket, safe='')}")


def _good(visit: Visit, secret_key: str) -> bool:
    """Whether the server takes the keys, whatever they may do. Raises: Unreachable."""
    secure = visit.request.url.scheme == "https"
    keys = (visit.field("access_key"), secret_key)
    try:
        client = visit.panel.upstream.client(*keys, visit.address, secure)
        client.transport.request("GET", "", doing="log in")
    except ServerError as error:
        if error.code in _WRONG:
            return False
        if not error.denied:
            raise
    except UnicodeError:
        return False
    return True


def _enter(visit: Visit, access_key: str, secret_key: str) -> Response:
    panel, request = visit.panel, visit.request
    name = panel.cookie(request)
    panel.sessions.end(request.cookies.get(name, ""))
    browser = request.headers.get("user-agent", "")
    identifier = panel.sessions.begin(access_key, secret_key, visit.address, browser)
    answer = visit.go(_next(visit.field("next")))
    answer.set_cookie(
        name, identifier, max_age=int(LIFE_S), path="/", secure=name.startswith("__Host-"),
        httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


def _form(
    visit: Visit, problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return visit.page(
        "login.html",
        status,
        headers,
        problem=problem,
        next=_next(visit.field("next") or visit.query("next")),
        access_key=visit.field("access_key"),
    )


def _next(path: str) -> str:
    """Where to go after the login: a path of the panel, wherever the argument came from."""
    return path if is_local_path(path) and not path.startswith("/login") else "/"


ROUTES = [
    get("/login", show, public=True),
    post("/login", enter, public=True),
    post("/logout", leave),
    post("/public", public, public=True),
]
