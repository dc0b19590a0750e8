"""Sessions, forgery, redirects and framing: what somebody hostile would try at the door."""

import http.client
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider
from tests.server.test_tls import write_certificate

from neve.panel import sessions, throttle
from neve.panel.origin import is_local_path
from neve.panel.sessions import Sessions
from neve.panel.throttle import FAILURES_MAX, Throttle
from neve.testing.server import LiveServer

from .conftest import Visitor


def forged(visitor: Visitor, path: str, headers: dict[str, str], **fields: str) -> int:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode(fields).encode()
    return visitor.request("POST", path, body, kind | headers).status


def test_login_makes_a_new_session_whatever_cookie_the_browser_had(visitor: Visitor) -> None:
    visitor.cookies["neve"] = "chosen-by-somebody-else"
    visitor.login()
    first = visitor.cookies["neve"]
    assert first != "chosen-by-somebody-else"
    stranger = Visitor(visitor.server)
    stranger.cookies["neve"] = "chosen-by-somebody-else"
    assert stranger.get("/buckets", follow=False).headers["location"].startswith("/login")
    visitor.login()
    assert visitor.cookies["neve"] != first
    stranger.cookies["neve"] = first  # the session that the second login replaced
    assert stranger.get("/buckets", follow=False).status == 303


def test_cookie_is_for_the_panel_alone(visitor: Visitor) -> None:
    shown = visitor.post(
        "/login",
        follow=False,
        access_key=visitor.server.access_key,
        secret_key=visitor.server.secret_key,
    )
    cookie = shown.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert visitor.server.secret_key not in shown.headers["set-cookie"]


def test_cookie_over_https_is_secure(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder)
    files = ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    with LiveServer(folder / "data", *files) as server:
        parts = urlsplit(server.panel)
        assert parts.scheme == "https"
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=ssl._create_unverified_context(), timeout=60
        )
        fields = {"access_key": server.access_key, "secret_key": server.secret_key}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": server.panel,
        }
        connection.request("POST", "/login", urlencode(fields), headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        cookie = answer.headers["set-cookie"]
        assert answer.status == 303
        assert cookie.startswith("__Host-neve=")
        assert "Secure" in cookie
        assert "Path=/" in cookie


def test_logout_ends_the_session_for_whoever_has_its_cookie(administrator: Visitor) -> None:
    thief = Visitor(administrator.server)
    thief.cookies = dict(administrator.cookies)
    assert thief.get("/buckets", follow=False).status == 200
    administrator.post("/logout")
    assert thief.get("/buckets", follow=False).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # S3 has the same host and another port
    ],
)
def test_forms_of_other_sites_do_nothing(administrator: Visitor, headers: dict[str, str]) -> None:
    administrator.get("/buckets")
    assert forged(administrator, "/logout", headers, csrf=administrator.csrf) == 403
    assert administrator.get("/buckets", follow=False).status == 200
    keys = {"access_key": administrator.server.access_key, "secret_key": "x" * 8}
    assert forged(administrator, "/login", headers, **keys) == 403
    assert forged(administrator, "/preferences", headers, lang="fr") == 403


def test_page_of_s3_is_another_site(administrator: Visitor) -> None:
    administrator.get("/buckets")
    headers = {"origin": administrator.server.endpoint}
    assert forged(administrator, "/logout", headers, csrf=administrator.csrf) == 403


def test_form_without_the_token_of_its_session_does_nothing(
    administrator: Visitor, user: Callable[..., Visitor]
) -> None:
    administrator.get("/buckets")
    other = user("mallory", "readonly")
    other.get("/buckets")
    origin = {"origin": administrator.server.panel}
    for token in ("", "x", other.csrf, administrator.csrf[:-1]):
        assert forged(administrator, "/logout", origin, csrf=token) == 403
    assert administrator.get("/buckets", follow=False).status == 200
    assert forged(administrator, "/logout", origin, csrf=administrator.csrf) == 303


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\\\\evil.example",
        "evil.example",
        "/login?next=//evil.example",
    ],
)
def test_login_leads_nowhere_else(visitor: Visitor, path: str) -> None:
    server = visitor.server
    keys = {"access_key": server.access_key, "secret_key": server.secret_key}
    shown = visitor.post("/login", follow=False, next=path, **keys)
    assert shown.status == 303
    assert shown.headers["location"] == "/"
    back = visitor.post("/preferences", follow=False, back=path, lang="en")
    target = urlsplit(back.headers["location"])
    assert (target.scheme, target.netloc) == ("", "")
    assert not back.headers["location"].startswith(("//", "/\\"))


def test_login_leads_where_one_was_going(visitor: Visitor) -> None:
    asked = visitor.get("/buckets?sort=size", follow=False)
    assert asked.headers["location"] == "/login?next=%2Fbuckets%3Fsort%3Dsize"
    server = visitor.server
    keys = {"access_key": server.access_key, "secret_key": server.secret_key}
    shown = visitor.post("/login", follow=False, next="/buckets?sort=size", **keys)
    assert shown.headers["location"] == "/buckets?sort=size"
    assert is_local_path("/buckets?sort=size")


def test_nobody_frames_a_page_and_nothing_comes_from_elsewhere(administrator: Visitor) -> None:
    for path in ("/login", "/buckets", "/no-such-page", "/static/neve.js"):
        shown = administrator.get(path, follow=False)
        policy = shown.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert shown.headers["x-frame-options"] == "DENY"
        assert shown.headers["x-content-type-options"] == "nosniff"
        for outside in ('src="http', 'href="http', "@import"):
            assert outside not in shown.text
    assert administrator.get("/buckets").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/%00"]
)
def test_static_files_are_those_of_their_folder(visitor: Visitor, path: str) -> None:
    shown = visitor.get(path, follow=False)
    assert shown.status in (400, 404)
    assert "root:" not in shown.text
    assert "import" not in shown.text


def test_failures_are_counted_by_address_and_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LiveServer(tmp_path_factory.mktemp("throttle") / "data") as server:
        visitor = Visitor(server)
        for _ in range(FAILURES_MAX):
            shown = visitor.post("/login", access_key=server.access_key, secret_key="wrong-secret")
            assert shown.status == 403
        shown = visitor.post("/login", access_key=server.access_key, secret_key=server.secret_key)
        assert shown.status == 429
        assert int(shown.headers["retry-after"]) > 0
        assert "Too many failed attempts" in shown.words


def test_throttle_forgets_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now[0])
    counted = Throttle()
    for _ in range(FAILURES_MAX):
        assert counted.wait_s("from a", "key b") == 0
        counted.failed("from a", "key b")
    assert counted.wait_s("from a", "key c") == throttle.WINDOW_S
    assert counted.wait_s("from d", "key b") == throttle.WINDOW_S
    assert counted.wait_s("from d", "key c") == 0
    now[0] += throttle.WINDOW_S
    assert counted.wait_s("from a", "key b") == 0


def test_throttle_is_bounded() -> None:
    counted = Throttle()
    for number in range(throttle.KNOWN_MAX + 10):
        counted.failed(f"from {number}")
    assert len(counted._failures) == throttle.KNOWN_MAX


def test_sessions_end_by_idleness_and_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.time()]
    monkeypatch.setattr(sessions.time, "time", lambda: now[0])
    known = Sessions()
    idle, busy = known.begin("a", "s", "", ""), known.begin("a", "s", "", "")
    for _ in range(int(sessions.LIFE_S / sessions.IDLE_S * 2)):
        now[0] += sessions.IDLE_S / 2
        assert known.get(busy) is not None
    now[0] += 1
    assert known.get(idle) is None
    assert known.get(busy) is None
    assert known.of_key("a") == []


def test_one_key_has_a_bounded_number_of_sessions() -> None:
    known = Sessions()
    first = known.begin("a", "s", "", "")
    for _ in range(sessions.OF_ONE_KEY_MAX):
        known.begin("a", "s", "", "")
    assert known.get(first) is None
    assert len(known.of_key("a")) == sessions.OF_ONE_KEY_MAX


def test_disabled_user_is_out_with_the_next_page(
    server: LiveServer, user: Callable[..., Visitor]
) -> None:
    alice = user("alice-out", "readwrite")
    assert alice.get("/buckets", follow=False).status == 200
    admin = MinioAdmin(
        endpoint=urlsplit(server.endpoint).netloc,
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )
    admin.user_disable("alice-out")
    shown = alice.get("/buckets")
    assert "Log in" in shown.words
    assert "neve" not in alice.cookies or alice.get("/buckets", follow=False).status == 303


def test_secret_is_nowhere_in_pages_or_logs(administrator: Visitor) -> None:
    server = administrator.server
    for path in ("/buckets", "/login", "/no-such-page"):
        assert server.secret_key not in administrator.get(path).text
    assert server.secret_key not in server.output()
    assert administrator.cookies["neve"] not in server.output()


def test_body_that_is_too_large_or_no_form_is_refused(administrator: Visitor) -> None:
    administrator.get("/buckets")
    origin = {"origin": administrator.server.panel, "content-type": "application/json"}
    assert administrator.request("POST", "/logout", b"[1]", origin).status == 400
    assert administrator.request("POST", "/logout", b"{", origin).status == 400
    large = {"content-length": str(10 << 20)}
    assert administrator.request("POST", "/logout", b"", origin | large).status == 413
