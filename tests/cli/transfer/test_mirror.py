"""mirror and undo as processes against a live Neve."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer, wait_until

ROUNDS = int(os.environ.get("NEVE_MIRROR_ROUNDS", "3"))
"""How often a mirror is killed and begun again; a release is tested with 50."""
OBJECTS = 5000 if ROUNDS > 3 else 1500
RATE = "2MiB" if ROUNDS > 3 else "1MiB"


def contents(client: Any, bucket: str) -> dict[str, bytes]:
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for row in page.get("Contents", []):
            found[row["Key"]] = client.get_object(Bucket=bucket, Key=row["Key"])["Body"].read()
    return found


def etags(client: Any, bucket: str) -> dict[str, str]:
    """The MD5 of each object, as the server computed it from what it stored."""
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for row in page.get("Contents", []):
            found[row["Key"]] = row["ETag"].strip('"')
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    assert lines[-1]["type"] == "transferSummary"
    return lines[-1]


@pytest.fixture
def folder(neve: CommandLine) -> Path:
    found = neve.folder / "d"
    (found / "sub").mkdir(parents=True)
    # Names whose order differs between a walk and the keys' bytes.
    for name in ("a.txt", "sub/b", "sub-x", "sub0", "é", "z"):
        (found / name).write_bytes(name.encode() * 3)
    return found


def test_up_twice_sends_once(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    first = summary(neve.json("mirror", "d", f"live/{bucket}-new"))
    assert (first["objects"], first["same"]) == (6, 0)
    assert contents(client, f"{bucket}-new") == tree(folder)
    again = summary(neve.json("mirror", "d/", f"live/{bucket}-new/"))
    assert (again["objects"], again["same"], again["failures"]) == (0, 6, 0)


def test_down_and_across(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    neve.run("mirror", "d", f"live/{bucket}/p")
    for _ in range(2):
        down = summary(neve.json("mirror", f"live/{bucket}/p", "out"))
        across = summary(neve.json("mirror", f"live/{bucket}/p/", f"live/{bucket}/q/"))
    assert tree(neve.folder / "out") == tree(folder)
    assert (down["objects"], down["same"], across["objects"], across["same"]) == (0, 6, 0, 6)


def test_what_differs_needs_overwrite_and_what_is_extra_remove(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    client.put_object(Bucket=bucket, Key="a.txt", Body=b"another")
    client.put_object(Bucket=bucket, Key="extra", Body=b"x")
    client.put_object(Bucket=bucket, Key="keep.log", Body=b"x")
    done = neve.run("mirror", "d", f"live/{bucket}", status=1)
    assert "is another than d/a.txt; to replace it: --overwrite." in done.stderr
    assert contents(client, bucket)["a.txt"] == b"another"
    neve.run("mirror", "--overwrite", "--remove", "--exclude", "*.log", "d", f"live/{bucket}")
    assert contents(client, bucket) == tree(folder) | {"keep.log": b"x"}
    (folder / "sub" / "b").unlink()
    neve.run("mirror", "--remove", "--overwrite", f"live/{bucket}", "d")
    assert tree(folder) == contents(client, bucket)
    (folder / "new").write_bytes(b"1")
    lines = neve.json("mirror", "--dry-run", "--remove", f"live/{bucket}", "d")
    assert [(line["action"], line["target"]) for line in lines[:-1]] == [("remove", "d/new")]
    neve.run("mirror", "--remove", f"live/{bucket}", "d")
    assert tree(folder) == contents(client, bucket)


def test_a_file_that_changed_is_sent_again(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    neve.run("mirror", "d", f"live/{bucket}")
    (folder / "z").write_bytes(b"ZZZ")  # of the same size
    again = summary(neve.json("mirror", "--overwrite", "d", f"live/{bucket}"))
    assert again["objects"] == 1
    assert contents(client, bucket) == tree(folder)


def test_nothing_is_removed_when_the_source_cannot_be_read(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    neve.run("mirror", "d", f"live/{bucket}")
    # Root may read every folder: one that fails is pretended.
    code = (
        "import os\n"
        "scandir = os.scandir\n"
        "def failing(path):\n"
        "    if str(path).endswith('sub'):\n"
        "        raise PermissionError(13, 'Permission denied', path)\n"
        "    return scandir(path)\n"
        "os.scandir = failing\n"
        "from neve.cli.main import main\n"
        f"raise SystemExit(main(['mirror', '--remove', 'd', 'live/{bucket}']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=neve.folder, env=neve.environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "neve: d/sub: Permission denied.\n" in done.stderr
    assert "nothing is removed" in done.stderr
    assert "sub/b" in contents(client, bucket)


def test_a_whole_server(
    neve: CommandLine, client: Any, bucket: str, tmp_path: Path, folder: Path
) -> None:
    with LiveServer(tmp_path / "one") as one, LiveServer(tmp_path / "two") as two:
        neve.alias("one", one.endpoint, one.access_key, one.secret_key)
        neve.alias("two", two.endpoint, two.access_key, two.secret_key)
        for name in ("first", "second"):
            one.client().create_bucket(Bucket=name)
        one.client().put_object(
            Bucket="first", Key="k", Body=b"1", ContentType="text/x", Metadata={"a": "b"},
            Tagging="t=1",
        )  # fmt: skip
        big = os.urandom(20 << 20)
        one.client().put_object(Bucket="second", Key="p/big", Body=big)
        done = summary(neve.json("mirror", "one/", "two/"))
        assert (done["objects"], done["failures"]) == (2, 0)
        head = two.client().head_object(Bucket="first", Key="k")
        assert (head["ContentType"], head["Metadata"]) == ("text/x", {"a": "b"})
        tags = two.client().get_object_tagging(Bucket="first", Key="k")["TagSet"]
        assert tags == [{"Key": "t", "Value": "1"}]
        assert contents(two.client(), "second") == {"p/big": big}
        assert summary(neve.json("mirror", "one", "two"))["same"] == 2
        neve.run("mirror", "one", "all")
        assert tree(neve.folder / "all") == {"first/k": b"1", "second/p/big": big}


def test_versions(neve: CommandLine, tmp_path: Path) -> None:
    with LiveServer(tmp_path / "one") as one, LiveServer(tmp_path / "two") as two:
        neve.alias("one", one.endpoint, one.access_key, one.secret_key)
        neve.alias("two", two.endpoint, two.access_key, two.secret_key)
        client = one.client()
        client.create_bucket(Bucket="history")
        client.put_object(Bucket="history", Key="k", Body=b"null version")
        client.put_bucket_versioning(
            Bucket="history", VersioningConfiguration={"Status": "Enabled"}
        )

        def change(number: int) -> None:
            client.put_object(Bucket="history", Key="k", Body=b"%d" % number)
            client.put_object(Bucket="history", Key=f"k{number % 3}", Body=b"%d" % number)
            client.delete_object(Bucket="history", Key="k1")

        def history(server: LiveServer) -> list[Any]:
            """Versions and markers in the order of the listing: newest first within a key."""
            client = server.client()
            listed = client.list_object_versions(Bucket="history")
            found: list[Any] = [(row["Key"], row["IsLatest"]) for row in listed["DeleteMarkers"]]
            for row in listed["Versions"]:
                of = {"Key": row["Key"], "VersionId": row["VersionId"]}
                body = client.get_object(Bucket="history", **of)["Body"].read()
                found.append((row["Key"], row["IsLatest"], body))
            return found

        for number in range(5):
            change(number)
        assert summary(neve.json("mirror", "--versions", "one/", "two/"))["failures"] == 0
        assert history(two) == history(one)
        change(6)
        again = summary(neve.json("mirror", "--versions", "one/history", "two/history"))
        assert again["objects"] == 3
        assert history(two) == history(one)
        two.client().put_object(Bucket="history", Key="k", Body=b"of its own")
        done = neve.run("mirror", "--versions", "one/history", "two/history", status=1)
        assert "two/history/k has another history than one/history/k." in done.stderr


def test_watch(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "mirror", "--watch", "--remove", "--interval", "100ms",
         "--json", "d", f"live/{bucket}"],
        cwd=neve.folder, env=neve.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until(lambda: contents(client, bucket) == tree(folder))
        (folder / "late").write_bytes(b"1")
        (folder / "z").write_bytes(b"changed")
        (folder / "a.txt").unlink()
        wait_until(lambda: contents(client, bucket) == tree(folder))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[tuple[LiveServer, Path]]:
    """A server that writes down its requests."""
    log = tmp_path / "access.log"
    arguments = ("--access-log", str(log), "--log-format", "json")
    with LiveServer(tmp_path / "data", *arguments) as server:
        yield server, log


@pytest.mark.slow
@pytest.mark.timeout(60 + 40 * ROUNDS)
def test_a_mirror_that_is_killed_goes_on_and_sends_nothing_twice(
    neve: CommandLine, logged: tuple[LiveServer, Path]
) -> None:
    server, log = logged
    neve.alias("own", server.endpoint, server.access_key, server.secret_key)
    source = neve.folder / "many"
    for number in range(OBJECTS):
        path = source / f"{number % 37:02d}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(500 + number % 3000))
    md5s = {name: hashlib.md5(data).hexdigest() for name, data in tree(source).items()}
    generator = random.Random(os.environ.get("NEVE_MIRROR_SEED", "mirror"))
    kills = 0
    for number in range(ROUNDS):
        bucket = f"round{number}"
        server.client().create_bucket(Bucket=bucket)
        command = [sys.executable, "-m", "neve", "mirror", "-q", "many", f"own/{bucket}"]
        runs: list[tuple[float, set[str]]] = []
        for _ in range(3):
            # Listed first, since what the killed process has sent may still be under way.
            present = set(etags(server.client(), bucket))
            runs.append((time.time(), present))
            # Held back, so that it still runs at that moment on any machine.
            process = subprocess.Popen(
                [*command, "--limit-upload", RATE], cwd=neve.folder, env=neve.environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            # A random moment of it, told by what has arrived: machines differ in speed.
            enough = len(present) + int(generator.random() * 0.6 * (OBJECTS - len(present)))
            wait_until(partial(begun, process, server, bucket, enough))
            kills += process.poll() is None
            process.kill()
            process.communicate(timeout=30)
        present = set(etags(server.client(), bucket))
        runs.append((time.time(), present))
        done = summary(neve.json("mirror", "many", f"own/{bucket}"))
        assert done["failures"] == 0
        assert etags(server.client(), bucket) == md5s
        wait_until(partial(all_logged, log, bucket, set(md5s)))
        twice = [
            key
            for moment, key in puts(log, bucket)
            for _, present in [[run for run in runs if run[0] <= moment][-1]]
            if key in present
        ]
        assert twice == []
        assert summary(neve.json("mirror", "many", f"own/{bucket}"))["same"] == OBJECTS
        neve.run("rb", "--force", f"own/{bucket}")
    assert kills >= ROUNDS


def begun(process: subprocess.Popen[bytes], server: LiveServer, bucket: str, present: int) -> bool:
    return process.poll() is not None or len(etags(server.client(), bucket)) > present


def all_logged(log: Path, bucket: str, keys: set[str]) -> bool:
    return {key for _, key in puts(log, bucket)} == keys


def puts(log: Path, bucket: str) -> list[tuple[float, str]]:
    """When the server had a request to write which key, whatever came of it."""
    found = []
    for line in log.read_text().splitlines():
        row = json.loads(line)
        if row["operation"] == "PutObject" and row["bucket"] == bucket:
            moment = datetime.fromisoformat(row["time"]).timestamp()
            found.append((moment - row["ms"] / 1000, row["key"]))
    return found


def test_interrupted_by_ctrl_c_it_says_how_to_go_on(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    for number in range(300):
        client.put_object(Bucket=bucket, Key=f"{number:03d}", Body=bytes(20_000))
    target = neve.folder / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "mirror", "--limit-download", "500KiB", f"live/{bucket}",
         "out"],
        cwd=neve.folder, env=neve.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: target.is_dir() and len(list(target.iterdir())) > 20)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"The same command goes on" in stderr
    there = tree(target)
    assert all(len(data) == 20_000 for data in there.values())
    done = summary(neve.json("mirror", f"live/{bucket}", "out"))
    assert (done["same"], done["objects"]) == (len(there), 300 - len(there))
    assert len(tree(target)) == 300


def test_undo(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"0")
    done = neve.run("undo", f"live/{bucket}/k", status=1)
    assert "keeps no versions: nothing can be undone." in done.stderr
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("k", "p/a", "p/b"):
        for body in (b"1", b"2"):
            client.put_object(Bucket=bucket, Key=key, Body=body)
    client.delete_object(Bucket=bucket, Key="p/a")
    neve.run("undo", "--dry-run", f"live/{bucket}/k")
    assert contents(client, bucket) == {"k": b"2", "p/b": b"2"}
    neve.run("undo", f"live/{bucket}/k")
    assert contents(client, bucket) == {"k": b"1", "p/b": b"2"}
    neve.run("undo", "-r", "--force", "--action", "delete", f"live/{bucket}/p/")
    assert contents(client, bucket) == {"k": b"1", "p/a": b"2", "p/b": b"2"}
    neve.run("undo", "-r", f"live/{bucket}/p/", status=2)
    neve.run("undo", "-r", "--force", "--last", "2", f"live/{bucket}/p")
    assert contents(client, bucket) == {"k": b"1"}
    neve.run("undo", f"live/{bucket}/none", status=1)
