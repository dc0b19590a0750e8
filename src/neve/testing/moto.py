"""Moto's server, an S3 implementation that is not ours, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

READY_WITHIN_S = 60.0
_RUNNING = re.compile(r"Running on (http://\S+)")


class MotoServer:
    """A server on a free port, its buckets in memory. Use it as a context manager."""

    access_key = "moto-access-key"
    secret_key = "moto-secret-key"

    def __init__(self, log: Path) -> None:
        self.log = log
        self.endpoint = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        code = "import sys; from moto.server import main; main(sys.argv[1:])"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", "0"],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.endpoint:
            found = _RUNNING.search(self.log.read_text())
            if found:
                self.endpoint = found[1]
            elif self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"moto's server does not run:\n{self.log.read_text()[-2000:]}")
            else:
                time.sleep(0.02)
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def client(self) -> Any:
        """Return a boto3 S3 client."""
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )
