"""Many writers on both workers against one quota: not a byte too many, and not one too few.

Every writer writes objects of one size, and the quota holds a few of them exactly: however the
writers race, that many succeed, and the rest are told that the quota is used.
"""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from tests.model.test_concurrency import together
from tests.model.wire import Answer, Wire, wires
from tests.model.world import MIB, md5

from neve.testing.engine import pattern
from neve.testing.live import LiveServer

WRITERS = 8
FIT = 5
"""Objects that the quota holds."""
TRIES = 3
EXCEEDED = (400, "XMinioAdminBucketQuotaExceeded")

Write = Callable[[Wire, str, str, int], Answer]
"""(connection, bucket, key, size) → the answer to the request that publishes."""


@pytest.fixture(scope="module")
def lines(live_server: LiveServer) -> Iterator[list[Wire]]:
    """Connections; neighbours lead to different workers."""
    opened = wires(live_server, per_worker=WRITERS // 2)
    yield opened
    for wire in opened:
        wire.close()


def put(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    return wire.ask("PUT", bucket, key, body=pattern(size))


def copy(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    headers = {"x-amz-copy-source": f"/quota-source/{size}"}
    return wire.ask("PUT", bucket, key, headers=headers)


def complete(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    return _complete(wire, bucket, key, {"body": pattern(size)})


def complete_copied(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    return _complete(wire, bucket, key, {"headers": {"x-amz-copy-source": f"/quota-source/{size}"}})


def _complete(wire: Wire, bucket: str, key: str, part: dict[str, object]) -> Answer:
    begun = wire.ask("POST", bucket, key, "uploads=")
    if begun.status != 200:
        return begun
    id = begun.xml().findtext("UploadId") or ""
    sent = wire.ask("PUT", bucket, key, f"partNumber=1&uploadId={id}", **part)  # type: ignore[arg-type]
    if sent.status != 200:
        return sent
    tag = sent.headers.get("etag") or f'"{sent.xml().findtext("ETag")}"'.replace('""', '"')
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    document += "</CompleteMultipartUpload>"
    return wire.ask("POST", bucket, key, f"uploadId={id}", document.encode())


def form(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    head = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    body = head.format("key", "").encode() + key.encode() + b"\r\n"
    body += head.format("file", '; filename="f"').encode() + pattern(size) + b"\r\n--b--\r\n"
    fields = {"content-type": "multipart/form-data; boundary=b"}
    wire.connection.request("POST", f"/{quote(bucket)}", body, fields)
    answer = wire.connection.getresponse()
    return Answer(answer.status, dict(answer.getheaders()), answer.read())


def overwrite(wire: Wire, bucket: str, key: str, size: int) -> Answer:
    """Grow an object of a byte: only the difference counts."""
    return wire.ask("PUT", bucket, key.partition("-")[0], body=pattern(size + 1))


PATHS: dict[str, tuple[Write, int]] = {
    "put": (put, 3000),
    "put-large": (put, MIB + 1),
    "copy": (copy, 3000),
    "copy-large": (copy, MIB + 1),
    "complete": (complete, 3000),
    "complete-copied": (complete_copied, MIB + 1),
    "form": (form, 3000),
}


def ask_quota(wire: Wire, bucket: str, **limits: int) -> None:
    body = json.dumps(limits).encode()
    assert wire.ask("PUT", bucket, query="neve-quota=", body=body).status == 204


def usage(wire: Wire, bucket: str) -> tuple[int, int]:
    found = json.loads(wire.ask("GET", bucket, query="neve-usage=").body)
    return found["objects"], found["bytes"]


@pytest.mark.parametrize("unit", ["bytes", "objects"])
@pytest.mark.parametrize("path", PATHS)
def test_exactly_what_fits_gets_in(lines: list[Wire], path: str, unit: str) -> None:
    write, size = PATHS[path]
    bucket = f"quota-{path}-{unit}"
    lines[0].ask("PUT", bucket)
    lines[0].ask("PUT", "quota-source")
    lines[0].ask("PUT", "quota-source", str(size), body=pattern(size))
    if path == "form":
        allow_all(lines[0], bucket)
    limit = FIT * size if unit == "bytes" else FIT
    ask_quota(lines[0], bucket, **{unit: limit})

    def work(number: int, wire: Wire) -> list[Answer]:
        return [write(wire, bucket, f"{number}-{turn}", size) for turn in range(TRIES)]

    answers = [answer for each in together(lines, work) for answer in each]
    good = [answer for answer in answers if answer.status in (200, 204)]
    assert {answer.outcome for answer in answers if answer not in good} == {EXCEEDED}
    assert len(good) == FIT
    assert usage(lines[1], bucket) == (FIT, FIT * size)


def allow_all(wire: Wire, bucket: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    document = json.dumps({"Statement": [statement]}).encode()
    assert wire.ask("PUT", bucket, query="policy=", body=document).status == 204


def test_of_overwrites_the_differences_fit_exactly(lines: list[Wire]) -> None:
    bucket, size = "quota-overwrite", 2000
    lines[0].ask("PUT", bucket)
    for number in range(WRITERS):
        lines[0].ask("PUT", bucket, str(number), body=b"1")
    ask_quota(lines[0], bucket, bytes=WRITERS + FIT * size, objects=WRITERS)

    def work(number: int, wire: Wire) -> Answer:
        return overwrite(wire, bucket, f"{number}-", size)

    answers = together(lines, work)
    assert sorted(answer.status for answer in answers) == [200] * FIT + [400] * (WRITERS - FIT)
    assert usage(lines[1], bucket) == (WRITERS, WRITERS + FIT * size)


def test_a_quota_lowered_on_one_worker_holds_at_once_on_the_other(lines: list[Wire]) -> None:
    bucket = "quota-lowered"
    lines[0].ask("PUT", bucket)
    for turn in range(10):
        setter, writer = lines[turn % 2], lines[(turn + 1) % 2]
        ask_quota(setter, bucket, objects=turn + 1)
        assert put(writer, bucket, f"a{turn}", 10).status == 200
        ask_quota(setter, bucket, objects=turn)
        assert put(writer, bucket, f"b{turn}", 10).outcome == EXCEEDED
        assert md5(writer.ask("GET", bucket, f"a{turn}").body) == md5(pattern(10))
