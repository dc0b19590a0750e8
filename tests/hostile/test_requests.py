"""Malformed requests and broken signatures: refused with a 4xx, and nothing happens."""

import time

import pytest
from tests.hostile.wild import Reply, Watch, ask, head, render, send

from neve.signing import amz_date_of, presign_url, sign_headers
from neve.testing.live import LiveServer

pytestmark = pytest.mark.usefixtures("watch")

HOST = b"Host: 127.0.0.1\r\n"
NASTY = (
    b"\0", b"\r", b"\n", b"\x7f", b"\xff\xfe", b"%", b"%zz", b"%00", b"%c0%af", b"%ed%a0%80",
    b"%u0041", b"..%2f..%2f..%2fetc%2fpasswd", b"../../../etc/passwd", b"\\..\\", b"//", b"?", b"#",
    b"{{7*7}}", b"${jndi:ldap://x}", b"'; DROP TABLE object; --", b"A" * 20_000, b"%41" * 5000,
)  # fmt: skip


def refused(reply: Reply) -> bool:
    """Whether the server said no, in words or by hanging up."""
    return reply.status == 0 or 400 <= reply.status < 500 or reply.status in (501, 505)


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 5000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X" * 100_000 + b": y\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"x: y\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nhello",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Content-Length: 999999999999999999\r\n\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
        b"PUT /wild/k HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n",
        b"PUT /wild/k HTTP/1.1\r\n" + HOST + b"Expect: miracles\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET http:///x HTTP/1.1\r\n" + HOST + b"\r\n",
        b"BREW /wild/k HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_http_or_no_s3_is_refused(server: LiveServer, data: bytes) -> None:
    assert refused(send(server, data))
    assert refused(send(server, data, half_close=False))


@pytest.mark.parametrize("where", ["/wild/%b", "/%b", "/wild?prefix=%b", "/wild/k?%b", "/wild?%b="])
def test_nasty_targets_are_answered(server: LiveServer, where: str) -> None:
    for nasty in NASTY:
        raw = where.encode() % nasty
        reply = send(server, b"GET " + raw + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert refused(reply), (raw[:60], reply.status)


def test_the_file_system_cannot_be_reached_by_a_key(server: LiveServer) -> None:
    for path in ("/wild/../../secret", "/wild/%2e%2e%2f%2e%2e%2fsecret", "/../etc/passwd"):
        before = sorted(server.folder.parent.iterdir())
        assert ask(server, "PUT", path, b"x").status in (200, 400, 404)
        assert sorted(server.folder.parent.iterdir()) == before


SIGNED = {"x-amz-meta-a": "1", "content-type": "text/plain"}
KEY = "/wild/forged"


def forgeries(fields: dict[str, str]) -> dict[str, dict[str, str]]:
    """The fields of a good request, each time with one thing changed."""
    good = fields["authorization"]
    cases: dict[str, dict[str, str]] = {}

    def add(name: str, **changed: str) -> None:
        renamed = {key.replace("_", "-"): value for key, value in changed.items()}
        cases[name] = fields | renamed

    for place in range(64):
        at = good.index("Signature=") + len("Signature=") + place
        other = "0" if good[at] != "0" else "1"
        add(f"digit {place}", authorization=good[:at] + other + good[at + 1 :])
    for name in ("x-amz-date", "x-amz-content-sha256", "x-amz-meta-a", "host", "content-type"):
        add(f"{name} changed", **{name.replace("-", "_"): fields[name] + "x"})
        cases[f"{name} removed"] = {n: v for n, v in fields.items() if n != name}
    for name, (old, new) in {
        "algorithm": ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        "unknown key": ("Credential=neve", "Credential=nevf"),
        "region": ("/us-east-1/", "/eu-west-1/"),
        "service": ("/s3/", "/sts/"),
        "terminator": ("aws4_request", "aws5_request"),
        "fewer headers": ("x-amz-meta-a", "x-amz-meta-b"),
        "no host": ("host;", ""),
        "no credential": ("Credential=", "Credentia="),
        "no signature": ("Signature=", "Signatur="),
        "empty credential": ("Credential=neve-test-root/", "Credential=/"),
        "short scope": ("/s3/aws4_request", ""),
        "commas": (", ", ",,, ,"),
        "twice": ("Signature=", "Signature=0, Signature="),
    }.items():
        assert old in good
        add(name, authorization=good.replace(old, new, 1))
    for name, value in {
        "empty": "",
        "basic": "Basic bmV2ZQ==",
        "bearer": "Bearer x",
        "version 2": "AWS neve-test-root:xxxxxxxxxxxxxxxxxxxxxxxxxxx=",
        "bare": "AWS4-HMAC-SHA256",
        "long": "AWS4-HMAC-SHA256 " + "x" * 20_000,
        "equals": "AWS4-HMAC-SHA256 " + "=" * 500,
        "not ASCII": "AWS4-HMAC-SHA256 Credential=é/é/é/é/é, SignedHeaders=é, Signature=é",
        "slashes": "AWS4-HMAC-SHA256 Credential=/////////, SignedHeaders=;;;, Signature=",
    }.items():
        add(f"authorization {name}", authorization=value)
    for value in ("", "x", "20200101T000000Z", "99991231T235959Z", "00000000T000000Z", "2026"):
        add(f"date {value!r}", x_amz_date=value)
    return cases


def test_every_forged_header_is_refused(server: LiveServer) -> None:
    fields = head(server, "PUT", KEY, SIGNED)
    cases = forgeries(fields)
    assert len(cases) > 90
    for name, forged in cases.items():
        data = render("PUT", KEY, forged | {"content-length": "4"}, b"evil")
        reply = send(server, data)
        assert 400 <= reply.status < 500, (name, reply)
    for other in (("POST", KEY), ("PUT", KEY + "x"), ("PUT", KEY + "?tagging"), ("PUT", "/wild")):
        reply = send(server, render(*other, fields | {"content-length": "4"}, b"evil"))
        assert reply.code in ("SignatureDoesNotMatch", "MethodNotAllowed"), other
    assert ask(server, "GET", KEY).status == 404


def test_a_body_that_was_not_signed_is_refused(server: LiveServer) -> None:
    payload = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    for other in (payload, payload.upper(), "0" * 64, "x" * 64, "", "UNSIGNED", "STREAMING-NEW"):
        reply = ask(server, "PUT", KEY, b"evil", payload=other)
        assert 400 <= reply.status < 500, other
    assert ask(server, "PUT", KEY, b"test", payload=payload).status == 200
    assert ask(server, "DELETE", KEY).status == 204


def test_old_and_future_signatures_are_refused(server: LiveServer) -> None:
    keys = server.access_key, server.secret_key
    for shift in (-86_400, -1000, 1000, 86_400, 10**9):
        now = time.time() + shift
        url = server.endpoint + KEY
        fields = sign_headers("PUT", url, {}, *keys, "us-east-1", "UNSIGNED-PAYLOAD", now)
        reply = send(server, render("PUT", KEY, fields | {"content-length": "4"}, b"evil"))
        assert (reply.status, reply.code) == (403, "RequestTimeTooSkewed"), amz_date_of(now)
    assert ask(server, "GET", KEY).status == 404


def test_every_forged_presigned_url_is_refused(server: LiveServer) -> None:
    keys = server.access_key, server.secret_key
    assert ask(server, "PUT", "/wild/shared", b"secret").status == 200
    url = presign_url("GET", server.endpoint + "/wild/shared", *keys, "us-east-1", 600)
    good = url.removeprefix(server.endpoint)
    assert send(server, render("GET", good, {"host": server.address})).body == b"secret"
    path, _, query = good.partition("?")
    fields = query.split("&")
    forged = [f"{path}?{'&'.join(fields[:n] + fields[n + 1 :])}" for n in range(len(fields))]
    for n, field in enumerate(fields):
        name = field.partition("=")[0]
        for value in ("", "x", "-1", "9" * 30, "%00", "%FF", "²", "604801", "20200101T000000Z"):
            changed = [*fields[:n], f"{name}={value}", *fields[n + 1 :]]
            forged.append(f"{path}?{'&'.join(changed)}")
    forged += [good.replace("shared", "shared2"), good + "&versionId=x", good + "&X-Amz-Expires=1"]
    for each in forged:
        reply = send(server, render("GET", each, {"host": server.address}))
        assert 400 <= reply.status < 500, each
        assert b"secret" not in reply.body
    for method in ("PUT", "DELETE"):
        data = render(method, good, {"host": server.address, "content-length": "0"})
        assert send(server, data).status == 403
    old = presign_url("GET", url.partition("?")[0], *keys, "us-east-1", 5, time.time() - 60)
    reply = send(server, render("GET", old.removeprefix(server.endpoint), {"host": server.address}))
    assert reply.status == 403


def test_forged_requests_leave_no_trace(server: LiveServer, watch: Watch) -> None:
    """Two thousand different unknown keys, names and dates fill no cache without bound."""
    fields = head(server, "GET", "/wild")
    good = fields["authorization"]
    for turn in range(2000):
        forged = good.replace("Credential=neve-test-root", f"Credential=unknown{turn}" * 20)
        data = render("GET", "/wild", fields | {"authorization": forged, f"x-{turn}": "y" * 3000})
        assert send(server, data).status in (400, 403)
    watch.check(memory_growth_max=16 << 20)
