"""A fuzz of the whole server: good requests of every kind, spoiled before or after signing.

Spoiled before, they pass the signature and reach what is behind it. NEVE_FUZZ_S sets the seconds
(15) and NEVE_FUZZ_SEED the seed; what fails is repeated by the seed and the number it names.
"""

import os
import random
import time
from pathlib import Path

import pytest
from tests.hostile.grammar import SEEDS, SPOILERS, Ask, spoil_bytes
from tests.hostile.wild import Watch, ask, send

from neve import signing
from neve.engine.scrub import count_tree
from neve.engine.store import open_catalog
from neve.testing.live import LiveServer

BUDGET_S = float(os.environ.get("NEVE_FUZZ_S", "15"))
SEED = os.environ.get("NEVE_FUZZ_SEED", "neve")
SLOW_S = 4.0


def render(server: LiveServer, request: Ask, chance: random.Random) -> bytes:
    """The request as bytes, signed for exactly what it has become."""
    date = signing.amz_date_of(None).encode()
    payload = b"UNSIGNED-PAYLOAD"
    if "x-amz-trailer" in request.headers:
        payload = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    fields = {name.encode(): value for name, value in request.headers.items()}
    fields |= {b"host": server.address.encode(), b"x-amz-date": date}
    fields[b"x-amz-content-sha256"] = payload
    names = sorted(fields)
    block = b"".join(b"%b:%b\n" % (n, signing.canonical_value(fields[n])) for n in names)
    canonical = signing.canonical_request(
        request.method.encode(),
        signing.canonical_path(request.path),
        signing.canonical_query(request.query),
        block,
        b";".join(names),
        payload,
    )
    scope = signing.scope_of(date[:8], b"us-east-1")
    key = signing.signing_key(server.secret_key.encode(), date[:8], b"us-east-1")
    signature = signing.signature(key, signing.string_to_sign(date, scope, canonical))
    credential = b"AWS4-HMAC-SHA256 Credential=%b/%b, " % (server.access_key.encode(), scope)
    credential += b"SignedHeaders=%b, Signature=%b" % (b";".join(names), signature)
    if chance.random() < 0.05:
        credential = b"anonymous"
    lines = [b"%b: %b" % field for field in fields.items()]
    if credential != b"anonymous":
        lines.append(b"authorization: " + credential)
    lines.append(b"content-length: %d" % len(request.body))
    target = request.path + (b"?" + request.query if request.query else b"")
    line = b"%b %b HTTP/1.1" % (request.method.encode(), target)
    return b"\r\n".join([line, *lines]) + b"\r\n\r\n" + request.body


def make(server: LiveServer, chance: random.Random, upload: bytes) -> tuple[str, bytes]:
    """The method and the bytes of a spoiled request."""
    request = chance.choice(SEEDS)
    request = request._replace(query=request.query.replace(b"{id}", upload))
    late = chance.random() < 0.25
    for _ in range(0 if late else chance.choice((0, 1, 1, 2, 3))):
        request = chance.choice(SPOILERS)(chance, request)
    data = render(server, request, chance)
    return request.method, spoil_bytes(chance, data) if late else data


def begin_upload(server: LiveServer) -> bytes:
    answer = ask(server, "POST", "/fuzz/up?uploads=").body
    return answer.partition(b"<UploadId>")[2].partition(b"<")[0]


def prepare(server: LiveServer) -> None:
    """What the requests refer to; some of them destroy it."""
    for path, body in (("/fuzz", b""), ("/fuzz/small", b"small"), ("/fuzz/large", b"x" * 100_000)):
        assert ask(server, "PUT", path, body).status in (200, 409)


@pytest.mark.timeout(60 + 3 * BUDGET_S)
def test_no_request_does_harm(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        prepare(server)
        watch = Watch(server)
        end = time.monotonic() + BUDGET_S
        number = 0
        statuses: dict[int, int] = {}
        upload = b""
        while time.monotonic() < end:
            if number % 100 == 0:
                prepare(server)
                upload = begin_upload(server)
            number += 1
            chance = random.Random(f"{SEED}/{number}")
            method, data = make(server, chance, upload)
            where = f"seed {SEED!r}, number {number}: {data[:1500]!r}"
            try:
                reply = send(server, data, method=method)
            except TimeoutError as error:
                raise AssertionError(f"no answer; {where}") from error
            statuses[reply.status] = statuses.get(reply.status, 0) + 1
            assert reply.status < 500 or reply.status in (501, 505), f"{reply} {where}"
            assert b"InternalError" not in reply.body, where
            assert reply.seconds < SLOW_S, f"{reply.seconds} s; {where}"
        watch.check()
        assert server.stop() == 0
    assert number > 50 * BUDGET_S, "hardly anything was tried"
    assert statuses.get(200, 0) > number / 20, f"hardly anything came through: {statuses}"
    assert statuses.get(400, 0) > number / 20, f"hardly anything was refused: {statuses}"
    catalog = open_catalog(str(server.folder))
    reader = catalog.reader()
    for row in reader.buckets():
        assert reader.usage(row.tree) == count_tree(reader, row.tree)
    catalog.close()
