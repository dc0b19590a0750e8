"""The main verbs against an S3 implementation that is not ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neve.testing.cli import CommandLine
from neve.testing.moto import MotoServer


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture
def neve(tmp_path: Path, moto: MotoServer) -> CommandLine:
    line = CommandLine(tmp_path)
    line.alias("other", moto.endpoint, moto.access_key, moto.secret_key)
    return line


@pytest.fixture
def client(moto: MotoServer) -> Any:
    return moto.client()


def test_alias_set_checks_the_server(neve: CommandLine, moto: MotoServer) -> None:
    (row,) = neve.json("alias", "set", "m", moto.endpoint, moto.access_key, moto.secret_key)
    assert row["checked"]
    assert row["server"] not in ("", "Neve")


def test_buckets_and_listings(neve: CommandLine, client: Any) -> None:
    neve.run("mb", "other/lists")
    for key in ("a", "b/c d+e", "b/ü", "b/x/y"):
        client.put_object(Bucket="lists", Key=key, Body=b"12345")
    assert [row["key"] for row in neve.json("ls", "other/lists")] == ["a", "b/"]
    rows = neve.json("ls", "-r", "other/lists/b/")
    assert [(row["key"], row["size"]) for row in rows] == [("c d+e", 5), ("x/y", 5), ("ü", 5)]
    assert [row["objects"] for row in neve.json("du", "-d", "1", "other/lists")] == [3, 4]
    found = neve.json("find", "other/lists", "--name", "?")
    assert [row["key"] for row in found] == ["a", "b/x/y", "b/ü"]
    assert "└─ b/\n" in neve.run("tree", "other/lists").stdout
    assert "--force" in neve.run("rb", "other/lists", status=1).stderr
    neve.run("rb", "--force", "other/lists")
    assert "there is no bucket 'lists'" in neve.run("ls", "other/lists", status=1).stderr


def test_versions(neve: CommandLine, client: Any) -> None:
    neve.run("mb", "--with-versioning", "other/versions")
    first = client.put_object(Bucket="versions", Key="a", Body=b"1")["VersionId"]
    client.put_object(Bucket="versions", Key="a", Body=b"22")
    client.delete_object(Bucket="versions", Key="a")
    rows = neve.json("ls", "--versions", "other/versions/a")
    assert [(row["isDeleteMarker"], row["isLatest"], row["size"]) for row in rows] == [
        (True, True, 0), (False, False, 2), (False, False, 1),
    ]  # fmt: skip
    assert neve.run("cat", "--version-id", first, "other/versions/a").stdout == "1"
    neve.run("rb", "--force", "other/versions")


def test_reading(neve: CommandLine, client: Any) -> None:
    neve.run("mb", "other/reading")
    body = b"".join(b"line %d\n" % number for number in range(1000))
    client.put_object(
        Bucket="reading", Key="log", Body=body, Metadata={"who": "me"}, ContentType="text/plain"
    )
    assert neve.run("cat", "other/reading/log").stdout.encode() == body
    assert neve.run("head", "-n", "2", "other/reading/log").stdout == "line 0\nline 1\n"
    assert neve.run("cat", "--tail", "9", "other/reading/log").stdout == "line 999\n"
    (row,) = neve.json("stat", "other/reading/log")
    assert (row["size"], row["contentType"], row["metadata"]) == (
        len(body), "text/plain", {"who": "me"},
    )  # fmt: skip
    assert neve.json("stat", "other/reading")[0]["bucket"] == "reading"
    (neve.folder / "d").mkdir()
    (neve.folder / "d" / "log").write_bytes(body)
    assert neve.json("diff", "--checksum", "d", "other/reading") == []
    (neve.folder / "d" / "log").write_bytes(body[::-1])
    (row,) = neve.json("diff", "--checksum", "d", "other/reading", status=1)
    assert row["reason"] == "content"


def test_refusals(neve: CommandLine) -> None:
    neve.run("mb", "other/refusals")
    assert "no object other/refusals/x" in neve.run("cat", "other/refusals/x", status=1).stderr
    done = neve.run("version", "other", status=1)
    assert done.stdout.startswith("neve ")
    assert done.stderr.count("\n") == 1
