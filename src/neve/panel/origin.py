"""Whether a request that changes something comes from a page of ours: against forgery (CSRF).

Two independent proofs are asked for. The browser's own word: `Origin` must be the panel's, or when
it is missing `Sec-Fetch-Site` must not say another site. And the token of the session, which only
our pages have, in the field `csrf` or the header `x-csrf`. See the OWASP cheat sheet on CSRF.
"""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from neve.panel.sessions import Session


def comes_from_us(request: Request, panel_url: str = "") -> bool:
    """Whether the browser says that one of our pages sent the request."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    return origin in own_origins(request, panel_url)


def own_origins(request: Request, panel_url: str = "") -> set[str]:
    """The origins that our pages have, for this browser."""
    host = request.headers.get("host", "")
    found = {f"{request.url.scheme}://{host}"}
    if panel_url:
        parts = urlsplit(panel_url)
        found.add(f"{parts.scheme}://{parts.netloc}")
    return found


def has_token(session: Session, given: object) -> bool:
    """Whether the token of the session was sent along."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), session.csrf.encode())


def is_local_path(path: str) -> bool:
    """Whether a path that came from outside may be redirected to: it stays on the panel."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isprintable()
        and "\\" not in path
    )
