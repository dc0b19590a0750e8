"""Folders and selections as zip files."""

import asyncio
import http.client
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import pytest
from tests.panel.conftest import Visitor

from neve.client.errors import Unreachable
from neve.panel.downloads import OF_ONE_KEY_MAX
from neve.panel.pages.objects.archive import _archive, _Stream
from neve.testing.server import LiveServer


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    return server.client()


def fetch(visitor: Visitor, path: str, form: dict[str, Any] | None = None) -> tuple[bytes, Any]:
    """The bytes of an answer, and the answer."""
    connection = http.client.HTTPConnection(visitor.address, timeout=60)
    headers = {"host": visitor.address, "origin": visitor.server.panel}
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    body = None
    if form is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode({"csrf": visitor.csrf} | form, doseq=True)
    try:
        connection.request("GET" if form is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer.read(), answer
    finally:
        connection.close()


def content(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def filled(s3: Any) -> dict[str, bytes]:
    s3.create_bucket(Bucket="zips")
    files = {f"d/f{n:04}": b"%d" % n for n in range(1003)}
    files |= {"d/é ü/x": b"deep", "d/large": bytes(range(256)) * 12_000, "d/mark/": b"", "e": b"e"}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket="zips", Key=key, Body=files[key]), files))
    return files


def test_folder_of_more_than_a_page_is_whole(
    administrator: Visitor, filled: dict[str, bytes]
) -> None:
    data, answer = fetch(administrator, "/zip/zips?prefix=d/")
    assert answer.status == 200 and answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="d.zip"')
    expected = {key[2:]: body for key, body in filled.items() if key.startswith("d/")}
    assert content(data) == expected


def test_selection_has_what_was_selected(administrator: Visitor, filled: dict[str, bytes]) -> None:
    form = {"folder": "d/", "key": ["d/f0007", "d/large"], "prefix": ["d/é ü/"]}
    data, _ = fetch(administrator, "/zip/zips", form)
    names = ["f0007", "large", "é ü/x"]
    assert content(data) == {name: filled[f"d/{name}"] for name in names}
    _, nothing = fetch(administrator, "/zip/zips", {"folder": "d/"})
    _, elsewhere = fetch(administrator, "/zip/zips", {"folder": "d/", "key": ["e"]})
    assert nothing.status == elsewhere.status == 400


def test_hostile_names_stay_within(administrator: Visitor, s3: Any, tmp_path: Path) -> None:
    s3.create_bucket(Bucket="evil")
    keys = ["../../up", "/abs", "a", "a/b", "a//b", "a\\..\\..\\c", "n\nl", "./..", "x/../y"]
    for key in keys:
        s3.put_object(Bucket="evil", Key=key, Body=key.encode())
    data, _ = fetch(administrator, "/zip/evil")
    found = content(data)
    assert sorted(found.values()) == sorted(key.encode() for key in keys)
    assert not [name for name in found if name.startswith("/") or ".." in name.split("/")]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == len(keys)


def test_what_may_not_be_read_is_named(user: Callable[..., Visitor], s3: Any) -> None:
    s3.create_bucket(Bucket="partly")
    for key in ("a", "secret/b", "z"):
        s3.put_object(Bucket="partly", Key=key, Body=b"x")
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::partly/secret/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="partly", Policy=policy)
    found = content(fetch(user("partly", "readwrite"), "/zip/partly")[0])
    assert sorted(found) == ["_missing.txt", "a", "z"]
    assert b"secret/b: Your policies do not allow this." in found["_missing.txt"]
    assert b"1 object is not in this archive" in found["_missing.txt"]


def test_what_may_not_be_listed_is_a_page_that_says_so(visitor: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="shut")
    s3.put_object(Bucket="shut", Key="k", Body=b"x")
    _, answer = fetch(visitor, "/zip/shut")
    assert answer.status == 303 and answer.headers["location"].startswith("/login")
    _, answer = fetch(visitor, "/zip/not-there")
    assert answer.status == 404


def test_one_visitor_makes_a_few_archives_at_once(user: Callable[..., Visitor], s3: Any) -> None:
    s3.create_bucket(Bucket="heavy")
    s3.put_object(Bucket="heavy", Key="d/x", Body=bytes(48 << 20))
    visitor = user("hoarder", "readwrite")
    other = user("neighbour", "readwrite")
    held = [begun(visitor, "/zip/heavy?prefix=d/") for _ in range(OF_ONE_KEY_MAX)]
    assert [answer.status for _, answer in held] == [200] * OF_ONE_KEY_MAX
    refused, answer = fetch(visitor, "/zip/heavy?prefix=d/")
    assert answer.status == 429
    assert "several archives already" in refused.decode()
    data, answer = fetch(other, "/zip/heavy?prefix=d/")
    assert answer.status == 200 and len(content(data)["x"]) == 48 << 20
    for connection, answer in held:
        answer.close()
        connection.close()
    # The server learns that they have gone when it writes.
    deadline = time.monotonic() + 60
    while (answer := fetch(visitor, "/zip/heavy?prefix=d/")[1]).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status == 200


def begun(visitor: Visitor, path: str) -> tuple[http.client.HTTPConnection, Any]:
    """A download that is not read further than its head."""
    connection = http.client.HTTPConnection(visitor.address, timeout=60)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    connection.request("GET", path, headers={"host": visitor.address, "cookie": cookie})
    return connection, connection.getresponse()


def test_zarr_opens_the_archive_of_a_store(
    administrator: Visitor, server: LiveServer, s3: Any, tmp_path: Path
) -> None:
    numpy, zarr = pytest.importorskip("numpy"), pytest.importorskip("zarr")
    s3.create_bucket(Bucket="zarrs")
    values = numpy.arange(600.0).reshape(20, 30)
    local = zarr.storage.LocalStore(tmp_path / "store")
    group = zarr.create_group(local, attributes={"titre": "neige"})
    group.create_array("t", data=values, chunks=(7, 8))
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            key = f"run/{path.relative_to(tmp_path / 'store')}"
            s3.put_object(Bucket="zarrs", Key=key, Body=path.read_bytes())
    data, _ = fetch(administrator, f"/zip/zarrs?prefix={quote('run/')}")
    (tmp_path / "run.zip").write_bytes(data)
    with zarr.storage.ZipStore(tmp_path / "run.zip", mode="r") as store:
        opened = zarr.open_group(store, mode="r")
        assert opened.attrs["titre"] == "neige"
        assert (opened["t"][:] == values).all()


def test_object_that_breaks_off_breaks_the_download() -> None:
    class Stream:
        size, headers = 10, dict[str, str]()
        left: ClassVar[list[bytes]] = [b"abc"]

        def read(self, count: int) -> bytes:
            if not self.left:
                raise Unreachable("the answer ended 7 bytes too soon.", "BrokenOff")
            return self.left.pop()

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *error: None  # noqa: E731

    visit: Any = SimpleNamespace(s3=SimpleNamespace(get=lambda bucket, key: Stream()))
    pieces = _archive(visit, "b", "", ["k"], [])
    with pytest.raises(Unreachable):
        while True:
            assert b"PK\x05\x06" not in next(pieces), "it must not look whole"


def test_source_is_closed_when_the_browser_leaves() -> None:
    closed = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(True)

    sent = 0

    async def send(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))

    async def receive() -> Any:
        while sent < 5000:
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "headers": []}
    answer = _Stream(pieces(), {})  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(answer(scope, receive, send), 30))
    assert closed == [True]
