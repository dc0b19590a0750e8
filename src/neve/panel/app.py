"""The panel as an ASGI application: from a request to a page.

Every answer forbids everything that a page of ours does not need (Content-Security-Policy), being
framed, and being kept by caches. Handlers run in a few threads, so that a slow server or a large
listing blocks nobody else, and memory stays bounded.
"""

import contextlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neve.client.errors import ClientError, ServerError, Unreachable
from neve.panel.downloads import Downloads
from neve.panel.formtext import in_form
from neve.panel.jobs import Jobs
from neve.panel.language import LANGUAGES
from neve.panel.navigation import MENU
from neve.panel.origin import comes_from_us, has_token
from neve.panel.pages import PAGES
from neve.panel.refusals import Refusals
from neve.panel.routing import FORM_BYTES_MAX, Page
from neve.panel.sessions import Sessions
from neve.panel.settings import Settings
from neve.panel.throttle import Throttle
from neve.panel.upstream import Upstream
from neve.panel.visit import THEMES, Refused, Visit

THREADS = 12
FIELDS_MAX = 5000
FIELDS_BESIDE_FILE_MAX, FIELD_BESIDE_FILE_BYTES_MAX = 20, 64 << 10
BODY_S = 30.0
"""How long a body may take, and a second more for each `BODY_BYTES_S`."""
BODY_BYTES_S = 16 << 10
_HOST = re.compile(r"([A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_FOLDER = os.path.dirname(__file__)

log = logging.getLogger("neve.panel")


class Panel:
    """What the panel consists of."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = Sessions()
        self.jobs = Jobs()
        self.downloads = Downloads()
        self.throttle = Throttle()
        self.upstream = Upstream(settings)
        self.refusals = Refusals()
        self.templates = Environment(
            loader=FileSystemLoader(os.path.join(_FOLDER, "templates")),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals["LANGUAGES"] = LANGUAGES
        self.templates.globals["THEMES"] = THEMES
        self.templates.filters["in_form"] = in_form
        # For `ui.choice`, where value and text are the same.
        self.templates.globals["pairs"] = lambda values: [(value, value) for value in values]
        self.threads: anyio.CapacityLimiter | None = None

    def app(self) -> ASGIApp:
        """Return the application."""
        static = StaticFiles(directory=os.path.join(_FOLDER, "static"))
        routes: list[Route | Mount] = [Mount("/static", static, name="static")]
        by_path: dict[str, dict[str, Page]] = {}
        for page in PAGES:
            by_path.setdefault(page.path, {})[page.method] = page
        for path, methods in by_path.items():
            routes.append(Route(path, self._endpoint(methods), methods=list(methods)))
        app = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self._http_error, Exception: self._failure},
        )
        return _Headers(app, self)

    def cookie(self, request: Request) -> str:
        """The name of the session's cookie: with HTTPS one that no other host can set."""
        return "__Host-neve" if request.url.scheme == "https" else "neve"

    def render(self, visit: Visit, template: str, values: Mapping[str, Any]) -> str:
        """Return a template filled in."""
        language = visit.language
        # As `gettext`, for Babel's extraction from templates to see.
        helpers = {"_": language.gettext, "ngettext": language.ngettext}
        return self.templates.get_template(template).render(
            visit=visit, lang=language, menu=_menu(visit), version=self.settings.version,
            **helpers, **values,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.threads = anyio.CapacityLimiter(THREADS)
        yield
        self.upstream.close()

    def _endpoint(self, methods: Mapping[str, Page]) -> Any:
        async def endpoint(request: Request) -> Response:
            page = methods.get("GET" if request.method == "HEAD" else request.method)
            assert page is not None  # the router knows the methods
            known = page.public or self.sessions.get(request.cookies.get(self.cookie(request), ""))
            try:
                # Of who may not use the page nothing is read: it could be large.
                form = await _read_form(request, page) if known else FormData()
            except TimeoutError as error:
                raise HTTPException(408, "The body did not come in time.") from error
            except ClientDisconnect:
                return Response(status_code=400)
            try:
                return await anyio.to_thread.run_sync(
                    self._handle, page, request, form, limiter=self.threads
                )
            finally:
                await form.close()

        return endpoint

    def _handle(self, page: Page, request: Request, form: FormData) -> Response:
        visit = Visit(self, request, form)
        try:
            self._check(visit, page)
            if visit.session is None and not page.public:
                return _to_login(visit)
            return page.handler(visit)
        except Refused as error:
            return self._error(visit, error.status, error.message)
        except Unreachable as error:
            return self._error(visit, 502, visit.sentence(error))
        except ServerError as error:
            if self.refusals.ends_session(error) and visit.session:
                self.sessions.end(request.cookies.get(self.cookie(request), ""))
                visit.session = None
                return _to_login(visit)
            if error.denied and visit.session is None and request.method == "GET":
                return _to_login(visit)
            return self._error(visit, error.status, visit.sentence(error))
        except ClientError as error:
            return self._error(visit, 400, visit.sentence(error))
        except RecursionError:
            return self._error(visit, 400, visit._("This document is nested too deeply."))

    def _check(self, visit: Visit, page: Page) -> None:
        if page.method == "GET":
            return
        request = visit.request
        if not comes_from_us(request, self.settings.panel_url):
            raise Refused(403, visit._("This request does not come from a page of the panel."))
        session = visit.session
        if session and not page.public:
            given = request.headers.get("x-csrf") or visit.form.get("csrf")
            if not has_token(session, given):
                message = visit._("The page was too old: load it again and repeat what you did.")
                raise Refused(403, message)

    def _error(self, visit: Visit, status: int, message: str) -> Response:
        if "application/json" in visit.request.headers.get("accept", ""):
            return JSONResponse({"error": message}, status)
        try:
            return visit.page("error.html", status, missing=status == 404, message=message)
        except ClientError:  # the menu could not be made either
            return PlainTextResponse(message + "\n", status)

    def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        visit = Visit(self, request, FormData())
        sentences = {
            404: visit._("There is no such page."),
            405: visit._("This page is not used that way."),
            413: visit._("This is larger than the panel takes."),
        }
        message = sentences.get(error.status_code, error.detail)
        return self._error(visit, error.status_code, message)

    def _failure(self, request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return PlainTextResponse("The panel failed here; the log says why.\n", 500)


_PATHS = frozenset(page.path for page in PAGES)


def _menu(visit: Visit) -> list[tuple[str, list[Any]]]:
    """The entries of the menu that are of use to the visitor, by heading."""
    if visit.session is None:
        return []
    asks = [entry.ask for group in MENU for entry in group.entries if entry.ask]
    allowed = dict(zip(asks, visit.may_all(asks), strict=True))
    shown = [
        (
            group.label,
            [
                entry
                for entry in group.entries
                if entry.path in _PATHS and (not entry.ask or allowed[entry.ask])
            ],
        )
        for group in MENU
    ]
    return [(label, entries) for label, entries in shown if entries]


def _to_login(visit: Visit) -> Response:
    request = visit.request
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"error": visit._("Your session has ended: log in again.")}, 401)
    if request.method != "GET":
        return visit.go("/login")
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return visit.go("/login", next="" if path == "/" else path)


async def _read_form(request: Request, page: Page) -> FormData:
    """Return the fields of a body: of a form, or of a JSON object that a script sent.

    Only files may be large, which are kept on the disk; the rest is held in memory.

    Raises: HTTPException 400, 413; ClientDisconnect.
    """
    if page.method == "GET":
        return FormData()
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise HTTPException(411, "The length of the body is missing.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    with_file = kind == "multipart/form-data" and page.bytes_max > FORM_BYTES_MAX
    if int(length) > (page.bytes_max if with_file else FORM_BYTES_MAX):
        raise HTTPException(413)
    with anyio.fail_after(BODY_S + int(length) / BODY_BYTES_S):
        if kind == "application/json":
            return _json_form(await request.body())
        if with_file:
            return await request.form(
                max_files=1,
                max_fields=FIELDS_BESIDE_FILE_MAX,
                max_part_size=FIELD_BESIDE_FILE_BYTES_MAX,
            )
        return await request.form(max_files=4, max_fields=FIELDS_MAX, max_part_size=FORM_BYTES_MAX)


def _json_form(body: bytes) -> FormData:
    """Raises: HTTPException 400."""
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()  # texts are texts: no lone surrogates
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body is no JSON document.") from error
    if not isinstance(document, dict):
        raise HTTPException(400, "The body is no JSON object.")
    return FormData([(str(name), value) for name, value in document.items()])


class _Headers:
    """Adds what every answer says about how it may be used."""

    def __init__(self, app: ASGIApp, panel: Panel) -> None:
        self.app = app
        self.panel = panel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not _HOST.fullmatch(Headers(scope=scope).get("host", "")):
            await PlainTextResponse("This is no host.\n", 400)(scope, receive, send)
            return
        visit = Visit(self.panel, Request(scope), FormData())
        static = scope["path"].startswith("/static/")
        headers = [
            (name.encode(), value.encode("latin-1", "replace"))
            for name, value in _headers(visit, static).items()
        ]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in headers if pair[0] not in own),
                ]
            await send(message)

        await self.app(scope, receive, answer)


def _headers(visit: Visit, static: bool) -> dict[str, str]:
    s3 = visit.s3_url if visit.s3_url.isascii() and not set(" ;,'\"") & set(visit.s3_url) else ""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self';"
        f" img-src 'self' data: {s3}; media-src {s3 or chr(39) + 'none' + chr(39)};"
        f" connect-src 'self' {s3}; frame-src {s3 or chr(39) + 'none' + chr(39)};"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cache-control": "public, max-age=300" if static else "no-store",
    }
