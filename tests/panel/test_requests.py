"""Requests that no browser makes: none ends with an error of ours, none does anything."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
import uvicorn

from neve.panel import app
from neve.server import patience
from neve.testing.server import LiveServer

from .conftest import Visitor

JSON = {"content-type": "application/json"}


def sent(visitor: Visitor, path: str, body: bytes, headers: dict[str, str]) -> int:
    own = {"origin": visitor.server.panel, "x-csrf": visitor.csrf}
    return visitor.request("POST", path, body, own | headers).status


@pytest.mark.parametrize(
    "host",
    ["[", "a b", '"; script-src *', "x;script-src *", "x' 'unsafe-inline'", "*", "user@evil",
     "evil.example/..", "x:99999999", "x,y", "\xff"],
)  # fmt: skip
def test_what_is_no_host_is_refused(visitor: Visitor, host: str) -> None:
    shown = visitor.request("GET", "/login", headers={"host": host})
    assert shown.status == 400
    assert host not in shown.text


@pytest.mark.parametrize("host", ["localhost", "[::1]", "[::1]:9001", "neve_1.lab-x.example:9001"])
def test_hosts_as_browsers_name_them(visitor: Visitor, host: str) -> None:
    shown = visitor.request("GET", "/login", headers={"host": host})
    assert shown.status == 200
    name = host.removesuffix(":9001")
    assert f"connect-src 'self' http://{name}:" in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    "body",
    [b'{"csrf": "\\ud800"}', b'{"keys": ["\\ud800"]}', b"[" * 100_000, b'{"a":' * 100_000,
     b"\xff", b"[]", b"", b"1e999"],
)  # fmt: skip
def test_bodies_that_are_no_documents(administrator: Visitor, body: bytes) -> None:
    assert sent(administrator, "/upload/sign", body, JSON) == 400


def test_document_that_is_nested_deeply_is_refused(administrator: Visitor) -> None:
    fields = {"name": "deep", "document": "[" * 100_000}
    body = json.dumps(fields).encode()
    assert sent(administrator, "/policy/edit", body, JSON) == 400


@pytest.mark.parametrize("access_key", ["a\r\nx-evil: 1", "a\x00b", "é" * 300])
def test_access_keys_that_cannot_be_are_wrong(visitor: Visitor, access_key: str) -> None:
    body = json.dumps({"access_key": access_key, "secret_key": "a-secret-key"}).encode()
    assert sent(visitor, "/login", body, JSON) == 403


def test_text_that_looks_like_json_bears_no_token(
    administrator: Visitor, server: LiveServer
) -> None:
    """What other sites may send without asking first: see the fetch standard on simple requests."""
    body = json.dumps({"csrf": administrator.csrf}).encode()
    headers = {"origin": server.panel, "content-type": "text/plain"}
    assert administrator.request("POST", "/logout", body, headers).status == 403
    assert administrator.get("/buckets", follow=False).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_site_counts_where_there_is_no_origin(administrator: Visitor, site: str) -> None:
    body = urlencode({"csrf": administrator.csrf}).encode()
    headers = {
        "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": site,
        "x-csrf": administrator.csrf,
    }  # fmt: skip
    assert administrator.request("POST", "/logout", body, headers).status == 403


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "post", "NEVE"])
def test_other_methods_do_nothing(administrator: Visitor, method: str) -> None:
    for path in ("/logout", "/buckets"):
        shown = administrator.request(method, path, headers={"x-csrf": administrator.csrf})
        assert shown.status == 405
        assert "access-control-allow-origin" not in shown.headers
    assert administrator.request("GET", "/logout?_method=POST").status == 405
    assert administrator.get("/buckets", follow=False).status == 200


@pytest.mark.parametrize(
    "path",
    ["/buckets/%00", "/buckets/%ff%fe", "/browse/a%0d%0ax", "/browse/aaaa?prefix=%ff/",
     "/object/aaaa?key=%00%ff", "/upkeep?marker=%C2%B2", "/buckets/aaaa/lifecycle?edit=%C2%B2",
     "/browse/aaaa?order=size&after=99999999999999999999", "/audit?since=x&until=%00&marker=%ff",
     "/explain?who=%00&action=%ff&ip=x", "/logs?process=%00", "/policy?name=%00", "/user?name=%0a",
     "/buckets?q=" + "a" * 60_000, "/buckets?" + "a=1&" * 10_000, "/tasks/%2e%2e", "/key?id=%00"],
)  # fmt: skip
def test_odd_addresses_are_answered(administrator: Visitor, path: str) -> None:
    assert administrator.get(path, follow=False).status in (200, 303, 400, 404)


def test_no_line_of_an_answer_comes_from_a_field(visitor: Visitor, administrator: Visitor) -> None:
    evil = "a\r\nset-cookie: evil=1"
    for shown in (
        visitor.post("/public", follow=False, bucket=evil),
        visitor.post("/preferences", follow=False, back=f"/{evil}", lang="fr"),
        administrator.get("/folder/aaaa", follow=False, name=evil),
    ):
        assert shown.status == 303
        assert "evil" not in shown.headers.get("set-cookie", "")


def test_flood_of_logins_keeps_nobody_waiting(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with LiveServer(tmp_path_factory.mktemp("flood") / "data") as server:
        server.await_panel()
        statuses: list[int] = []

        def guess(number: int) -> None:
            visitor = Visitor(server, "127.0.0.9")
            for attempt in range(5):
                fields = {"access_key": f"user-{number}-{attempt}", "secret_key": "guess-guess"}
                statuses.append(visitor.post("/login", **fields).status)

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        Visitor(server, "127.0.0.8").login()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {403, 429}
        assert statuses.count(429) > 100  # those that came too often asked the server nothing


def test_body_that_does_not_come_is_not_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_S", 0.2)
    page = app.PAGES[0]._replace(method="POST", bytes_max=1000)

    async def silent() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    headers = [(b"content-length", b"9"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "headers": headers, "path": "/", "query_string": b""}

    async def read() -> None:
        await app._read_form(app.Request(scope, silent), page)

    with pytest.raises(TimeoutError):
        asyncio.run(read())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """Talk to a server that waits a moment for a head: send pieces, return what it said."""
    monkeypatch.setattr(patience, "HEAD_S", 0.3)

    async def hello(scope: object, receive: object, send: Callable[..., object]) -> None:
        head = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"2")],
        }
        await send(head)  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b"hi"})  # type: ignore[misc]

    async def talk(pieces: list[bytes]) -> bytes:
        config = uvicorn.Config(
            hello, http=patience.PatientProtocol, lifespan="off", log_config=None, ws="none",
            timeout_keep_alive=30,
        )  # fmt: skip
        server = uvicorn.Server(config)
        own = socket.create_server(("127.0.0.1", 0))
        port = own.getsockname()[1]
        serving = asyncio.create_task(server.serve([own]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heard = b""
        for piece in pieces:
            writer.write(piece)
            if piece.endswith(b"\r\n\r\n"):
                heard += await reader.readuntil(b"hi")
        heard += await asyncio.wait_for(reader.read(), 20)  # until the server closes
        writer.close()
        server.should_exit = True
        await serving
        return heard

    return lambda *pieces: asyncio.run(talk(list(pieces)))


HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def test_head_that_does_not_come_whole_is_not_awaited(patient: Callable[..., bytes]) -> None:
    assert patient(b"GET / HTTP/1.1\r\nhost: x\r\na:") == b""
    assert patient() == b""


def test_head_after_others_is_not_awaited_for_ever(patient: Callable[..., bytes]) -> None:
    assert patient(HEAD, HEAD, b"GET / HT").count(b"200 OK") == 2
