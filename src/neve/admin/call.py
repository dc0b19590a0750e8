"""One admin call on its way through its function: what is known of it and what it may use."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from neve.admin.errors import JSON_TYPE, AdminError
from neve.admin.rights import allows
from neve.answer import Response
from neve.iam.principals import Principal
from neve.s3.payload import read_body
from neve.s3.request import Request

if TYPE_CHECKING:
    from neve.admin.admin import Admin
    from neve.admin.routes import Route
    from neve.s3.sigv4 import Authenticated

BODY_BYTES_MAX = 256 << 10
"""Of a JSON document; MinIO's own limit for encrypted ones."""

_AUDITED = (
    "accessKey",
    "description",
    "expiration",
    "group",
    "groupStatus",
    "isRemove",
    "members",
    "name",
    "newDescription",
    "newExpiration",
    "newName",
    "newStatus",
    "policies",
    "quota",
    "quotatype",
    "size",
    "status",
    "targetUser",
    "user",
)
"""Fields of documents that may be written down; others may hold secrets."""
_TEXT_LENGTH_MAX = 256
_ITEMS_MAX = 100


class AdminCall:
    """The argument of every function that answers a call."""

    __slots__ = (
        "admin",
        "auth",
        "caller",
        "directory",
        "document",
        "engine",
        "headers",
        "node",
        "query",
        "request",
        "rest",
        "route",
        "secret",
    )
    auth: "Authenticated"
    caller: Principal
    secret: str
    """What the request was signed with: the answer is for who knows it, whatever the call does."""

    def __init__(
        self,
        admin: "Admin",
        request: Request,
        route: "Route",
        rest: str,
        query: dict[str, str],
    ) -> None:
        self.admin = admin
        self.engine = admin.engine
        self.directory = admin.directory
        self.node = admin.node
        self.request = request
        self.headers = request.headers
        self.route = route
        self.rest = rest
        """What stands in the path where the route's has a `*`."""
        self.query = query
        self.document: dict[str, Any] = {}
        """The JSON object in the body, once it was read."""

    @property
    def _inside(self) -> bool:
        return getattr(self.request, "inside", False)

    @property
    def access_key(self) -> str:
        """The access key that signed the request."""
        return self.auth.access_key or ""

    def argument(self, name: str) -> str:
        """Return a field of the query that the call needs. Raises: AdminError."""
        value = self.query.get(name, "")
        if not value:
            raise AdminError("XMinioAdminInvalidArgument", f"{name} is missing")
        return value

    def refuse(self, name: str) -> None:
        """Raise NotImplemented when the query has a field that would make it another call."""
        if self.query.get(name):
            raise AdminError("NotImplemented", f"{self.route.method} {self.route.path}?{name}")

    def choice(self, name: str, *choices: str) -> str:
        """Return a field of the query that must be one of `choices`. Raises: AdminError."""
        value = self.query.get(name, "")
        if value not in choices:
            allowed = " or ".join(choices)
            raise AdminError("XMinioAdminInvalidArgument", f"{name} must be {allowed}")
        return value

    def flag(self, name: str) -> bool:
        """Return a field of the query that is true or false."""
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number in the query, from 0 to `most`. Raises: AdminError."""
        text = self.query.get(name) or str(default)
        if not (text.isascii() and text.isdigit()) or int(text[:12]) > most:
            raise AdminError("XMinioAdminInvalidArgument", f"{name} must be a number up to {most}")
        return int(text)

    def values(self, name: str) -> list[str]:
        """Return all values of a field of the query that may be repeated."""
        fields = parse_qsl(self.request.raw_query.decode("latin-1"), encoding="utf-8")
        return [value for field, value in fields if field == name and value]

    def check(self, action: str = "", *, own: bool = False, itself: bool = False) -> None:
        """Raise AccessDenied unless the caller may do `action` (by default the route's).

        `own`, `itself`: as in `rights.allows`.
        """
        if not allows(self, action or self.route.action, own=own, itself=itself):
            raise AdminError("AccessDenied")

    async def body(self, limit: int = BODY_BYTES_MAX) -> bytes:
        """Return the request's whole body, whose digest has been checked."""
        return await read_body(self, limit)

    async def json_body(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises: AdminError XMinioAdminConfigBadJSON."""
        self.document = parse_object(await self.body())
        return self.document

    async def sealed_body(self) -> bytes:
        """Return the body that the caller encrypted with its own secret. Raises: NotSealed.

        The panel of this server, which is on this machine, sends it as it is, and gets `sealed`
        answers so: each sealing takes 64 MiB for a moment, and tens of milliseconds.
        """
        if self._inside:
            return await self.body()
        return await self.admin.sealer.unseal(self.secret, await self.body())

    async def sealed_json_body(self) -> dict[str, Any]:
        """Return the JSON object in the encrypted body. Raises: as above."""
        self.document = parse_object(await self.sealed_body())
        return self.document

    def details(self) -> dict[str, Any]:
        """Return what the audit log says of the call: its arguments that are no secrets."""
        found: dict[str, Any] = {
            name: value[:_TEXT_LENGTH_MAX]
            for name, value in self.query.items()
            if not name.lower().startswith("x-amz-")
        }
        for name in _AUDITED:
            value = self.document.get(name)
            if isinstance(value, list):
                found[name] = [str(item)[:_TEXT_LENGTH_MAX] for item in value[:_ITEMS_MAX]]
            elif value is not None:
                found[name] = value if isinstance(value, int) else str(value)[:_TEXT_LENGTH_MAX]
        return {"arguments": found}

    async def sealed(self, document: Any) -> Response:
        """Answer with a document that only the holder of the caller's secret can read."""
        data = document if isinstance(document, bytes) else msgspec.json.encode(document)
        if self._inside:
            return Response(200, [JSON_TYPE], data)
        return Response(200, [JSON_TYPE], await self.admin.sealer.seal(self.secret, data))


def parse_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises: AdminError XMinioAdminConfigBadJSON."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdminError("XMinioAdminConfigBadJSON") from error


def text_of(document: dict[str, Any], name: str, default: str = "") -> str:
    """Return a text of a JSON object. Raises: AdminError XMinioAdminConfigBadJSON."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise AdminError("XMinioAdminConfigBadJSON", f"{name} must be a string")
    return value


def texts_of(document: dict[str, Any], name: str) -> list[str]:
    """Return a list of texts, or the one text. Raises: AdminError XMinioAdminConfigBadJSON."""
    value = document.get(name) or []
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise AdminError("XMinioAdminConfigBadJSON", f"{name} must be a list of strings")
    return value


def json_response(document: Any) -> Response:
    """Answer with a JSON document."""
    return Response(200, [JSON_TYPE], msgspec.json.encode(document))


def done() -> Response:
    """Answer that it is done."""
    return Response(200, [(b"content-length", b"0")])


def time_text(at_us: int) -> str:
    """Return a time as Go writes it in JSON; its zero time for 0."""
    if not at_us:
        return "0001-01-01T00:00:00Z"
    moment = datetime.fromtimestamp(at_us / 1e6, UTC)
    return moment.isoformat().replace("+00:00", "Z")
