"""What the least server that could do a durable write costs, beside Neve: `python -m bench.floor`.

usage: python -m bench.floor [--only put-4k,delete,put-64k] [--seconds 4] [--workers 1,2]

The server here is no object store. It finds the end of a request, answers it, and leaves out all
that S3 asks for: no header is read but content-length, nothing is verified or looked up. It is made
of what Neve stands on (CPython, uvloop, apsw, one commit thread a process), so what it costs is
what no amount of work on Neve's own code can save. Stages, each with what the one before does:

  answer   find the end of the request, answer
  digests  MD5 and xxh3 of the bytes, SHA-256 of bytes and head, three HMACs: a signed body's
  durable  bytes appended to a segment; one SQLite transaction for all requests that wait (row,
           usage, segment, and the bytes once more, so that one sync covers all); fdatasync

It ends by itself, and what it started with it.
"""

import argparse
import asyncio
import hashlib
import hmac
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import apsw
import uvloop
import xxhash

from bench import neve
from bench.measure import Options, Row, Target, measure
from bench.workload import OPERATIONS

STAGES = ("answer", "digests", "durable")
LINGER_S = 0.0003
"""As long as Neve waits for the writers of the last group."""
REDO_BYTES_MAX = 96 << 10
"""Larger groups have their bytes synced where they are, as Neve's."""
_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_TABLES = """
    CREATE TABLE obj(tree INTEGER, key TEXT, seq INTEGER, size INTEGER, etag TEXT, mtime INTEGER,
        meta BLOB, blob BLOB, PRIMARY KEY(tree, key)) WITHOUT ROWID;
    CREATE TABLE usage(tree INTEGER PRIMARY KEY, objects INTEGER, bytes INTEGER);
    CREATE TABLE segment(id INTEGER PRIMARY KEY, end INTEGER, live INTEGER);
    CREATE TABLE redo(segment INTEGER, offset INTEGER, bytes BLOB, PRIMARY KEY(segment, offset));
    INSERT INTO usage VALUES(1, 0, 0);
"""


class Write(NamedTuple):
    """A request on its way to the disk; `data` None deletes."""

    transport: asyncio.WriteTransport
    key: str
    data: bytes | None
    etag: str


class Committer:
    """One thread: all writes that wait become one transaction, synced before they are answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: Path, worker: int) -> None:
        self._loop, self._worker = loop, worker
        self._pending: list[Write] = []
        self._idle = True
        self._lock = threading.Lock()
        self._signal: SimpleQueue[bool] = SimpleQueue()
        self._connection = connect(folder)
        self._connection.execute("INSERT INTO segment VALUES(?, 0, 0)", (worker,)).fetchall()
        self._log = os.open(folder / "catalog-wal", os.O_RDWR)
        self._segment = os.open(folder / f"segment{worker}", os.O_RDWR | os.O_CREAT)
        self._end = 0
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, write: Write) -> None:
        with self._lock:
            self._pending.append(write)
            kick, self._idle = self._idle, False
        if kick:
            self._loop.call_soon(self._signal.put, True)

    def _run(self) -> None:
        last = 0
        while self._signal.get():
            if last > 1 and len(self._pending) < last:
                time.sleep(LINGER_S)
            while True:
                with self._lock:
                    writes, self._pending = self._pending, []
                    self._idle = not writes
                if not writes:
                    break
                last = len(writes)
                self._commit(writes)
                self._loop.call_soon_threadsafe(answer_all, writes)

    def _commit(self, writes: list[Write]) -> None:
        execute = self._connection.cursor().execute
        raw = b"".join([b"%100d" % len(write.key) + (write.data or b"") for write in writes])
        os.pwrite(self._segment, raw, self._end)
        if len(raw) > REDO_BYTES_MAX:
            os.fdatasync(self._segment)
        execute("BEGIN IMMEDIATE")
        for write in writes:
            key = write.key
            execute("SELECT seq, size FROM obj WHERE tree = 1 AND key = ?", (key,)).fetchone()
            if write.data is None:
                execute("DELETE FROM obj WHERE tree = 1 AND key = ?", (key,))
            else:
                values = (key, 1, len(write.data), write.etag, 2, b"m" * 30, b"b" * 30)
                execute("INSERT OR REPLACE INTO obj VALUES(1, ?, ?, ?, ?, ?, ?, ?)", values)
        sums = (len(writes), len(raw))
        execute("UPDATE usage SET objects = objects + ?, bytes = bytes + ? WHERE tree = 1", sums)
        self._end += len(raw)
        where = (self._end, len(raw), self._worker)
        execute("UPDATE segment SET end = ?, live = live + ? WHERE id = ?", where)
        if len(raw) <= REDO_BYTES_MAX:
            execute("INSERT INTO redo VALUES(?, ?, ?)", (self._worker, self._end, raw))
        execute("COMMIT")
        os.fdatasync(self._log)


def answer_all(writes: list[Write]) -> None:
    for write in writes:
        write.transport.write(answer(write.data is not None, write.etag))


def answer(put: bool, etag: str) -> bytes:
    if put:
        return b'HTTP/1.1 200 OK\r\nETag: "%b"\r\nContent-Length: 0\r\n\r\n' % etag.encode()
    return b"HTTP/1.1 204 No Content\r\n\r\n"


def connect(folder: Path) -> apsw.Connection:
    connection = apsw.Connection(str(folder / "catalog"))
    connection.set_busy_handler(_again)
    for setting in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    return connection


def _again(_calls: int) -> bool:
    time.sleep(0.0001)
    return True


class Connection(asyncio.Protocol):
    """Finds the ends of requests."""

    def __init__(self, stage: str, committer: Committer | None) -> None:
        self._digests, self._committer = stage != "answer", committer
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._data = self._data + data if self._data else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _length(data, 0, end)
        size = int(found[1]) if found else 0
        if len(data) < end + 4 + size:
            return
        self._data = b""
        method, path, _ = data[:end].split(b" ", 2)
        if path.count(b"/") > 1 and method in (b"PUT", b"DELETE"):
            self._write(path.decode(), data[end + 4 :] if method == b"PUT" else None, data[:end])
        else:
            # What surrounds a measurement: buckets, and a listing without anything.
            body = b"<ListBucketResult/>" if method == b"GET" else b""
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)

    def _write(self, key: str, data: bytes | None, head: bytes) -> None:
        etag = "0" * 32
        if self._digests:
            if data is not None:
                xxhash.xxh3_64_intdigest(data)
                etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
                hashlib.sha256(data).hexdigest()
            hashlib.sha256(head).hexdigest()
            for _ in range(1 if data is None else 3):
                hmac.compare_digest(hmac.digest(b"k" * 32, head[:330], "sha256").hex(), etag)
        if self._committer is None:
            self._transport.write(answer(data is not None, etag))
        else:
            self._committer.submit(Write(self._transport, key, data, etag))


async def serve(stage: str, port: int, folder: Path, worker: int) -> None:
    loop = asyncio.get_running_loop()
    committer = Committer(loop, folder, worker) if stage == "durable" else None
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", port))
    server = await loop.create_server(partial(Connection, stage, committer), sock=listening)
    await server.serve_forever()


@contextmanager
def running(stage: str, workers: int) -> Iterator[Target]:
    """Run the server in processes of its own."""
    with tempfile.TemporaryDirectory(prefix="neve-floor-") as text, socket.socket() as held:
        folder = Path(text)
        # Held and not listened on, so that nobody else gets it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        connection = connect(folder)
        connection.execute(_TABLES).fetchall()
        connection.close()
        children = []
        for worker in range(workers):
            child = os.fork()
            if not child:
                try:
                    uvloop.install()
                    asyncio.run(serve(stage, port, folder, worker))
                finally:
                    os._exit(1)  # Never on into what the parent does.
            children.append(child)
        try:
            _wait_until_ready(port)
            target = Target(
                f"http://127.0.0.1:{port}",
                "bench",
                "secret",
                pid=children[0],
                counted=tuple(children),
            )
            yield target
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit("the server is not ready")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="put-4k,delete,put-64k", help="operations, with commas")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load per operation")
    parser.add_argument("--workers", default="1,2", help="numbers of processes, with commas")
    chosen = parser.parse_args()
    operations = [one for one in OPERATIONS if one.name in chosen.only.split(",")]
    options = Options(seconds=chosen.seconds, payload="streaming")

    def told(what: str, name: str, row: Row) -> None:
        cells = (
            row["server_cpu_us"],
            row["per_second"],
            row["p50_us"],
            sum(row["errors"].values()),
        )
        print(
            f"| {name} | {what} | " + " | ".join(f"{cell:,.0f}" for cell in cells) + " |",
            flush=True,
        )

    print(
        "| operation | server | server µs/op | op/s | p50 µs | errors |\n|---|---|---|---|---|---|"
    )
    for workers in map(int, chosen.workers.split(",")):
        for stage in STAGES:
            with running(stage, workers) as target:
                measure(target, operations, options, partial(told, f"{stage}, {workers} × process"))
    for workers in map(int, chosen.workers.split(",")):
        with neve.running(["--workers", str(workers)]) as target:
            measure(target, operations, options, partial(told, f"Neve, {workers} × worker"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
