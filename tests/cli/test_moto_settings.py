"""What buckets and objects are told, against an S3 implementation that is not ours."""

import urllib.request
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


def test_versions_tags_rules(neve: CommandLine, client: Any) -> None:
    client.create_bucket(Bucket="told")
    client.put_object(Bucket="told", Key="a", Body=b"1")
    assert neve.json("version", "enable", "other/told")[0]["versioning"] == "Enabled"
    assert client.get_bucket_versioning(Bucket="told")["Status"] == "Enabled"
    neve.run("tag", "set", "other/told/a", "k=v")
    assert client.get_object_tagging(Bucket="told", Key="a")["TagSet"] == [
        {"Key": "k", "Value": "v"}
    ]
    assert neve.json("tag", "ls", "other/told/a")[0]["tags"] == {"k": "v"}
    assert neve.json("tag", "ls", "other/told")[0]["tags"] == {}
    neve.run("cors", "set", "--preset", "web-viewers", "other/told")
    rules = client.get_bucket_cors(Bucket="told")["CORSRules"]
    assert rules[0]["AllowedMethods"] == ["GET", "HEAD"]
    neve.run("cors", "rm", "other/told")
    neve.run("ilm", "rule", "add", "--id", "old", "--expire-days", "3", "other/told/tmp/")
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket="told")["Rules"]
    assert (rule["ID"], rule["Expiration"]) == ("old", {"Days": 3})
    neve.run("ilm", "rule", "rm", "--id", "old", "other/told")
    assert neve.json("ilm", "rule", "ls", "other/told")[0]["type"] == "noLifecycleRules"


def test_everybody_and_links(neve: CommandLine, client: Any) -> None:
    client.create_bucket(Bucket="open")
    client.put_object(Bucket="open", Key="p/a", Body=b"1")
    neve.run("anonymous", "set", "download", "other/open/p/")
    (row,) = neve.json("anonymous", "ls", "other/open")
    assert [(rule["prefix"], rule["permission"]) for rule in row["rules"]] == [("p/", "download")]
    neve.run("anonymous", "set", "none", "other/open/p/")
    assert neve.json("anonymous", "get", "other/open")[0]["permission"] == "none"
    (share,) = neve.json("share", "download", "other/open/p/a", "--expire", "1h")
    assert urllib.request.urlopen(share["url"]).read() == b"1"


@pytest.mark.parametrize(
    "words", ["admin user ls other", "admin info other", "quota set {} --size 1"]
)
def test_what_it_has_not_is_a_sentence(neve: CommandLine, client: Any, words: str) -> None:
    client.create_bucket(Bucket="bare")
    done = neve.run(*words.format("other/bare").split(), status=1)
    assert done.stderr.startswith("neve: ")
    assert done.stderr.count("\n") == 1
    assert "admin API" in done.stderr
