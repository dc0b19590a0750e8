"""`neve serve` as a program: what it refuses, in one sentence and with nothing started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from neve.testing.server import LiveServer


def serve(*arguments: object, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run `neve serve`; its status and what it said on stderr."""
    command = [sys.executable, "-m", "neve", "serve", *map(str, arguments)]
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": source, **(environment or {})},
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def refused(*arguments: object, environment: dict[str, str] | None = None) -> str:
    free = ("--address", "127.0.0.1:0", "--panel-address", "127.0.0.1:0")
    status, said = serve(*free, *arguments, environment=environment)
    assert status == 1
    assert said.startswith("neve: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


def test_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert "not empty and not a Neve store" in refused(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_missing_parent(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "a" / "b")


def test_newer_format(tmp_path: Path) -> None:
    mark = {"format": 99, "store": "00"}
    (tmp_path / "neve.json").write_text(json.dumps(mark))
    assert "newer Neve" in refused(tmp_path)


def test_newer_catalog(tmp_path: Path) -> None:
    import apsw

    with LiveServer(tmp_path / "data") as server:
        server.stop()
    connection = apsw.Connection(str(tmp_path / "data" / "catalog.db"))
    connection.pragma("user_version", 9999)
    connection.close()
    assert "newer" in refused(tmp_path / "data")


def test_taken_port_is_refused_before_the_folder_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(tmp_path / "data", "--address", f"127.0.0.1:{port}")
        assert f"Port {port} for S3 is taken" in said
        said = refused(tmp_path / "data", "--panel-address", f"127.0.0.1:{port}")
        assert f"Port {port} for the panel is taken" in said
    assert os.listdir(tmp_path) == []


def test_served_folder_and_served_port(fresh_server: LiveServer, tmp_path: Path) -> None:
    said = refused(fresh_server.folder)
    assert f"served already by process {fresh_server.pid}" in said
    assert "is taken" in refused(tmp_path / "other", "--address", fresh_server.address)
    assert fresh_server.is_ready()


def test_folder_whose_server_was_killed_is_served_again_at_once(fresh_server: LiveServer) -> None:
    fresh_server.kill()
    fresh_server.start()
    assert fresh_server.is_ready()


def test_certificate_that_is_absent_or_broken(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("x")
    (tmp_path / "key.pem").write_text("x")
    files = ("--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
    assert "cannot be used together" in refused(tmp_path / "data", *files)
    (tmp_path / "key.pem").unlink()
    assert "key.pem cannot be read: No such file" in refused(tmp_path / "data", *files)
    assert not (tmp_path / "data").exists()


def test_access_log_that_cannot_be_written(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", "--access-log", tmp_path / "missing" / "log")
    assert "cannot be written" in said


def test_half_of_the_root_keys(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", environment={"NEVE_ROOT_USER": "somebody"})
    assert "Set both NEVE_ROOT_USER and NEVE_ROOT_PASSWORD" in said


def test_wrong_flag_is_a_usage_error(tmp_path: Path) -> None:
    status, said = serve(tmp_path / "data", "--wrokers", "2")
    assert status == 2
    assert said.count("\n") == 1
    assert "--wrokers" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "not writable" in refused(tmp_path / "data")
