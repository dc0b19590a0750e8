"""The straight line of every admin call: route → authenticate → authorise → operate → respond.

As in `neve.s3.pipeline`, whatever is raised becomes an answer here and nowhere else.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neve.admin.call import AdminCall
from neve.admin.errors import AdminError, as_answer, error_response
from neve.admin.node import Node
from neve.admin.routes import PREFIX, VERSION, Route, find_route, knows_path
from neve.admin.wire import Sealer
from neve.answer import Response
from neve.iam.principals import ANONYMOUS
from neve.s3.request import Request, parse_query

if TYPE_CHECKING:
    from neve.s3.pipeline import Pipeline

log = logging.getLogger("neve.admin")

Operate = Callable[[AdminCall], Response | Awaitable[Response]]
OPERATION = "Admin"
"""Begins the names of calls in logs, traces and the audit log."""
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Admin:
    """Answers the admin calls of one worker, with the engine and the keys of its S3 pipeline."""

    def __init__(self, pipeline: "Pipeline", node: Node) -> None:
        self.pipeline = pipeline
        self.engine = pipeline.engine
        self.verifier = pipeline.verifier
        assert pipeline.directory is not None, "the admin API is for a store with a directory"
        self.directory = pipeline.directory
        self.node = node
        self.sealer = Sealer()

    def close(self) -> None:
        """Let go of the thread that encrypts; after the last request."""
        self.sealer.close()

    async def handle(self, request: Request) -> Response:
        """Answer the request; never raises."""
        try:
            return await self._serve(request)
        except Exception as error:  # noqa: BLE001  # the one place that answers for all
            return self._refuse(request, error)

    async def _serve(self, request: Request) -> Response:
        if not request.raw_path.startswith(PREFIX):
            raise _unknown(request.method, request.raw_path.decode("latin-1"))
        version, _, path = request.raw_path[len(PREFIX) :].decode("latin-1").partition("/")
        if version != VERSION:
            raise AdminError("XMinioAdminVersionMismatch")
        found = find_route(request.method, path)
        if found is None:
            raise _unknown(request.method, path)
        route, rest = found
        request.operation = OPERATION + route.name
        query = parse_query(request.raw_query) if request.raw_query else {}
        call = AdminCall(self, request, route, rest, query)
        request.details = call.details
        self._authenticate(call)
        if route.action and not route.own:
            call.check()
        operate = operation_of(route)
        if operate is None:
            raise AdminError("NotImplemented", f"{route.method} {path}")
        answer: Any = operate(call)
        return answer if type(answer) is Response else await answer

    def _authenticate(self, call: AdminCall) -> None:
        request = call.request
        # Clients of the admin API sign for any region, or for none.
        call.auth = request.auth = auth = self.verifier.verify(
            request.method, request.raw_path, request.raw_query, request.headers, any_region=True
        )
        key = auth.access_key
        if auth.presigned or (key is None and call.route.action):
            raise AdminError("AccessDenied")
        call.secret = "" if key is None else self.verifier.secret(key)
        call.caller = ANONYMOUS if key is None else self.pipeline.principal_of(key)
        request.caller = call.caller
        request.principal = call.caller.name
        request.bucket = call.query.get("bucket", "")

    def _refuse(self, request: Request, error: Exception) -> Response:
        answer = as_answer(error)
        if answer.code == "InternalError":
            log.error("request %s: %s failed", request.id, request.operation, exc_info=error)
        request.error_code = answer.code
        path = request.raw_path.decode("utf-8", "replace")
        return error_response(answer, resource=path, request_id=request.id)


def operation_of(route: Route) -> Operate | None:
    """Return the function that answers a route; None when it is not implemented."""
    if not route.module:
        return None
    module = import_module(f"neve.admin.{route.module}")
    function: Operate = getattr(module, _WORD.sub("_", route.name).lower())
    return function


def _unknown(method: str, path: str) -> AdminError:
    if knows_path(path):
        return AdminError("MethodNotAllowed")
    return AdminError("NotImplemented", f"{method[:32]} {path[:200]}")
