"""The straight line of every request: route → authenticate → authorise → operate → respond.

One function, `Pipeline._serve`, the same for every operation. It is synchronous as far as nothing
waits: a small GET, HEAD or listing is answered without a task. What an operation has to wait for
comes back as a coroutine. Whatever is raised becomes an S3 error answer here and nowhere else.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neve.errors import NeveError, NoSuchBucket
from neve.iam.actions import OPERATIONS, REPLICA, REPLICA_STATUS, more_actions
from neve.iam.principals import ANONYMOUS, Principal, root_principal
from neve.names import parse_key
from neve.s3 import cors
from neve.s3.call import Call
from neve.s3.errors import S3Error, from_domain
from neve.s3.names import parse_version
from neve.s3.request import Request, parse_query, parse_target
from neve.s3.response import Headers, Response, error_response
from neve.s3.rights import allows, denies, may_delete_something, may_rule
from neve.s3.routes import BUCKET, OBJECT, PREFLIGHT, ROUTES, SERVICE, Route, find_route

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.engine.engine import Engine
    from neve.iam.directory import Directory
    from neve.s3.sigv4 import Verifier

log = logging.getLogger("neve.s3")

Operate = Callable[[Call], Response | Awaitable[Response]]
_NO_QUERY: dict[str, str] = {}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPTIONS_OPERATIONS = frozenset(("GetBucketOptions", "PutBucketOptions"))
_SHOW_OWN = frozenset(("ListBuckets", "GetStoreUsage"))
_SELF_AUTHORISED = frozenset(
    ("PostObject", "PutObjectTagging", "GetBucketQuota", "PutBucketQuota", "GetBucketUsage")
)
"""Operations that ask for their rights themselves: who asks, or for what, stands in the body, or no
policy speaks of it."""


class Operation:
    """A route bound to the function that answers it and the permission it needs."""

    __slots__ = ("action", "extra", "name", "operate", "target", "versioned")

    def __init__(self, route: Route) -> None:
        self.name = route.operation
        self.target = route.target
        self.operate = _function_of(route)
        permission = OPERATIONS.get(route.operation)
        self.action = permission.action if permission else ""
        self.versioned = (permission and permission.versioned) or self.action
        self.extra = bool(more_actions(self.name, {REPLICA_STATUS: REPLICA}, False))
        """Whether the headers may ask for further permissions."""


def _function_of(route: Route) -> Operate:
    if not route.module:
        return _not_implemented
    module = import_module(f"neve.s3.operations.{route.module}")
    name = _WORD.sub("_", route.operation).lower()
    function: Operate = getattr(module, name, None) or module.answer
    return function


def _not_implemented(call: Call) -> Response:
    raise S3Error("NotImplemented", f"{call.route.operation} is not implemented.")


def _is_root(canonical_id: str) -> bool:
    return canonical_id == root_principal("").canonical_id


class Pipeline:
    """Answers requests of one worker."""

    def __init__(
        self,
        engine: "Engine",
        verifier: "Verifier",
        *,
        region: str = "us-east-1",
        domains: Sequence[str] = (),
        cors_origins: Sequence[str] = (),
        panel: cors.Panel | None = None,
        principal_of: Callable[[str], Principal] = root_principal,
        known_canonical_id: Callable[[str], bool] = _is_root,
        directory: "Directory | None" = None,
    ) -> None:
        self.engine = engine
        self.directory = directory
        """Users, groups, policies and access keys; None where only root is."""
        if directory is not None:
            principal_of = directory.principal_of
            known_canonical_id = directory.knows_canonical_id
        self.region = region
        self.principal_of = principal_of
        self.known_canonical_id = known_canonical_id
        """Says whether a canonical id belongs to somebody, who can be granted something."""
        self.verifier = verifier
        self._verify = verifier.verify
        self._domains = [b"." + domain.strip(".").lower().encode() for domain in domains]
        verifier.domains = self._domains
        self.cors = cors.server_rules(cors_origins)
        """Which sites may use buckets that say nothing of it."""
        self.panel = panel or cors.Panel()
        """The site that may use all of them."""
        self._operations = {route: Operation(route) for route in (*ROUTES, PREFLIGHT)}

    def handle(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer the request; never raises, and neither does what it returns."""
        try:
            answer = self._serve(request)
        except Exception as error:  # noqa: BLE001  # the one place that answers for all
            answer = self._refuse(request, error)
        if type(answer) is not Response:
            answer = self._finish(request, answer)
        return self._share(request, answer) if b"origin" in request.headers else answer

    async def _finish(self, request: Request, answer: Awaitable[Response]) -> Response:
        try:
            return await answer
        except Exception as error:  # noqa: BLE001  # the one place that answers for all
            return self._refuse(request, error)

    def _share(
        self, request: Request, answer: Response | Coroutine[Any, Any, Response]
    ) -> Response | Coroutine[Any, Any, Response]:
        """Add to an answer, an error too, what lets a script of another site read it."""
        if request.method == "OPTIONS":
            return answer
        fields = self._shared_with(request)
        if not fields:
            return answer
        if isinstance(answer, Response):
            answer.headers = [*answer.headers, *fields]
            return answer
        return self._add_later(answer, fields)

    def _shared_with(self, request: Request) -> Headers:
        if self.panel.asks(request.headers):
            return self.panel.fields(request.headers)
        try:
            rules = cors.rules_of(self.engine, request.bucket or "", self.cors)
        except NoSuchBucket:
            return []
        return cors.answer_headers(rules, request.headers, request.method) if rules else []

    async def _add_later(self, answer: Awaitable[Response], fields: Headers) -> Response:
        response = await answer
        response.headers = [*response.headers, *fields]
        return response

    def _serve(self, request: Request) -> Any:
        headers = request.headers
        name, raw_key = parse_target(request.raw_path, headers.get(b"host", b""), self._domains)
        raw_query = request.raw_query
        query = parse_query(raw_query) if raw_query else _NO_QUERY
        target = OBJECT if raw_key else BUCKET if name else SERVICE
        route = find_route(request.method, target, query, headers)
        if route is None:
            raise _method_not_allowed(request.method, target)
        operation = self._operations[route]
        request.operation = operation.name
        request.bucket = name
        call = Call(self, request, route, query, name)
        if route is PREFLIGHT:
            return operation.operate(call)
        self._authenticate(call)
        if raw_key:
            request.key = call.key = parse_key(raw_key)
            if query:
                call.version = parse_version(query.get("versionId"))
        self._authorise(call, operation)
        return operation.operate(call)

    def _authenticate(self, call: Call) -> None:
        request = call.request
        call.auth = request.auth = auth = self._verify(
            request.method,
            request.raw_path,
            request.raw_query,
            request.headers,
            any_region=call.route.resource == "location",
        )
        key = auth.access_key
        caller = ANONYMOUS if key is None else self.principal_of(key)
        call.caller = request.caller = caller
        request.principal = caller.name

    def _authorise(self, call: Call, operation: Operation) -> None:
        if operation.target is SERVICE or operation.name == "CreateBucket":
            # AWS: nobody without an account can see or make buckets, whatever policies say.
            if call.caller.kind == "anonymous":
                raise S3Error("AccessDenied")
            if not call.name:
                # These show each caller what it may see; the rest is root's.
                allowed = operation.name in _SHOW_OWN or call.caller.is_unlimited
            else:
                allowed = allows(call, operation.action, None)
            if not allowed:
                raise S3Error("AccessDenied")
            return
        call.bucket = bucket = self.engine.bucket(call.name)
        expected = call.headers.get(b"x-amz-expected-bucket-owner")
        if expected is not None:
            call.check_owner(bucket, expected)
        if call.caller.is_unlimited and bucket.policy is None:
            return
        if operation.name == "DeleteObjects":
            # Each key is asked for on its own, once its document was read; a document of someone
            # whom nothing could let delete anything is not worth the reading.
            if not may_delete_something(call, bucket):
                raise S3Error("AccessDenied")
            return
        if operation.name in _SELF_AUTHORISED:
            return
        if operation.name in _OPTIONS_OPERATIONS or not operation.action:
            if not may_rule(call, bucket):
                raise S3Error("AccessDenied")
            return
        self._check_actions(call, operation, bucket)

    def _check_actions(self, call: Call, operation: Operation, bucket: "Bucket") -> None:
        version = call.version
        action = operation.action if version is None else operation.versioned
        if action == "s3:DeleteObjectVersion" and call.headers.get(REPLICA_STATUS) == REPLICA:
            # MinIO: with s3:ReplicateDelete, which is asked below, it is enough.
            if denies(call, action, bucket, call.key, version):
                raise S3Error("AccessDenied")
            action = operation.action
        if not allows(call, action, bucket, call.key, version):
            raise S3Error("AccessDenied")
        if operation.extra:
            for action in more_actions(operation.name, call.headers, version is not None):
                call.check(action, bucket, call.key, version)

    def _refuse(self, request: Request, error: Exception) -> Response:
        if isinstance(error, S3Error):
            answer = error
        elif isinstance(error, NeveError):
            answer = from_domain(error)
        else:
            answer = S3Error("InternalError")
        if answer.code == "InternalError":
            log.error("request %s: %s failed", request.id, request.operation or "?", exc_info=error)
        request.error_code = answer.code
        return error_response(
            answer,
            head=request.method == "HEAD",
            resource=request.raw_path.decode("utf-8", "replace"),
            request_id=request.id,
        )


def _method_not_allowed(method: str, target: str) -> S3Error:
    return S3Error("MethodNotAllowed", Method=method[:32], ResourceType=target.upper())
