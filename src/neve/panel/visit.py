"""One request to the panel: who makes it, what they may do, and the answer's making.

Handlers get a `Visit`, run in a thread and may block. What they raise becomes a page: `Refused`,
and the errors of `neve.client`.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from neve.client.admin import Admin
from neve.client.s3 import S3
from neve.panel.language import Language, choose
from neve.panel.sessions import Flash, Session
from neve.panel.upstream import Ask, May, ask

if TYPE_CHECKING:
    from neve.panel.app import Panel

THEMES = ("auto", "light", "dark")


class Refused(Exception):
    """The panel does not do this: a status and a sentence in the visitor's language."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Visit:
    """The argument of every handler."""

    def __init__(self, panel: "Panel", request: Request, form: FormData) -> None:
        self.panel = panel
        self.request = request
        self.form = form
        self.session: Session | None = panel.sessions.get(
            request.cookies.get(panel.cookie(request), "")
        )
        self._may: dict[Ask, May] = {}

    # Who and where.

    @property
    def user(self) -> str:
        """The access key that is logged in, '' for nobody."""
        return self.session.access_key if self.session else ""

    @property
    def address(self) -> str:
        """The address that the browser speaks from."""
        return self.request.client.host if self.request.client else ""

    @cached_property
    def language(self) -> Language:
        """The language that was chosen, or that the browser asks for."""
        headers = self.request.headers
        return choose(self.request.cookies.get("neve_lang", ""), headers.get("accept-language", ""))

    @property
    def theme(self) -> str:
        """One of `THEMES`."""
        wanted = self.request.cookies.get("neve_theme", "")
        return wanted if wanted in THEMES else THEMES[0]

    def _(self, message: str, **values: object) -> str:
        """Return a message in the visitor's language."""
        return self.language.gettext(message, **values)

    @cached_property
    def s3_url(self) -> str:
        """Where this visitor's browser and programs reach S3, without a slash at the end."""
        settings = self.panel.settings
        if settings.server_url:
            return settings.server_url.rstrip("/")
        try:
            host = urlsplit(f"//{self.request.headers.get('host', '')}").hostname or "localhost"
        except ValueError:  # what no browser sends
            host = "localhost"
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if settings.s3_secure else 'http'}://{host}:{settings.s3_port}"

    # The server, as the visitor.

    @cached_property
    def s3(self) -> S3:
        """The S3 calls as the visitor, anonymous when nobody is logged in."""
        return self._client()

    @cached_property
    def links(self) -> S3:
        """Signs links to S3 as the visitor's browser reaches it; for `presign` alone."""
        return self._client(self.s3_url)

    @cached_property
    def admin(self) -> Admin:
        """The admin calls as the visitor. Raises: ClientError for an anonymous one."""
        return Admin(self.s3, inside=True)

    @cached_property
    def nobody(self) -> S3:
        """The S3 calls as somebody without an account, from where the visitor is."""
        secure = self.request.url.scheme == "https"
        return self.panel.upstream.client("", "", self.address, secure)

    def _client(self, url: str = "") -> S3:
        session = self.session
        keys = (session.access_key, session.secret_key) if session else ("", "")
        secure = self.request.url.scheme == "https"
        return self.panel.upstream.client(*keys, self.address, secure, url)

    def may(self, action: str, bucket: str = "", object: str = "") -> May:
        """Return whether the visitor may do something, and why (not)."""
        return self.may_all([Ask(action, bucket, object)])[0]

    def need(self, action: str, bucket: str = "", object: str = "") -> None:
        """Refuse a page that only leads to what the visitor may not do. Raises: Refused."""
        if not self.may(action, bucket, object):
            raise Refused(403, self._("Your policies do not allow this."))

    def may_all(self, asks: Sequence[Ask]) -> list[May]:
        """As `may`, for several in one request to the server. Asked once in a visit."""
        new = [each for each in dict.fromkeys(asks) if each not in self._may]
        if new:
            self._may.update(zip(new, ask(self.s3, new), strict=True))
        return [self._may[each] for each in asks]

    # What was sent.

    def query(self, name: str, default: str = "") -> str:
        """Return a field of the query."""
        return self.request.query_params.get(name, default)

    def field(self, name: str, default: str = "") -> str:
        """Return a text field of the form, without blanks around it."""
        value = self.form.get(name, default)
        return value.strip() if isinstance(value, str) else default

    def fields(self, name: str) -> list[str]:
        """Return all values of a text field that stands several times."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def file(self, name: str) -> bytes | None:
        """Return the content of a file of the form, None without one."""
        value = self.form.get(name)
        if isinstance(value, UploadFile) and (value.filename or value.size):
            return value.file.read()
        return None

    # Answers.

    def page(
        self,
        template: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Return a page made from a template."""
        text = self.panel.render(self, template, values)
        return HTMLResponse(text, status, headers)

    def json(self, value: Any, status: int = 200) -> Response:
        """Return a JSON document, for scripts."""
        return JSONResponse(value, status)

    def go(self, path: str, **query: str) -> Response:
        """Send the browser to a path of the panel with GET."""
        fields = {name: value for name, value in query.items() if value}
        return RedirectResponse(path + (f"?{urlencode(fields)}" if fields else ""), 303)

    def tell(self, text: str, kind: str = "done", undo: str = "") -> None:
        """Show a message (`done`, `problem`, `note`) on the next page; for who is logged in."""
        if self.session:
            self.session.tell(kind, text, undo)

    def flashes(self) -> list[Flash]:
        """Return the messages for this page."""
        return self.session.take_flashes() if self.session else []

    def sentence(self, error: Exception) -> str:
        """Return what an error of `neve.client` means, in the visitor's language."""
        return self.panel.refusals.sentence(self.language, error)
