"""Start a Neve on a temporary folder, for a measurement that needs nothing else."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.errors import MeasurementFailed
from bench.measure import Target

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 60.0
POLL_S = 0.05
LOG_CHARACTERS_MAX = 4000


@contextmanager
def running(options: list[str], parent: Path | None = None) -> Iterator[Target]:
    """Run `neve serve` until the block ends; the folder disappears with it."""
    with tempfile.TemporaryDirectory(prefix="neve-bench-", dir=parent) as folder:
        keys = ("bench", secrets.token_hex(20))
        port, panel_port = _free_ports(2)
        command = [
            *(sys.executable, "-m", "neve", "serve", f"{folder}/data"),
            *("--address", f"127.0.0.1:{port}"),
            *("--panel-address", f"127.0.0.1:{panel_port}"),
            *options,
        ]
        environment = dict(os.environ, NEVE_ROOT_USER=keys[0], NEVE_ROOT_PASSWORD=keys[1])
        with open(f"{folder}/log", "w+", encoding="utf-8") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                _wait_until_ready(server, f"http://127.0.0.1:{port}")
                yield Target(f"http://127.0.0.1:{port}", *keys, pid=server.pid)
            except MeasurementFailed as error:
                raise MeasurementFailed(f"{error}\nThe server said:\n{_end_of(log)}") from error
            finally:
                _stop(server)


def _wait_until_ready(server: subprocess.Popen[bytes], endpoint: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{endpoint}/minio/health/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    raise MeasurementFailed("neve serve is not ready")


def _end_of(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-LOG_CHARACTERS_MAX:]


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports
