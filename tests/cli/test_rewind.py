"""--rewind, rm --non-current, find --metadata and --tags: against what boto3 says of versions."""

import time
from datetime import datetime
from typing import Any

import pytest

from neve.testing.cli import CommandLine
from neve.testing.server import wait_until


class History:
    """A bucket with versions, and the moments between its changes."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client, self.bucket = client, bucket
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.state: dict[str, bytes] = {}
        self.moments: list[tuple[str, dict[str, bytes]]] = []

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)
        self.state[key] = data

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)
        del self.state[key]

    def mark(self) -> None:
        """The moment of the last change. The next one is at a later second: S3 tells no less."""
        rows = self.client.list_object_versions(Bucket=self.bucket)
        times = [row["LastModified"] for row in rows["Versions"] + rows.get("DeleteMarkers", [])]
        last: datetime = max(times)
        self.moments.append((last.isoformat(), dict(self.state)))
        wait_until(lambda: time.time() >= last.timestamp() + 1)


@pytest.fixture
def history(client: Any, bucket: str) -> History:
    found = History(client, bucket)
    found.put("a", b"1")
    found.put("p/x", b"x1")
    found.mark()
    found.put("a", b"2")
    found.put("p/y", b"y1")
    found.put("p/q/z", b"z")
    found.mark()
    found.delete("a")
    found.delete("p/y")
    found.put("p/x", b"x2")
    found.mark()
    found.put("a", b"3")
    found.put("new", b"n")
    return found


def test_listings(neve: CommandLine, bucket: str, history: History) -> None:
    for when, state in history.moments:
        at = ["--rewind", when, f"live/{bucket}"]
        rows = neve.json("ls", "-r", *at)
        assert {row["key"]: row["size"] for row in rows} == {
            key: len(data) for key, data in state.items()
        }
        level = [row["key"] for row in neve.json("ls", *at)]
        assert level == sorted({key.partition("/")[0] + "/" * ("/" in key) for key in state})
        assert neve.json("du", *at)[-1]["objects"] == len(state)
        tree = [row["url"] for row in neve.json("tree", "--files", *at)]
        assert {url for url in tree[1:] if not url.endswith("/")} == {
            f"live/{bucket}/{key}" for key in state
        }
    when, state = history.moments[1]
    below = [row["key"] for row in neve.json("ls", "--rewind", when, f"live/{bucket}/p/")]
    assert below == ["q/", "x", "y"]
    done = neve.run("ls", "--rewind", "1h", f"live/{bucket}/a", status=1)
    assert "there is nothing at" in done.stderr


def test_contents(neve: CommandLine, bucket: str, history: History) -> None:
    for number, (when, state) in enumerate(history.moments):
        for key in ("a", "p/x"):
            target = f"live/{bucket}/{key}"
            if key in state:
                for verb in (["cat"], ["head", "-c", "9"]):
                    assert neve.run(*verb, "--rewind", when, target).stdout == state[key].decode()
                (row,) = neve.json("stat", "--rewind", when, target)
                assert row["size"] == len(state[key])
                neve.run("get", "--rewind", when, target, "one")
                assert (neve.folder / "one").read_bytes() == state[key]
            else:
                done = neve.run("cat", "--rewind", when, target, status=1)
                assert f"there was no object {target} at " in done.stderr
        neve.run("cp", "-r", "--rewind", when, f"live/{bucket}/", f"out{number}")
        folder = neve.folder / f"out{number}"
        found = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()
        }  # fmt: skip
        assert found == state
    when, state = history.moments[0]
    neve.run("cp", "-r", "--rewind", when, f"live/{bucket}/", f"live/{bucket}/back/")
    assert neve.run("cat", f"live/{bucket}/back/a").stdout == "1"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ls --rewind 1h --versions live/b", "--rewind and --versions do not go together."),
        ("cat --rewind 1h --version-id x live/b/k", "--rewind and --version-id do not go"),
        ("cp --rewind 1h local live/b/k", "--rewind is for objects: files keep no versions."),
        ("ls --rewind soon live/b", "is no date"),
        ("find --tags state live/b", "--tags 'state': write KEY=REGEX."),
        ("find --metadata a=( live/b", "is no regular expression"),
        ("rm -r --force --non-current -I live/b", "--non-current and --incomplete do not go"),
    ],
)
def test_wrong_usage(neve: CommandLine, words: str, sentence: str) -> None:
    (neve.folder / "local").write_bytes(b"1")
    assert sentence in neve.run(*words.split(), status=2).stderr


def latest(client: Any, bucket: str) -> list[tuple[str, str]]:
    rows = client.list_object_versions(Bucket=bucket)
    both = rows.get("Versions", []) + rows.get("DeleteMarkers", [])
    assert all(row["IsLatest"] for row in both if row["Key"] != "kept")
    return sorted((row["Key"], row["VersionId"]) for row in both)


def test_old_versions_go_and_what_is_current_stays(
    neve: CommandLine, bucket: str, client: Any, history: History
) -> None:
    history.put("kept", b"1")
    history.put("kept", b"2")
    before = client.list_object_versions(Bucket=bucket)
    rows = before["Versions"] + before["DeleteMarkers"]
    wanted = sorted(
        (row["Key"], row["VersionId"]) for row in rows if row["IsLatest"] or row["Key"] == "kept"
    )
    dry = neve.json("rm", "-r", "--dry-run", "--non-current", f"live/{bucket}")
    assert sum(row["type"] == "planned" for row in dry) == len(rows) - len(wanted) + 1
    neve.run("rm", "-r", "--force", "--non-current", "--exclude", "kept", f"live/{bucket}")
    assert latest(client, bucket) == wanted
    neve.run("rm", "--non-current", f"live/{bucket}/kept")
    assert [key for key, _ in latest(client, bucket)].count("kept") == 1
    assert neve.run("cat", f"live/{bucket}/kept").stdout == "2"


def test_find_by_metadata_and_tags(neve: CommandLine, bucket: str, client: Any) -> None:
    for key, author, tags in (
        ("a", "lab", "state=final"),
        ("b", "Lab", "state=draft"),
        ("c", "me", ""),
    ):
        client.put_object(
            Bucket=bucket, Key=key, Metadata={"Author": author}, Tagging=tags,
            ContentType=f"text/{key}",
        )  # fmt: skip
    client.put_object(Bucket=bucket, Key="plain")

    def names(*words: str) -> list[str]:
        return [row["key"] for row in neve.json("find", f"live/{bucket}", *words)]

    assert names("--metadata", "author=^lab$") == ["a"]
    assert names("--metadata", "X-Amz-Meta-Author=(?i)lab") == ["a", "b"]
    assert names("--metadata", "content-type=text/[bc]") == ["b", "c"]
    assert names("--tags", "state=") == ["a", "b"]
    assert names("--tags", "state=^dr", "--metadata", "author=L") == ["b"]
    assert names("--tags", "state=^dr", "--metadata", "author=me") == []
    assert neve.json("find", ".", "--tags", "state=") == []
