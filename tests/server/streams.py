"""A reader of the admin API's streams: it connects, collects, and goes away."""

import contextlib
import http.client
import json
import socket
import threading
from typing import Any, Self
from urllib.parse import urlsplit

from minio import time as minio_time
from minio.credentials import StaticProvider
from minio.signer import sign_v4_s3

from neve.testing.server import LiveServer, wait_until

_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Stream:
    """What one client of `/minio/admin/v3/<path>` has got so far."""

    def __init__(self, server: LiveServer, path: str) -> None:
        self.raw = b""
        self.over = False
        url = urlsplit(f"{server.endpoint}/minio/admin/v3/{path}")
        now = minio_time.utcnow()
        headers: Any = sign_v4_s3(
            method="GET",
            url=url,
            region="",
            headers={
                "Host": url.netloc,
                "x-amz-date": minio_time.to_amz_date(now),
                "x-amz-content-sha256": _EMPTY,
            },
            credentials=StaticProvider(server.access_key, server.secret_key).retrieve(),
            content_sha256=_EMPTY,
            date=now,
        )
        self.connection = http.client.HTTPConnection(url.netloc, timeout=60)
        self.connection.request("GET", f"{url.path}?{url.query}", headers=headers)
        self._socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> None:
        try:
            while data := self.answer.read1(65536):
                self.raw += data
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.over = True

    def documents(self) -> list[dict[str, Any]]:
        """The whole lines so far."""
        end = self.raw.rfind(b"\n") + 1
        return [json.loads(line) for line in self.raw[:end].splitlines()]

    def await_alive(self) -> Self:
        """Wait for the first sign of life: from now on nothing is missed."""
        wait_until(lambda: bool(self.raw) or self.over)
        return self

    def close(self) -> None:
        """Go away."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.answer.close()
        self.connection.close()
