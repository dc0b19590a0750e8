"""Bodies that are damaged, cut short, too slow, or never come; readers that do not read."""

import base64
import hashlib
import hmac
import random
import socket
import struct
import time
import zlib
from collections.abc import Iterator

import pytest
from tests.hostile.conftest import TIMEOUT_S
from tests.hostile.wild import Watch, ask, connect, head, receive, render, send

from neve import signing
from neve.testing.live import LiveServer, wait_until

pytestmark = pytest.mark.usefixtures("watch")

KEY = "/wild/framed"
DATA = bytes(range(256)) * 2
EMPTY = hashlib.sha256(b"").hexdigest()


def unsigned_frames() -> tuple[dict[str, str], bytes]:
    """Header fields and frames of DATA with a checksum as its trailer."""
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big"))
    body = b"100\r\n" + DATA[:256] + b"\r\n100\r\n" + DATA[256:] + b"\r\n0\r\n"
    body += b"x-amz-checksum-crc32:" + crc + b"\r\n\r\n"
    return {"x-amz-trailer": "x-amz-checksum-crc32"}, body


def signed_frames(server: LiveServer, fields: dict[str, str]) -> bytes:
    """Frames of DATA, each signed after the one before it."""
    date = fields["x-amz-date"].encode()
    key = signing.signing_key(server.secret_key.encode(), date[:8], b"us-east-1")
    scope = signing.scope_of(date[:8], b"us-east-1")
    last = fields["authorization"].rpartition("=")[2]
    body = b""
    for chunk in (DATA, b""):
        digest = hashlib.sha256(chunk).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{date.decode()}\n{scope.decode()}\n{last}\n"
        last = hmac.new(key, f"{text}{EMPTY}\n{digest}".encode(), "sha256").hexdigest()
        body += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(chunk), last.encode(), chunk)
    return body


def mutations(body: bytes, seed: int) -> Iterator[bytes]:
    """The body with one byte changed, left out or put in at every place, and cut at some."""
    chance = random.Random(seed)
    for place in range(len(body)):
        # Inside the data one place stands for its neighbours.
        if 20 < place % 270 < 250 and place % 9:
            continue
        changed = body[place] ^ chance.choice((1, 0x20, 0x80, 0xFF))
        yield body[:place] + bytes([changed]) + body[place + 1 :]
        yield body[:place] + body[place + 1 :]
        yield body[:place] + chance.choice((b"\r", b"\n", b"0", b";", b"\0")) + body[place:]
        if place % 5 == 0:
            yield body[:place]
    yield body + b"0\r\n\r\n"
    yield body + body
    yield b"f" * 5000
    yield b"FFFFFFFFFFFFFFFF\r\n" + body
    yield b"-1\r\n" + body
    yield b"1;" + b"x" * 100_000 + b"\r\n"


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_no_damage_to_the_frames_gets_other_bytes_stored(server: LiveServer, signed: bool) -> None:
    """A damaged body is refused, or the damage did not matter: never is anything else stored."""
    extra, body = unsigned_frames()
    payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    if signed:
        extra, payload = {}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    extra |= {"x-amz-decoded-content-length": str(len(DATA)), "content-encoding": "aws-chunked"}
    fields = head(server, "PUT", KEY, extra, payload)
    if signed:
        body = signed_frames(server, fields)

    def put(body: bytes) -> int:
        sized = fields | {"content-length": str(len(body))}
        return send(server, render("PUT", KEY, sized, body)).status

    assert put(body) == 200
    assert ask(server, "GET", KEY).body == DATA
    assert ask(server, "DELETE", KEY).status == 204
    count = taken = 0
    for damaged in mutations(body, 1):
        status = put(damaged)
        assert status == 200 or 400 <= status < 500, status
        count += 1
        if status == 200:
            taken += 1
            assert ask(server, "GET", KEY).body == DATA
            assert ask(server, "DELETE", KEY).status == 204
    assert count > 400
    assert taken < count / 10
    assert ask(server, "GET", KEY).status == 404


def cut(server: LiveServer, data: bytes, how: str) -> None:
    """Send what there is, then leave in one of several ways."""
    with connect(server) as sock:
        sock.sendall(data)
        if how == "half-close":
            sock.shutdown(socket.SHUT_WR)
            receive(sock)
        elif how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
@pytest.mark.parametrize("kind", ["object", "part", "frames", "chunked"])
def test_a_truncated_body_never_appears(
    server: LiveServer, watch: Watch, how: str, kind: str
) -> None:
    upload = ""
    if kind == "part":
        answer = ask(server, "POST", "/wild/cut?uploads=").body
        upload = answer.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    path = f"/wild/cut?partNumber=1&uploadId={upload}" if upload else "/wild/cut"
    for size in (10, 5000, 70_000, 3 << 20):
        whole = b"x" * size
        if kind == "frames":
            extra = {"x-amz-decoded-content-length": str(size)}
            fields = head(server, "PUT", path, extra, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            whole = b"%x\r\n%b\r\n0\r\n\r\n" % (size, whole)
        else:
            fields = head(server, "PUT", path)
        if kind == "chunked":
            fields["transfer-encoding"] = "chunked"
            whole = b"%x\r\n%b\r\n0\r\n\r\n" % (size, whole)
        else:
            fields["content-length"] = str(len(whole))
        for sent in (0, 1, len(whole) // 2, len(whole) - 1):
            cut(server, render("PUT", path, fields, whole[:sent]), how)
    watch.check()
    if upload:
        assert b"<Part>" not in ask(server, "GET", f"/wild/cut?uploadId={upload}").body
        assert ask(server, "DELETE", f"/wild/cut?uploadId={upload}").status == 204
    assert ask(server, "GET", "/wild/cut").status == 404
    files = server.folder.glob("files/**/*")
    wait_until(lambda: not [path for path in files if path.is_file()], 10)


def closed_within(sock: socket.socket, seconds: float) -> bool:
    """Whether the server ends the connection in time, with or without an answer."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def test_slow_clients_are_sent_away_and_others_served(server: LiveServer) -> None:
    """Heads and bodies that trickle or stop, many at a time."""
    fields = head(server, "PUT", "/wild/slow") | {"content-length": "4000000"}
    starts = [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"\r\n",
        render("PUT", "/wild/slow", fields),
        render("PUT", "/wild/slow", fields, b"x" * 100_000),
        render("PUT", "/wild/slow", fields | {"content-length": "100"}, b"x"),
        render("PUT", "/wild/slow", fields | {"expect": "100-continue"}),
    ]
    socks = [connect(server) for _ in range(20) for _ in starts]
    for number, sock in enumerate(socks):
        sock.sendall(starts[number % len(starts)])
    for _ in range(20):
        assert ask(server, "GET", "/wild?list-type=2").status == 200
    trickled = time.monotonic() + 2 * TIMEOUT_S
    while time.monotonic() < trickled:
        for sock in socks[2::8]:
            try:
                sock.send(b"a")
            except OSError:
                continue
        time.sleep(0.2)
    for sock in socks:
        assert closed_within(sock, 8 * TIMEOUT_S)
        sock.close()
    assert ask(server, "GET", "/wild/slow").status == 404


def test_readers_that_do_not_read_hold_little_and_are_cut(server: LiveServer, watch: Watch) -> None:
    large = b"\xa5" * (24 << 20)
    assert ask(server, "PUT", "/wild/large", large).status == 200
    fields = head(server, "GET", "/wild/large")
    watch = Watch(server)
    socks = []
    for _ in range(60):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = server.address.rpartition(":")
        sock.connect((host, int(port)))
        sock.sendall(render("GET", "/wild/large", fields) * 3)
        socks.append(sock)
    for _ in range(20):
        assert ask(server, "GET", "/wild?list-type=2").status == 200
    # All of them are let go of although they never said a word.
    watch.check(memory_growth_max=48 << 20)
    for sock in socks:
        sock.close()
    assert ask(server, "GET", "/wild/large").body == large
    assert ask(server, "DELETE", "/wild/large").status == 204


def test_half_closed_clients_get_their_answers(server: LiveServer) -> None:
    request = render("GET", "/wild?list-type=2", head(server, "GET", "/wild?list-type=2"))
    reply = send(server, request)
    assert (reply.status, b"ListBucketResult" in reply.body) == (200, True)
    with connect(server) as sock:
        sock.sendall(request * 50)
        sock.shutdown(socket.SHUT_WR)
        data = b""
        while piece := sock.recv(1 << 16):
            data += piece
    assert data.count(b"</ListBucketResult>") == 50
