"""S3's operations done on behalf of an admin call, with bodies that are already there.

What an archive of bucket settings holds are documents of S3, so S3's own operations read and write
them. They act as root: whether the caller may is the admin call's to ask. A `question` is a request
of the caller's that nobody sends: only its rights are asked.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from neve.errors import BodyTooLarge
from neve.iam.principals import Principal, root_principal
from neve.s3.call import Call
from neve.s3.pipeline import Operation
from neve.s3.request import Body
from neve.s3.response import Response
from neve.s3.routes import ROUTES, Route
from neve.s3.sigv4 import HEADER, UNSIGNED, Authenticated, PayloadSpec

if TYPE_CHECKING:
    from neve.admin.admin import Admin
    from neve.admin.call import AdminCall

_ROUTES = {route.operation: route for route in ROUTES}


def root_call(admin: "Admin") -> "AdminCall":
    """Return a call of root's that no client has sent: for work on a store that nobody serves."""
    from neve.admin.call import AdminCall
    from neve.admin.routes import ROUTES as CALLS

    access_key = admin.node.config.root_access_key
    call = AdminCall(admin, _OwnRequest(), CALLS[0], "", {})
    call.auth = Authenticated(access_key, PayloadSpec(UNSIGNED), HEADER, 0.0, 0)
    call.caller = root_principal(access_key)
    return call


async def perform(
    outer: "AdminCall",
    operation: str,
    bucket: str,
    body: bytes = b"",
    *,
    headers: dict[bytes, bytes] | None = None,
    caller: Principal | None = None,
) -> Response:
    """Do an operation on a bucket, as root unless `caller` says otherwise. Raises as it does."""
    route = _ROUTES[operation]
    digest = base64.b64encode(hashlib.md5(body).digest())
    request = _Request(outer, route, bucket, body, {b"content-md5": digest, **(headers or {})})
    call = Call(outer.admin.pipeline, request, route, {route.resource: ""}, bucket)
    call.auth = Authenticated(outer.access_key, PayloadSpec(UNSIGNED), HEADER, 0.0, 0)
    call.caller = caller or root_principal(outer.node.config.root_access_key)
    if operation != "CreateBucket":
        call.bucket = outer.engine.bucket(bucket)
    answer: Any = _operation(route).operate(call)
    return answer if isinstance(answer, Response) else await answer


_SEEN_HEADERS = (b"user-agent", b"referer")
"""Fields of an admin call that a request of S3 by the same client would have as well."""


def question(outer: "AdminCall", bucket: str, query: dict[str, str]) -> Call:
    """Return a request of the caller's to a bucket, for asking whether it would be allowed."""
    given = outer.headers
    headers = {name: given[name] for name in _SEEN_HEADERS if name in given}
    route = _ROUTES["ListObjectsV2"]
    request = _Request(outer, route, bucket, b"", headers)
    call = Call(outer.admin.pipeline, request, route, query, bucket)
    call.auth, call.caller = outer.auth, outer.caller
    return call


@lru_cache
def _operation(route: Route) -> Operation:
    return Operation(route)


class _Body:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self.length: int | None = len(data)
        self.ready: bytes | None = data
        self._data = data

    async def pump(self, feed: Callable[[memoryview], Awaitable[Any] | None]) -> None:
        """As the front's."""
        settled = feed(memoryview(self._data)) if self._data else None
        if settled is not None:
            await settled

    async def read(self, limit: int) -> bytes:
        """As the front's."""
        if len(self._data) > limit:
            raise BodyTooLarge
        return self._data


class _OwnRequest:
    """A request that no client has sent and that asks for nothing yet."""

    def __init__(self) -> None:
        self.method = "GET"
        self.raw_path = b"/"
        self.raw_query = b""
        self.headers: dict[bytes, bytes] = {}
        self.body: Body = _Body(b"")
        self.client = ""
        self.secure = True
        self.id = ""
        self.operation = ""
        self.caller: Any = None
        self.auth: Any = None
        self.decision: Any = None
        self.details: Callable[[], dict[str, Any]] | None = None
        self.principal = ""
        self.bucket = ""
        self.key = ""
        self.error_code = ""


class _Request(_OwnRequest):
    """The request of an operation on behalf of an admin call."""

    def __init__(
        self,
        outer: "AdminCall",
        route: Route,
        bucket: str,
        body: bytes,
        headers: dict[bytes, bytes],
    ) -> None:
        super().__init__()
        self.method = route.method
        self.raw_path = b"/" + bucket.encode()
        self.raw_query = route.resource.encode()
        self.headers = headers
        self.body = _Body(body)
        self.client = outer.request.client
        self.secure = outer.request.secure
        self.id = outer.request.id
        self.operation = route.operation
        self.principal = outer.request.principal
        self.bucket = bucket
