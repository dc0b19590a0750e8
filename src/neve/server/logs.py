"""What the server writes down: its log on stderr and, when asked for, a line per request.

Every entry is one line, as text or as JSON. No secret enters: presigned signatures and session
tokens are blanked, and nothing logs headers or keys' secrets. The access log is buffered and
appended in whole lines, so that the workers may share a file.
"""

import json
import logging
import os
import re
import sys
import time
from typing import IO, Protocol

from neve.errors import StoreRefused
from neve.server.redact import blank_query

BUFFER_BYTES_MAX = 64 << 10

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Seen(Protocol):
    """What the access log reads of a request."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[bytes, bytes]
    client: str
    id: str
    operation: str
    principal: str
    bucket: str
    key: str
    error_code: str


class TextFormatter(logging.Formatter):
    """`2026-11-23T05:41:43.123Z INFO worker-0: message`, on one line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            lines = self.formatException(record.exc_info).splitlines()
            text += " | " + " | ".join(line.strip() for line in lines if line.strip(" ^~"))
        line = f"{_stamp(record.created)} {record.levelname} {self.process}: {text}"
        return _one_line(line)


class JsonFormatter(logging.Formatter):
    """The same as one JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up(process: str, form: str, level: str, stream: IO[str] | None = None) -> None:
    """Make this process log to stderr under its name."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(process) if form == "json" else TextFormatter(process))
    logger = logging.getLogger()
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    # asyncio tells about slow or broken connections that are no news to a server.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class AccessLog:
    """A line per request in a file that several processes append to."""

    def __init__(self, path: str, form: str) -> None:
        self._path = path
        self._format = self._json if form == "json" else self._text
        self._lines: list[bytes] = []
        self._size = 0
        self._second = 0
        self._date = ""
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, as after a rotation. Raises: StoreRefused."""
        self.flush()
        if self._path == "-":
            self._fd = 1
            return
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StoreRefused(
                f"The access log {self._path} cannot be written: {os.strerror(error.errno or 0)}."
            ) from error
        if self._fd > 2:
            os.close(self._fd)
        self._fd = fd

    def write(self, request: Seen, status: int, received: int, sent: int, seconds: float) -> None:
        """Add the line of an ended request; `status` 0 means that the client was cut."""
        line = self._format(request, status, received, sent, seconds)
        self._lines.append(line)
        self._size += len(line)
        if self._size > BUFFER_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Append what is buffered, in one write; a full disk loses lines, never requests."""
        if not self._lines:
            return
        data = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        try:
            os.write(self._fd, data)
        except OSError:
            logging.getLogger("neve.access").warning("%d bytes of access log lost", len(data))

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._fd > 2:
            os.close(self._fd)
        self._fd = -1

    def _text(self, request: Seen, status: int, received: int, sent: int, seconds: float) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now))
        headers = request.headers
        line = (
            f"{request.client or '-'} {request.principal or '-'} [{self._date}] "
            f'"{request.method} {_target(request)}" {status} {request.error_code or "-"} '
            f"{received} {sent} {seconds * 1e3:.2f} {request.operation or '-'} {request.id} "
            f'"{_quoted(headers.get(b"user-agent", b"-"))}"'
        )
        return line.encode() + b"\n"

    def _json(self, request: Seen, status: int, received: int, sent: int, seconds: float) -> bytes:
        entry = {
            "time": _stamp(time.time()),
            "client": request.client,
            "principal": request.principal,
            "request_id": request.id,
            "operation": request.operation,
            "bucket": request.bucket,
            "key": request.key,
            "method": request.method,
            "target": _target(request),
            "status": status,
            "error": request.error_code,
            "bytes_in": received,
            "bytes_out": sent,
            "ms": round(seconds * 1e3, 3),
            "user_agent": _quoted(request.headers.get(b"user-agent", b"")),
        }
        return json.dumps(entry, ensure_ascii=True).encode() + b"\n"


def _target(request: Seen) -> str:
    target = request.raw_path
    if request.raw_query:
        target += b"?" + blank_query(request.raw_query)
    return _quoted(target)


def _quoted(raw: bytes) -> str:
    """Return text that cannot end its quotes or its line."""
    text = raw.decode("ascii", "backslashreplace")
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _one_line(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _stamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
