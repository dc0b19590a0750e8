"""TLS, proxies, and connections that the server has closed."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.scripted_server import Scripted, ScriptedServer

from neve.client.alias import Alias
from neve.client.connections import proxy_of
from neve.client.errors import ClientError
from neve.client.transport import Transport
from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer

from ..server.test_tls import write_certificate

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("tls")
    write_certificate(folder)
    files = ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    with LiveServer(folder / "data", *files) as server:
        yield server


@pytest.fixture
def line(tmp_path: Path, tls_server: LiveServer) -> CommandLine:
    line = CommandLine(tmp_path)
    line.alias("safe", tls_server.endpoint, tls_server.access_key, tls_server.secret_key)
    return line


def test_a_certificate_that_nobody_trusts(line: CommandLine, tls_server: LiveServer) -> None:
    done = line.run("ls", "safe", status=1)
    assert f"the certificate of {tls_server.address} is not trusted" in done.stderr
    assert "--insecure" in done.stderr
    assert done.stderr.count("\n") == 1
    line.run("ls", "safe", "--insecure")


def test_a_certificate_that_the_user_trusts(line: CommandLine, tls_server: LiveServer) -> None:
    folder = line.folder / "home" / ".config" / "neve" / "certs" / "CAs"
    folder.mkdir(parents=True)
    (folder / "ours.pem").write_bytes((tls_server.folder.parent / "cert.pem").read_bytes())
    line.run("ls", "safe")
    keys = (tls_server.access_key, tls_server.secret_key)
    (row,) = line.json("alias", "set", "own", tls_server.endpoint, *keys)
    assert row["tls"] == "TLSv1.3"
    rows = line.json("ping", "safe", "-c", "3", "-i", "1ms")
    assert [row.get("connectMs") is None for row in rows[:3]] == [False, True, True]
    (folder / "broken.pem").write_text("not a certificate")
    assert "broken.pem holds no certificate" in line.run("ls", "safe", status=1).stderr


def test_http_where_https_is_spoken(line: CommandLine, tls_server: LiveServer) -> None:
    line.alias("plain", tls_server.endpoint.replace("https", "http"), "key", "secret-secret")
    done = line.run("ls", "plain", status=1)
    assert done.stderr.count("\n") == 1


def test_a_connection_that_was_closed_meanwhile_is_not_used(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    closed = threading.Event()
    requests: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                requests.append(connection.recv(65_536))
                connection.sendall(answer)
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # One attempt: what is sent into a closed connection would be an error.
        sender = Transport(Alias("x", url), attempts=1)
        sender.request("POST", "b")
        assert closed.wait(10)
        sender.request("POST", "b")
        sender.close()
    assert len(requests) == 2


def test_plain_http_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Scripted(200, b"x")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        sender = Transport(Alias("x", "http://s3.test:9000", "KEY", "SECRET"))
        assert sender.request("GET", "b", "k").body == b"x"
        sender.close()
        (asked,) = proxy.asked
    assert asked.path == "http://s3.test:9000/b/k"
    assert asked.headers["host"] == "s3.test:9000"
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"


def test_https_through_a_proxy(monkeypatch: pytest.MonkeyPatch, tls_server: LiveServer) -> None:
    tunnels: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        tunnels.append(client.recv(65_536))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, port = tls_server.address.split(":")
        with client, socket.create_connection((host, int(port))) as server:
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join(10)

    def copy(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=serve, args=(listener,), daemon=True)
        proxy.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        keys = (tls_server.access_key, tls_server.secret_key)
        sender = Transport(Alias("x", "https://s3.test:444", *keys), insecure=True)
        assert b"ListAllMyBucketsResult" in sender.request("GET").body
        sender.close()
        proxy.join(20)
        assert not proxy.is_alive()
    assert tunnels[0].startswith(b"CONNECT s3.test:444 ")


@pytest.mark.parametrize(
    ("host", "proxied"),
    [
        ("s3.example.org", True),
        ("intern.example.org", False),
        ("a.intern.example.org:9000", False),
        ("xintern.example.org", True),
        ("localhost:9000", False),
        ("127.0.0.1:9000", False),
        ("[::1]:9000", False),
    ],
)
def test_what_goes_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str, proxied: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", "other, .intern.example.org")
    assert (proxy_of("https", host) is not None) == proxied


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy:1080")
    with pytest.raises(ClientError, match="socks5"):
        proxy_of("https", "s3.example.org")
