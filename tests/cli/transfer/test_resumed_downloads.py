"""Large downloads that are killed, interrupted or broken off, and go on where they stopped."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.scripted_server import Scripted, ScriptedServer

from neve.cli.transfer.body import crc32c
from neve.cli.transfer.received import Piece, Received
from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer, wait_until

RANGE = 16 << 20
BIG = 5 * RANGE + 12_345
_RANGE = re.compile(r"^> range: bytes=(\d+)-(\d+)$", re.MULTILINE)


def fetched(stderr: str) -> int:
    """How many bytes a run with --debug has asked for."""
    return sum(int(stop) - int(start) + 1 for start, stop in _RANGE.findall(stderr))


def noted(part: Path, size: int = BIG) -> list[list[int]]:
    """The pieces that a part file says it has."""
    if not part.exists():
        return []
    with part.open("rb") as stream:
        stream.seek(size)
        lines = [json.loads(line) for line in stream.read().splitlines(keepends=True)
                 if line.endswith(b"\n")]  # fmt: skip
    return lines[1:]


def start(neve: CommandLine, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--max-workers", "1", *arguments],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def interrupted(neve: CommandLine, source: str, pieces: int, number: int) -> tuple[str, int]:
    """Begin a download into `big`, and end it with a signal when some pieces have come.

    Return what it said, and how many bytes are noted.
    """
    process = start(neve, "--limit-download", "24MiB", source, "big")
    part = neve.folder / ".big.neve-part"
    wait_until(lambda: len(noted(part)) >= pieces)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert not (neve.folder / "big").exists()
    return stderr.decode(), sum(row[1] - row[0] for row in noted(part))


@pytest.fixture
def data(client: Any, bucket: str) -> bytes:
    found = os.urandom(BIG)
    client.put_object(Bucket=bucket, Key="big", Body=found)
    return found


def test_after_kill_9(neve: CommandLine, bucket: str, data: bytes) -> None:
    _, there = interrupted(neve, f"live/{bucket}/big", 2, signal.SIGKILL)
    assert there >= 2 * RANGE
    done = neve.run("cp", "--debug", f"live/{bucket}/big", "big")
    assert fetched(done.stderr) == BIG - there
    assert (neve.folder / "big").read_bytes() == data
    assert [path.name for path in neve.folder.iterdir() if path.name != "home"] == ["big"]


def test_after_control_c(neve: CommandLine, bucket: str, data: bytes) -> None:
    said, there = interrupted(neve, f"live/{bucket}/big", 1, signal.SIGINT)
    assert "The same command goes on; large objects go on where they stopped" in said
    assert "(what came of 1 is in hidden files, .NAME.neve-part)." in said
    done = neve.run("get", "--debug", f"live/{bucket}/big", "big")
    assert fetched(done.stderr) == BIG - there
    assert (neve.folder / "big").read_bytes() == data


def test_killed_again_and_again(neve: CommandLine, bucket: str, data: bytes) -> None:
    before = 0
    for pieces in (1, 2, 3):
        _, there = interrupted(neve, f"live/{bucket}/big", pieces, signal.SIGKILL)
        assert there >= max(before, pieces * RANGE)
        before = there
    done = neve.run("mirror", "--debug", f"live/{bucket}", ".", "--exclude", "home")
    assert fetched(done.stderr) == BIG - before
    assert (neve.folder / "big").read_bytes() == data


def test_damage_in_the_part_file_is_fetched_again(
    neve: CommandLine, bucket: str, data: bytes
) -> None:
    _, there = interrupted(neve, f"live/{bucket}/big", 2, signal.SIGKILL)
    with (neve.folder / ".big.neve-part").open("r+b") as stream:
        stream.seek(RANGE - 1)
        stream.write(bytes([data[RANGE - 1] ^ 1]))
    done = neve.run("cp", "--debug", f"live/{bucket}/big", "big")
    assert fetched(done.stderr) == BIG - there + RANGE
    assert (neve.folder / "big").read_bytes() == data


@pytest.mark.parametrize("size", [BIG, BIG - RANGE, BIG + 5])
def test_another_object_begins_anew(
    neve: CommandLine, bucket: str, client: Any, data: bytes, size: int
) -> None:
    interrupted(neve, f"live/{bucket}/big", 1, signal.SIGKILL)
    other = os.urandom(size)
    client.put_object(Bucket=bucket, Key="big", Body=other)
    done = neve.run("cp", "--debug", f"live/{bucket}/big", "big")
    assert fetched(done.stderr) == size
    assert (neve.folder / "big").read_bytes() == other


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data") as server:
        yield server


def test_a_server_that_is_killed(neve: CommandLine, own: LiveServer) -> None:
    neve.alias("own", own.endpoint, own.access_key, own.secret_key)
    data = os.urandom(BIG)
    own.client().create_bucket(Bucket="b-one")
    own.client().put_object(Bucket="b-one", Key="big", Body=data)
    process = start(neve, "--limit-download", "24MiB", "own/b-one/big", "big")
    part = neve.folder / ".big.neve-part"
    wait_until(lambda: len(noted(part)) >= 2)
    own.kill()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"The same command goes on with own/b-one/big.\n" in stderr
    there = sum(row[1] - row[0] for row in noted(part))
    own.start()
    done = neve.run("cp", "--debug", "own/b-one/big", "big")
    assert fetched(done.stderr) == BIG - there
    assert (neve.folder / "big").read_bytes() == data


def test_a_server_that_breaks_off(tmp_path: Path) -> None:
    """One that gives no checksum of the whole: its ETag is that of an upload in parts."""
    data = os.urandom(RANGE + (4 << 20))
    name = {"ETag": '"a-2"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
    head = Scripted(body=data, headers=name)
    first = Scripted(206, data[:RANGE], name)
    broken = Scripted(206, data[RANGE:], name, cut=5 << 19)
    rest = Scripted(206, data[RANGE + (2 << 20) :], name)
    with ScriptedServer(head, head, first, *[broken] * 5, head, head, rest) as server:
        neve = CommandLine(tmp_path)
        neve.alias("s", server.url, "key", "secret")
        done = neve.run("cp", "--max-workers", "1", "s/b/k", "k", status=1)
        assert "goes on with s/b/k." in done.stderr
        neve.run("cp", "--max-workers", "1", "s/b/k", "k")
        ranges = [asked.headers.get("range") for asked in server.asked]
        assert ranges[-1] == f"bytes={RANGE + (2 << 20)}-{len(data) - 1}"
        assert all(asked.headers.get("if-match") == '"a-2"' for asked in server.asked[-1:])
    assert (tmp_path / "k").read_bytes() == data


def test_what_was_left_is_never_taken_for_data(
    neve: CommandLine, bucket: str, client: Any, data: bytes
) -> None:
    interrupted(neve, f"live/{bucket}/big", 1, signal.SIGKILL)
    done = neve.run("cp", ".big.neve-part", f"live/{bucket}/x", status=1)
    assert "is what an interrupted download has left, not a whole file." in done.stderr
    neve.run("cp", "-r", "--exclude", "home/**", "./", f"live/{bucket}/all/")
    neve.run("mirror", "--exclude", "home", ".", f"live/{bucket}/all")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    missing = neve.json("diff", ".", f"live/{bucket}", status=1)
    assert [row["key"] for row in missing if not row["key"].startswith("home/")] == ["big"]
    # A key of this form would be written over by the download of its neighbour.
    client.put_object(Bucket=bucket, Key=".big.neve-part", Body=b"x")
    done = neve.run("cp", "-r", f"live/{bucket}/", "out", status=1)
    assert "a name of this form is for files that are not whole yet." in done.stderr
    assert (neve.folder / "out" / "big").read_bytes() == data
    assert len(list((neve.folder / "out").iterdir())) == 1


@given(st.data())
def test_torn_lines_are_what_was_not_received(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    data = random.Random(1).randbytes(1000)
    path = tmp_path_factory.mktemp("part") / "f"
    path.write_bytes(data)
    pieces = [
        Piece(start, start + 100, crc32c(data[start : start + 100]))
        for start in range(0, 1000, 100)
    ]
    file = os.open(path, os.O_RDWR)
    try:
        received = Received(file, len(data), "state", "crc32c")
        for piece in reversed(pieces):
            received.note(piece)
        whole = os.fstat(file).st_size
        os.truncate(path, draw.draw(st.integers(len(data), whole)))
        found = Received(file, len(data), "state", "crc32c")
        assert found.pieces == pieces[len(pieces) - len(found.pieces) :]
        assert all(found.holds(piece) for piece in found.pieces)
        missing = {at for begin, end in found.missing(30) for at in range(begin, end)}
        assert missing == set(range(1000 - 100 * len(found.pieces)))
        for piece in pieces:
            found.note(piece)
        assert Received(file, len(data), "state", "crc32c").pieces == pieces
        assert Received(file, len(data), "other", "crc32c").pieces == []
        assert os.fstat(file).st_size == len(data)
    finally:
        os.close(file)
