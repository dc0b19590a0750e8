"""s5cmd, the parallel copier."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

S5CMD = shutil.which("s5cmd", path=str(Path(sys.executable).parent)) or shutil.which("s5cmd")


@pytest.fixture
def s5cmd(live_server: LiveServer, environment: dict[str, str]):
    assert S5CMD, "s5cmd is not installed"

    def run(*arguments: object) -> str:
        command = [S5CMD, "--endpoint-url", live_server.endpoint, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_copy_many_list_and_remove(s5cmd, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "c").mkdir(parents=True)
    for number in range(50):
        (source / "c" / str(number)).write_bytes(bytes([number]) * 500)
    (source / "large").write_bytes(bytes(range(256)) * 50_000)
    s5cmd("cp", "--part-size", "5", f"{source}/", f"s3://{bucket}/data/")
    rows = [json.loads(line) for line in s5cmd("--json", "ls", f"s3://{bucket}/*").splitlines()]
    assert len(rows) == 51
    target = tmp_path / "target"
    s5cmd("cp", "--part-size", "5", f"s3://{bucket}/data/*", f"{target}/")
    assert (target / "large").read_bytes() == (source / "large").read_bytes()
    for number in range(50):
        assert (target / "c" / str(number)).read_bytes() == bytes([number]) * 500
    s5cmd("mv", f"s3://{bucket}/data/large", f"s3://{bucket}/moved")
    s5cmd("rm", f"s3://{bucket}/data/*")
    left = [json.loads(line) for line in s5cmd("--json", "ls", f"s3://{bucket}/*").splitlines()]
    assert [row["key"] for row in left] == [f"s3://{bucket}/moved"]
    s5cmd("cp", f"s3://{bucket}/moved", tmp_path / "moved")
    assert (tmp_path / "moved").read_bytes() == (source / "large").read_bytes()
