"""Two sources that would be one file or object: the first arrives, the second is told and stays."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neve.cli.transfer.landing import Landing, Names
from neve.cli.transfer.received import Received
from neve.client.errors import ClientError
from neve.testing.cli import CommandLine
from neve.testing.server import wait_until

KEYS = 40


def keys(client: Any, bucket: str) -> set[str]:
    return {row["Key"] for row in client.list_objects_v2(Bucket=bucket).get("Contents", [])}


@pytest.fixture
def runs(client: Any, bucket: str) -> str:
    """`x/run` and `y/run`, with the same names and other bytes."""
    for side in "xy":
        for number in range(KEYS):
            client.put_object(Bucket=bucket, Key=f"{side}/run/{number:02}", Body=side.encode())
    return bucket


@pytest.mark.parametrize("workers", ["0", "1", "16"])
def test_two_folders_moved_to_one_lose_nothing(
    neve: CommandLine, runs: str, client: Any, workers: str
) -> None:
    words = (f"live/{runs}/x/run", f"live/{runs}/y/run", "out/")
    done = neve.run("mv", "-r", "--max-workers", workers, *words, status=1)
    for number in range(KEYS):
        assert (neve.folder / f"out/run/{number:02}").read_text() == "x"
    assert keys(client, runs) == {f"y/run/{number:02}" for number in range(KEYS)}
    sentence = f"live/{runs}/y/run/00 and live/{runs}/x/run/00 cannot both be out/run/00"
    assert sentence in done.stderr


def test_two_folders_moved_up_to_one_lose_nothing(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    for side in "xy":
        (neve.folder / side / "run").mkdir(parents=True)
        (neve.folder / side / "run" / "f").write_text(side)
    neve.run("mv", "-r", "x/run", "y/run", f"live/{bucket}/up/", status=1)
    assert client.get_object(Bucket=bucket, Key="up/run/f")["Body"].read() == b"x"
    assert (neve.folder / "y/run/f").read_text() == "y"


@pytest.mark.parametrize("verb", ["mv", "cp"])
def test_a_key_and_the_same_with_a_slash(
    neve: CommandLine, bucket: str, client: Any, verb: str
) -> None:
    for key in ("p/a", "p/a!", "p/a/", "p/b"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    done = neve.run(verb, "-r", f"live/{bucket}/p/", "out/", status=1)
    assert "cannot both be" in done.stderr
    there = {path.name: path.read_text() for path in (neve.folder / "out").iterdir()}
    assert there == {"a": "p/a", "a!": "p/a!", "b": "p/b"}
    assert "p/a/" in keys(client, bucket)


def test_names_of_one_source_remember_little() -> None:
    names = Names()
    for number in range(10_000):
        names.check_file(f"/nowhere/{number:05}", f"s/{number:05}")
    assert len(names._above) < 10 and not names._seen
    names.check_file("/nowhere/x", "s/x")
    names.check_file("/nowhere/x", "s/x")  # the same again, as a watcher brings it
    with pytest.raises(ClientError, match="cannot both be"):
        names.check_file("/nowhere/x", "s/x/")


def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Landing(str(tmp_path / "k")) as landing:
        landing.write(b"x", 0)
        landing.commit()
    assert (tmp_path / "k").read_bytes() == b"x"


def test_a_failing_lock_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(OSError, match="Input/output"):
            Landing(str(tmp_path / "k"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_cannot_be_taken_away_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Landing(str(tmp_path / "k"))
    file = landing.file

    def refuse(_path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "unlink", refuse)
    landing.abort()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


@pytest.mark.parametrize("made", [os.link, lambda _victim, hidden: os.mkfifo(hidden)])
def test_other_files_under_the_hidden_name_are_refused(tmp_path: Path, made: Any) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    made(victim, tmp_path / ".k.neve-part")
    with pytest.raises(ClientError, match="remove it"):
        Landing(str(tmp_path / "k"))
    assert victim.read_bytes() == b"precious"


def test_interrupted_runs_tell_all_that_arrived(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    for number in range(600):
        client.put_object(Bucket=bucket, Key=f"k{number:03}", Body=b"x" * 100)
    words = [sys.executable, "-m", "neve", "cp", "--json", "-r", "--limit-download", "20KiB"]
    process = subprocess.Popen(
        [*words, f"live/{bucket}/", "out/"], cwd=neve.folder, env=neve.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out = neve.folder / "out"
    wait_until(lambda: out.is_dir() and len(list(out.glob("k*"))) >= 100)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    rows = [json.loads(line) for line in told.splitlines()]
    arrived = {os.path.basename(row["target"]) for row in rows if row["status"] == "success"}
    assert arrived == {path.name for path in out.glob("k*")}


def test_a_closed_output_is_no_obstacle(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    words = f"{sys.executable} -m neve cp live/{bucket}/k k >&-"
    assert subprocess.run(words, shell=True, cwd=neve.folder, env=neve.environment).returncode == 0
    assert (neve.folder / "k").read_bytes() == b"x"


@pytest.mark.parametrize("line", [b"[1e999,1,1]\n", b"[" * 1000 + b"\n", b'["a",1,1]\n', b"{}\n"])
def test_crafted_lines_of_a_part_file_count_as_nothing(tmp_path: Path, line: bytes) -> None:
    part = tmp_path / ".k.neve-part"
    head = json.dumps([1, "state", "crc32c"]).encode() + b"\n"
    for what in (line, head + line):
        part.write_bytes(b"x" * 100 + what)
        file = os.open(part, os.O_RDWR)
        try:
            assert Received(file, 100, "state", "crc32c").pieces == []
        finally:
            os.close(file)
