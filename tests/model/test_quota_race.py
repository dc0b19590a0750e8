"""Many writers on both workers against one quota: not a byte too many, and not one too few.

Every writer writes objects of one size, and the quota holds a few of them exactly: however the
writers race, that many succeed, and the rest are told that the quota is used.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin
from msgspec import UNSET
from tests.model.test_concurrency import together
from tests.model.wire import Answer, Wire, wires
from tests.model.world import MIB

from neve.engine.counting import check_counters
from neve.engine.quota import UserQuota
from neve.engine.store import open_engine, prepare
from neve.engine.write import SmallWriter
from neve.errors import QuotaExceeded
from neve.testing.engine import LocalShared, Store, md5, pattern
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


def ask_quota(wire: Wire, bucket: str, **limits: Any) -> None:
    body = json.dumps(limits).encode()
    assert wire.ask("PUT", bucket, query="neve-quota=", body=body).status == 204


def usage(wire: Wire, bucket: str) -> tuple[int, int]:
    found = json.loads(wire.ask("GET", bucket, query="neve-usage=").body)
    return found["objects"], found["bytes"]


@pytest.mark.parametrize("holder", ["bucket", "prefix"])
@pytest.mark.parametrize("unit", ["bytes", "objects"])
@pytest.mark.parametrize("path", PATHS)
def test_exactly_what_fits_gets_in(lines: list[Wire], path: str, unit: str, holder: str) -> None:
    write, size = PATHS[path]
    bucket = f"quota-{path}-{unit}-{holder}"
    lines[0].ask("PUT", bucket)
    lines[0].ask("PUT", "quota-source")
    lines[0].ask("PUT", "quota-source", str(size), body=pattern(size))
    if path == "form":
        allow_all(lines[0], bucket)
    limits = {unit: FIT * size if unit == "bytes" else FIT}
    ask_quota(lines[0], bucket, **limits if holder == "bucket" else {"prefixes": {"p/": limits}})

    def work(number: int, wire: Wire) -> list[Answer]:
        return [write(wire, bucket, f"p/{number}-{turn}", size) for turn in range(TRIES)]

    answers = [answer for each in together(lines, work) for answer in each]
    good = [answer for answer in answers if answer.status in (200, 204)]
    assert {answer.outcome for answer in answers if answer not in good} == {EXCEEDED}
    assert len(good) == FIT
    assert usage(lines[1], bucket) == (FIT, FIT * size)


class Visitor(Wire):
    """A connection with a user's keys."""

    def __init__(self, server: LiveServer, name: str, secret: str) -> None:
        super().__init__(server)
        keys = {"access_key": name, "secret_key": secret, "endpoint": server.endpoint}
        self.server = SimpleNamespace(**keys)  # type: ignore[assignment]


@pytest.mark.parametrize("path", sorted(PATHS.keys() - {"form"}))
def test_a_user_gets_exactly_what_fits_over_two_buckets(
    lines: list[Wire], live_server: LiveServer, path: str
) -> None:
    write, size = PATHS[path]
    name, secret, root = f"user-{path}", "a-secret-of-a-user", lines[0]
    keys = StaticProvider(live_server.access_key, live_server.secret_key)
    host = live_server.endpoint.removeprefix("http://")
    admin = MinioAdmin(endpoint=host, credentials=keys, secure=False)
    admin.user_add(name, secret)
    admin.attach_policy(["readwrite"], user=name)
    visitors = [Visitor(live_server, name, secret) for _ in range(WRITERS)]
    root.ask("PUT", f"roots-{path}")
    assert visitors[0].ask("PUT", f"users-{path}").status == 200
    root.ask("PUT", "quota-source")
    root.ask("PUT", "quota-source", str(size), body=pattern(size))
    document = json.dumps({"users": {name: {"bytes": FIT * size}}}).encode()
    assert root.ask("PUT", query="neve-quota=", body=document).status == 204

    def work(number: int, wire: Wire) -> list[Answer]:
        bucket = f"{('roots', 'users')[number % 2]}-{path}"
        return [write(wire, bucket, f"{number}-{turn}", size) for turn in range(TRIES)]

    answers = [answer for each in together(visitors, work) for answer in each]
    assert [a.outcome for a in answers if a.status != 200] == [EXCEEDED] * (24 - FIT)
    assert b"User quota exceeded: " in next(a.body for a in answers if a.status != 200)
    found = json.loads(root.ask("GET", query="neve-usage=").body)["owners"]
    (used,) = [each for each in found.values() if each.get("name") == name]
    assert (used["objects"], used["bytes"], used["percent"]) == (FIT, FIT * size, 100)
    for visitor in visitors:
        visitor.close()


def test_versions_of_one_key_count_each(lines: list[Wire]) -> None:
    bucket, size = "quota-versions", 2000
    lines[0].ask("PUT", bucket)
    state = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert lines[0].ask("PUT", bucket, query="versioning=", body=state).status == 200
    ask_quota(lines[0], bucket, bytes=FIT * size)
    answers = together(lines, lambda number, wire: put(wire, bucket, "one", size))
    assert sorted(answer.status for answer in answers) == [200] * FIT + [400] * (WRITERS - FIT)
    assert usage(lines[1], bucket) == (FIT, FIT * size)
    assert lines[0].ask("DELETE", bucket, "one").status == 204
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


def test_a_user_is_held_by_two_processes_together(tmp_path: Path) -> None:
    """Two engines on one folder, as two workers have; versions, several buckets, every way."""
    prepare(str(tmp_path))
    shared = LocalShared()
    stores = [Store(open_engine(str(tmp_path), shared), shared) for _ in range(2)]
    for store in stores:
        store.engine.part_bytes_min = 1
    size, fit = 2000, 21

    async def write(number: int, turn: int) -> None:
        store, name = stores[number % 2], ("hers", "mine")[(number + turn) // 2 % 2]
        engine, key = store.engine, f"k{turn % 3}-{number}"
        bucket, owner = engine.bucket(name), "" if name == "hers" else "her"
        if turn % 3 == 0:
            upload = await engine.create_upload(bucket, key, "her", b"", None)
            part = await store.put_part(bucket, key, upload, 1, pattern(size))
            await engine.complete_upload(bucket, key, upload, [part])
        elif turn % 3 == 1:
            source = engine.head(engine.bucket("source"), ("small", "large")[number // 2 % 2])
            about = {"meta": b"", "checksum": None, "owner": owner}
            await engine.copy_object(source, bucket, key, **about)
        else:
            writer = SmallWriter(pattern(size))
            about = {"etag": md5(pattern(size)), "meta": b"", "checksum": None, "owner": owner}
            await engine.put_object(bucket, key, writer, **about)

    async def work(number: int) -> list[str]:
        outcomes = []
        for turn in range(9):
            try:
                await write(number, turn)
                outcomes.append("in")
            except QuotaExceeded as error:
                outcomes.append(error.fields["Quota"])
        return outcomes

    async def whole() -> None:
        first, second = (store.engine for store in stores)
        for store in stores:
            store.engine.start()
        for name, owner in (("hers", "her"), ("mine", "me"), ("source", "me")):
            await first.create_bucket(name, owner, "r")
        await first.set_bucket_option("hers", "versioning", "Enabled")
        source = first.bucket("source")
        await stores[0].put(source, "small", pattern(size))
        await stores[0].put_multipart(source, "large", [pattern(size - 1), b"1"])
        limits = UserQuota(bytes=fit * size, objects=fit + 5)
        await second.quotas.set_store({"her": limits}, default=UNSET)
        outcomes = [o for each in await asyncio.gather(*map(work, range(WRITERS))) for o in each]
        assert set(outcomes) == {"in", "user"}
        used = first.quotas.user("her").used
        assert used == second.quotas.user("her").used
        # Overwrites in the bucket without versions add nothing: only what is there counts.
        assert used == (fit, fit * size)
        reader = first.catalog.reader()
        assert [w for tree in reader.trees() for w in check_counters(reader, tree)] == []
        for store in stores:
            await store.engine.close()

    asyncio.run(whole())
