"""A real server in a process of its own, for tests and for the demonstration.

It is `python -m neve serve` on a free loopback port: started, awaited, stopped, killed and started
again on the same folder as an operator would, by pid and signal.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ACCESS_KEY = "neve-test-root"
SECRET_KEY = "neve-test-secret"
READY_WITHIN_S = 60.0
END_WITHIN_S = 60.0
_STEP_S = 0.02
SOURCE = Path(__file__).resolve().parents[2]
"""The folder of the package, as the server is to find it."""
_ADDRESS = re.compile(r"^  (S3|Panel) +(https?)://(\S+)$", re.MULTILINE)


class LiveServer:
    """A server on `folder`. Use it as a context manager, or call `start` and `stop`."""

    def __init__(
        self,
        folder: str | Path,
        *arguments: str,
        workers: int = 2,
        environment: dict[str, str] | None = None,
        keys: tuple[str, str] | None = (ACCESS_KEY, SECRET_KEY),
    ) -> None:
        """`keys` None lets the server make its own; they are read from the folder then."""
        self.folder = Path(folder)
        self.log = self.folder.with_name(self.folder.name + ".log")
        self.arguments = ["--workers", str(workers), *arguments]
        self.address = self.panel_address = "127.0.0.1:0"
        self.endpoint = self.panel = ""
        self.access_key, self.secret_key = keys or ("", "")
        self.process: subprocess.Popen[bytes] | None = None
        self._keys = keys
        self._environment = environment or {}
        self._log_start = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The supervisor's pid."""
        assert self.process is not None, "the server does not run"
        return self.process.pid

    @property
    def tls(self) -> bool:
        """Whether the endpoint is HTTPS."""
        return self.endpoint.startswith("https")

    def start(self) -> Self:
        """Start on the same folder and, from the second time on, the same port; wait till ready."""
        self.spawn()
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise
        return self

    def spawn(self) -> None:
        """Start without waiting."""
        assert self.process is None, "the server runs already"
        command = [sys.executable, "-m", "neve", "serve", str(self.folder)]
        command += ["--address", self.address, "--panel-address", self.panel_address]
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._variables(),
                start_new_session=True,
            )

    def output(self) -> str:
        """What the server has written since it was started last."""
        with open(self.log, "rb") as stream:
            stream.seek(self._log_start)
            return stream.read().decode("utf-8", "replace")

    def stop(self, timeout_s: float = END_WITHIN_S) -> int:
        """Ask it to end (SIGTERM); its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float | None = END_WITHIN_S) -> int:
        """Wait until it has ended; its exit status."""
        assert self.process is not None, "the server does not run"
        status = self.process.wait(timeout_s)
        self.process = None
        return status

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill every process of it (SIGKILL), as a crash of the machine would, and wait."""
        pids = [self.pid, *self.children()]
        for pid in pids:
            _kill(pid)
        self.wait()
        self._await(lambda: not any(_runs(pid) for pid in pids), "the processes to be gone")

    def restart(self) -> Self:
        """Stop in order and start again."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """End it whatever its state."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
                return
        self.process = None

    def children(self) -> list[int]:
        """Pids of the workers and the steward."""
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as stream:
                return [int(pid) for pid in stream.read().split()]
        except FileNotFoundError:
            return []

    def client(self, **options: Any) -> Any:
        """Return a boto3 S3 client with root's keys; `options` go to `boto3.client`."""
        import boto3
        from botocore.config import Config

        # Without a version boto3 presigns with Signature Version 2.
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        if "config" in options:
            config = config.merge(options.pop("config"))
        arguments = {
            "endpoint_url": self.endpoint,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": "us-east-1",
            "config": config,
        }
        return boto3.session.Session().client("s3", **(arguments | options))

    def _variables(self) -> dict[str, str]:
        """The environment of the server: ours, without settings that were not meant for it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NEVE_", "MINIO_", "AWS_"))
        }
        path = kept.get("PYTHONPATH", "")
        kept["PYTHONPATH"] = f"{SOURCE}{os.pathsep}{path}" if path else str(SOURCE)
        if self._keys is not None:
            kept["NEVE_ROOT_USER"], kept["NEVE_ROOT_PASSWORD"] = self._keys
        return kept | self._environment

    def _await_ready(self) -> None:
        self._await(lambda: len(_ADDRESS.findall(self.output())) == 2, "the server to be ready")
        for name, scheme, address in _ADDRESS.findall(self.output()):
            if name == "S3":
                self.address, self.endpoint = address, f"{scheme}://{address}"
            else:
                self.panel_address, self.panel = address, f"{scheme}://{address}"
        if self._keys is None:
            from neve.folder import root_keys

            self.access_key, self.secret_key, _ = root_keys(str(self.folder))
        if not self.tls:
            self._await(self.is_ready, "the server to answer")

    def await_panel(self) -> None:
        """Wait until the panel answers, which another process serves than S3."""
        url = f"{self.panel}/login"
        self._await(lambda: self._answers(url), "the panel to answer")

    def is_ready(self) -> bool:
        """Whether a worker answers that it is ready."""
        return self._answers(f"{self.endpoint}/minio/health/ready")

    def _answers(self, url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _await(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not done():
            if self.process is not None and self.process.poll() is not None:
                status = self.process.returncode
                raise RuntimeError(f"the server ended with {status}:\n{self.output()[-4000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}:\n{self.output()[-4000:]}")
            time.sleep(_STEP_S)


def wait_until(done: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return as soon as `done()` holds; fail the test if it does not in time."""
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, f"it did not come true within {within_s} s"
        time.sleep(_STEP_S)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False
