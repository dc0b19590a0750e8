"""Whom a request is for that the panel makes: the address of its visitor, not our own.

The panel asks the workers over loopback. So that `aws:SourceIp`, the audit log and the trace see
who really asks, its requests say it in a header that begins with a token of this run of the server:

    x-neve-client: TOKEN;ADDRESS      or, when the visitor came over HTTPS,  TOKEN;ADDRESS;https

Invariants: the token is made before the fork and is in memory only; a header with another token
changes nothing; no header of this name is ever written down (`neve.server.redact`). A client may
sign the header or not: it stays among the request's.
"""

import hmac
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neve.server.http_request import Request

HEADER = b"x-neve-client"

_SAID = re.compile(rb"([0-9A-Za-z.:%_-]{1,64})(;https)?")


def new_token() -> bytes:
    """Return a token for one run of the server."""
    return secrets.token_hex(32).encode()


def introduction(token: bytes, address: str, *, secure: bool = False) -> str:
    """Return the header's value for a visitor from this address. For the panel."""
    return f"{token.decode()};{address}{';https' if secure else ''}"


def introduce(request: "Request", token: bytes) -> None:
    """Give a request that has the header the client it names, if the token is this one."""
    given, _, said = request.headers[HEADER].partition(b";")
    # Without a token of our own there is nobody to believe.
    if not token or not hmac.compare_digest(given, token):
        return
    match = _SAID.fullmatch(said)
    if match is not None:
        request.client = match[1].decode()
        request.secure = match[2] is not None
        request.inside = True
