"""Heads in: what the handler sees, what is refused, and the order of answers."""

import asyncio
from collections.abc import Iterator

import pytest

from neve.server.http import HttpLimits, Request, Response

from .http_live import Live, echo, live

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    """One echoing server for the tests of this file."""
    with live(echo) as running:
        yield running


def test_path_query_and_header_bytes_arrive_as_sent(server: Live) -> None:
    client = server.connect()
    reply = client.ask(
        b"PUT /b/a%2Fb//c%FF?x=%20+&y HTTP/1.1\r\nHOST: h:9000\r\nX-Amz-Meta-U:  caf\xc3\xa9 \t\r\n"
        b"x-two: a\r\nX-Two:b\r\nx-empty:\r\n\r\n"
    )
    seen = reply.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("PUT", "/b/a%2Fb//c%FF", "x=%20+&y")
    assert seen["headers"] == {
        "host": "h:9000",
        "x-amz-meta-u": "caf\xc3\xa9",
        "x-two": "a,b",
        "x-empty": "",
    }
    assert (seen["version"], seen["client"], seen["secure"]) == ("1.1", "127.0.0.1", False)
    assert (seen["length"], seen["ready"]) == (0, "")
    assert reply.headers["x-amz-request-id"] == seen["id"]
    assert reply.headers["server"] == "Neve"
    assert reply.headers["date"].endswith(" GMT")


def test_request_ids_are_unique_16_upper_case_hex_digits(server: Live) -> None:
    client = server.connect()
    ids = [client.ask(HEAD + b"\r\n").json()["id"] for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(len(id_) == 16 and set(id_) <= set("0123456789ABCDEF") for id_ in ids)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"//x", "//x", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"http://h:9000/b/k%20?acl", "/b/k%20", "acl"),
        (b"HTTPS://h", "/", ""),
        (b"http://h?acl", "/", "acl"),
        (b"/\xc3\xa9", "/\xc3\xa9", ""),
    ],
)
def test_target_forms(server: Live, target: bytes, path: str, query: str) -> None:
    seen = server.connect().ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target).json()
    assert (seen["path"], seen["query"]) == (path, query)


@pytest.mark.parametrize("method", ["PROPFIND", "get", "X-1"])
def test_unknown_methods_reach_the_handler(server: Live, method: str) -> None:
    seen = server.connect().ask(b"%b / HTTP/1.1\r\nHost: h\r\n\r\n" % method.encode()).json()
    assert seen["method"] == method


def test_options_star(server: Live) -> None:
    assert server.connect().ask(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").json()["path"] == "*"


def test_head_split_into_single_bytes(server: Live) -> None:
    client = server.connect()
    whole = b"\r\nPUT /a?b HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
    for _ in range(2):
        for index in range(len(whole)):
            client.send(whole[index : index + 1])
        seen = client.reply().json()
        assert (seen["path"], seen["headers"]["x-a"], seen["ready"]) == ("/a", "b", "hello")


REFUSED = {
    "two lengths": (400, b"Content-Length: 1\r\nContent-Length: 2\r\n"),
    "signed length": (400, b"Content-Length: +5\r\n"),
    "spaced length": (400, b"Content-Length: 5 5\r\n"),
    "empty length": (400, b"Content-Length:\r\n"),
    "listed length": (400, b"Content-Length: 5, 5\r\n"),
    "hex length": (400, b"Content-Length: 0x5\r\n"),
    "unicode digits": (400, "Content-Length: ٣\r\n".encode()),
    "huge length": (400, b"Content-Length: 99999999999999999999999999\r\n"),
    "negative length": (400, b"Content-Length: -1\r\n"),
    "length and coding": (400, b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    "unknown coding": (501, b"Transfer-Encoding: gzip\r\n"),
    "two codings": (501, b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunked twice": (501, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    "almost chunked": (501, b"Transfer-Encoding: xchunked\r\n"),
    "folding": (400, b"X-A: b\r\n c\r\n"),
    "space before colon": (400, b"X-A : b\r\n"),
    "leading space": (400, b" X-A: b\r\n"),
    "no colon": (400, b"X-A\r\n"),
    "known name, no colon": (400, b"Host\r\n"),
    "empty name": (400, b": b\r\n"),
    "bad name": (400, b"X(A): b\r\n"),
    "non-ASCII name": (400, b"X\xc3\xa9: b\r\n"),
    "NUL": (400, b"X-A: b\0c\r\n"),
    "control": (400, b"X-A: b\x01c\r\n"),
    "DEL": (400, b"X-A: b\x7fc\r\n"),
    "bare CR": (400, b"X-A: b\rc\r\n"),
    "bare LF": (400, b"X-A: b\nX-B: c\r\n"),
    "second host": (400, b"Host: h\r\n"),
    "expectation": (417, b"Expect: magic\r\nContent-Length: 5\r\n"),
    "broken chunk": (400, b"Transfer-Encoding: chunked\r\n\r\nz\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_header_is_refused_and_the_connection_closed(server: Live, name: str) -> None:
    status, lines = REFUSED[name]
    client = server.connect()
    reply = client.ask(b"PUT / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n")
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert reply.headers["content-type"] == "application/xml"
    assert b"<Error><Code>" in reply.body
    assert reply.headers["x-amz-request-id"].encode() in reply.body
    assert client.at_end()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400),
        (b"GET / http/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
        (b"GET /\t HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b" GET / HTTP/1.1\r\n", 400),
        (b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_request_line_is_refused(server: Live, head: bytes, status: int) -> None:
    client = server.connect()
    assert client.ask(head).status == status
    assert client.at_end()


def test_a_good_request_before_a_bad_one_is_answered() -> None:
    with live(echo) as server:
        client = server.connect()
        client.send(HEAD + b"\r\nBAD\r\n\r\n")
        assert client.reply().status == 200
        assert client.reply().status == 400
        assert client.at_end()


def test_limits_hold_at_the_edge() -> None:
    limits = HttpLimits(request_line_bytes_max=100, header_bytes_max=300, header_count_max=5)
    with live(echo, limits) as server:
        path = b"/" + b"a" * (100 - len("GET / HTTP/1.1"))
        assert server.connect().ask(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path).status == 200
        assert server.connect().ask(b"GET %ba HTTP/1.1\r\nHost: h\r\n\r\n" % path).status == 414
        assert server.connect().ask(b"GET %b" % (path * 2)).status == 414
        # A header section is counted with the line end before each of its lines.
        fill = b"X: " + b"a" * (300 - len("\r\nHost: h") - len("\r\nX: "))
        assert server.connect().ask(HEAD + fill + b"\r\n\r\n").status == 200
        reply = server.connect().ask(HEAD + fill + b"a\r\n\r\n")
        assert (reply.status, b"RequestHeaderSectionTooLarge" in reply.body) == (431, True)
        assert server.connect().ask(HEAD + fill * 3).status == 431
        many = b"".join(b"X-%d: a\r\n" % index for index in range(4))
        assert server.connect().ask(HEAD + many + b"\r\n").status == 200
        assert server.connect().ask(HEAD + many + b"Y: b\r\n\r\n").status == 431


def test_keep_alive_follows_version_and_connection_header(server: Live) -> None:
    client = server.connect()
    assert "connection" not in client.ask(HEAD + b"\r\n").headers
    reply = client.ask(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
    assert (reply.json()["version"], reply.headers["connection"]) == ("1.0", "keep-alive")
    assert client.ask(HEAD + b"Connection: foo, Close\r\n\r\n").headers["connection"] == "close"
    assert client.at_end()
    client = server.connect()
    assert client.ask(b"GET / HTTP/1.0\r\n\r\n").headers["connection"] == "close"
    assert client.at_end()


def mixed(request: Request) -> object:
    """Answer at once or later, by the path."""
    if request.raw_path.startswith(b"/later"):
        return later(request)
    return Response(200, (), request.raw_path)


async def later(request: Request) -> Response:
    """Answer after a body and a few turns of the loop."""
    body = await request.body.read(1 << 20)
    await asyncio.sleep(0.001)
    return Response(200, (), request.raw_path + body)


def test_pipelined_requests_are_answered_in_order() -> None:
    with live(mixed) as server:
        client = server.connect()
        sent, expected = [], []
        for index in range(60):
            if index % 3 == 0:
                body = b"%d" % index * 50
                sent.append(
                    b"PUT /later%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b"
                    % (index, len(body), body)
                )
                expected.append(b"/later%d%b" % (index, body))
            elif index % 3 == 1:
                sent.append(
                    b"PUT /later%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"3\r\nabc\r\n0\r\n\r\n" % index
                )
                expected.append(b"/later%dabc" % index)
            else:
                sent.append(b"GET /now%d HTTP/1.1\r\nHost: h\r\n\r\n" % index)
                expected.append(b"/now%d" % index)
        stream = b"".join(sent)
        for size in (len(stream), 997, 61):
            for start in range(0, len(stream), size):
                client.send(stream[start : start + size])
            assert [client.reply().body for _ in expected] == expected


def test_a_pipelined_body_may_arrive_after_the_answer_before_it() -> None:
    put = b"PUT /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
    with live(mixed) as server:
        client = server.connect()
        assert client.ask(put + b"hello" + put + b"wo").body == b"/laterhello"
        assert client.ask(b"rld").body == b"/laterworld"


def test_a_client_that_pipelines_and_does_not_read_is_not_served_ahead() -> None:
    def big(request: Request) -> Response:
        return Response(200, (), bytes(64 * 1024))

    with live(big) as server:
        client = server.connect(receive_bytes=4096)
        client.sock.settimeout(0.5)
        try:
            client.send((HEAD + b"\r\n") * 20_000)
        except TimeoutError:
            pass
        client.sock.settimeout(10)
        answered = server.inspect(lambda: len(server.done))
        # What fits in the kernel's buffers (a few MB) and no more.
        assert answered < 200
        assert client.reply().status == 200
        client.close()
