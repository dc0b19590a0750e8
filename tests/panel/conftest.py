"""The panel without a browser: requests with cookies to a live server."""

import http.client
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from neve.testing.server import LiveServer


class Shown(NamedTuple):
    """An answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def words(self) -> str:
        """What a reader sees: the text without its elements, blanks run together."""
        plain = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(plain).split())


class Visitor:
    """One browser without scripts, that does not follow redirects unless told to."""

    def __init__(self, server: LiveServer, source: str = "") -> None:
        """`source`: the address that it speaks from."""
        self.server = server
        self.source = (source, 0) if source else None
        self.address = urlsplit(server.panel).netloc
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Shown:
        """Send a request with the cookies that were set."""
        sent = {"host": self.address, "accept-language": "en"} | (headers or {})
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection(
            self.address, timeout=60, source_address=self.source
        )
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            found[name.lower()] = value
            if name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                if "max-age=0" in value.lower():
                    self.cookies.pop(cookie, None)
                else:
                    self.cookies[cookie] = content.strip('"')
        token = re.search(r'<meta name="csrf" content="([^"]*)"', text)
        if token and token[1]:
            self.csrf = unescape(token[1])
        return Shown(answer.status, found, text)

    def get(self, path: str, follow: bool = True, **query: str) -> Shown:
        """Open a page, and where it leads."""
        shown = self.request("GET", path + (f"?{urlencode(query)}" if query else ""))
        return self._followed(shown) if follow else shown

    def post(self, path: str, follow: bool = True, **fields: Any) -> Shown:
        """Send a form as a page of ours does. A list is a field that stands several times."""
        pairs = {"csrf": self.csrf} | fields
        body = urlencode(pairs, doseq=True).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        shown = self.request("POST", path, body, kind | {"origin": self.server.panel})
        return self._followed(shown) if follow else shown

    def login(self, access_key: str = "", secret_key: str = "") -> "Visitor":
        """Log in, as the administrator without keys."""
        server = self.server
        shown = self.post(
            "/login",
            access_key=access_key or server.access_key,
            secret_key=secret_key or server.secret_key,
        )
        assert shown.status == 200, shown.words
        return self

    def _followed(self, shown: Shown) -> Shown:
        for _ in range(5):
            if shown.status not in (302, 303, 307):
                return shown
            shown = self.request("GET", shown.headers["location"])
        raise AssertionError("it leads in circles")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for the tests of a module."""
    with LiveServer(tmp_path_factory.mktemp("panel") / "data") as running:
        running.await_panel()
        yield running


@pytest.fixture
def visitor(server: LiveServer) -> Visitor:
    """Somebody who is not logged in."""
    return Visitor(server)


@pytest.fixture
def administrator(server: LiveServer) -> Visitor:
    """The administrator, logged in."""
    return Visitor(server).login()


@pytest.fixture
def user(server: LiveServer) -> Callable[..., Visitor]:
    """Make a user with policies and log in: `user("alice", "readwrite")`."""
    from minio import MinioAdmin
    from minio.credentials import StaticProvider

    admin = MinioAdmin(
        endpoint=urlsplit(server.endpoint).netloc,
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )

    def make(name: str, *policies: str, secret: str = "secret-of-the-user") -> Visitor:
        admin.user_add(name, secret)
        if policies:
            admin.attach_policy(list(policies), user=name)
        return Visitor(server).login(name, secret)

    return make
