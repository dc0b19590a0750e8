"""kill -9 of the whole server at random moments under mixed load; then everything is compared.

Clients remember what they were told. After each kill the server starts again on the same folder:
every acknowledged write must be there whole, and an unacknowledged one whole or not at all. At the
end, space: after reclaim nothing is on the disk that no row refers to.

NEVE_KILL_ROUNDS sets the number of rounds (20; `make crash` runs 200).
"""

import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider

from neve.catalog.catalog import Transaction
from neve.engine.counting import check_counters, count_on
from neve.engine.rebuild import rebuild
from neve.engine.reclaim import Reclaimer, referenced_files
from neve.engine.scrub import count_tree
from neve.engine.store import open_catalog, open_engine, prepare
from neve.signing import sign_headers
from neve.testing.engine import LocalShared, pattern
from neve.testing.live import wait_until
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer

ROUNDS = int(os.environ.get("NEVE_KILL_ROUNDS", "20"))
CLIENTS = 6
KEYS_PER_CLIENT = 8
MIB = 1 << 20
ABSENT = None
ROOT = (ACCESS_KEY, SECRET_KEY)
USER = ("somebody", "somebody-s-secret")

Value = str | None
"""md5 of the body, or ABSENT."""


class Client:
    """One connection that owns some keys and writes them one after the other."""

    def __init__(self, server: LiveServer, number: int) -> None:
        self.server = server
        self.number = number
        self.keys = USER if number % 3 == 2 else ROOT
        """What the user writes is the user's, not the owner's of the bucket."""
        self.chance = random.Random(number)
        self.possible: dict[str, set[Value]] = {}
        """Per key, what a reader may find: one value, or more after an unanswered write."""
        self.step = 0
        self.acknowledged = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Write until the connection breaks."""
        host = self.server.endpoint.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            while True:
                self._write(connection)
        except (OSError, http.client.HTTPException):
            pass
        except BaseException as error:
            self.failure = error
        finally:
            connection.close()

    def _write(self, connection: http.client.HTTPConnection) -> None:
        self.step += 1
        key = f"c{self.number}/k{self.chance.randrange(KEYS_PER_CLIENT)}"
        kind = self.chance.choice(["small"] * 6 + ["medium", "large", "delete", "delete", "multi"])
        if kind == "delete":
            self._doubt(key, ABSENT)
            self._request(connection, "DELETE", key)
            self._know(key, ABSENT)
            return
        size = {"small": 2_000, "medium": 200_000, "large": MIB + 13, "multi": 5 * MIB}[kind]
        data = pattern(size, self.number * 1_000_000 + self.step)
        if kind != "multi":
            value = hashlib.md5(data).hexdigest()
            self._doubt(key, value)
            self._request(connection, "PUT", key, data)
            self._know(key, value)
            return
        tail = pattern(100, self.step)
        made = self._request(connection, "POST", key + "?uploads=").decode()
        upload = made.partition("<UploadId>")[2].partition("<")[0]
        parts = ""
        for part, body in enumerate((data, tail), 1):
            self._request(connection, "PUT", f"{key}?partNumber={part}&uploadId={upload}", body)
            tag = hashlib.md5(body).hexdigest()
            parts += f"<Part><PartNumber>{part}</PartNumber><ETag>{tag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        value = hashlib.md5(data + tail).hexdigest()
        self._doubt(key, value)
        self._request(connection, "POST", f"{key}?uploadId={upload}", document)
        self._know(key, value)

    def _doubt(self, key: str, value: Value) -> None:
        self.possible.setdefault(key, {ABSENT}).add(value)

    def _know(self, key: str, value: Value) -> None:
        self.possible[key] = {value}
        self.acknowledged += 1

    def _request(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b""
    ) -> bytes:
        status, answer = request(connection, self.server, method, target, body, self.keys)
        assert status in (200, 204), (method, target, status, answer)
        return answer

    def check(self, connection: http.client.HTTPConnection) -> None:
        """Compare every key with what was promised; what is found is then known."""
        for key, possible in self.possible.items():
            status, body = request(connection, self.server, "GET", key)
            assert status in (200, 404), (key, status, body[:500])
            value = hashlib.md5(body).hexdigest() if status == 200 else ABSENT
            assert value in possible, (key, status, len(body), possible)
            self.possible[key] = {value}


def request(
    connection: http.client.HTTPConnection,
    server: LiveServer,
    method: str,
    target: str,
    body: bytes = b"",
    keys: tuple[str, str] = ROOT,
) -> tuple[int, bytes]:
    path, _, query = target.partition("?")
    path = f"/bucket/{quote(path)}" if path else "/bucket"
    url = server.endpoint + path + (f"?{query}" if query else "")
    payload = hashlib.sha256(body).hexdigest()
    headers = sign_headers(method, url, {}, *keys, "us-east-1", payload)
    connection.request(method, url.removeprefix(server.endpoint), body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def add_user(server: LiveServer) -> None:
    """Make the user who writes beside root."""
    host = server.endpoint.removeprefix("http://")
    admin = MinioAdmin(endpoint=host, credentials=StaticProvider(*ROOT), secure=False)
    admin.user_add(*USER)
    admin.policy_set("readwrite", user=USER[0])


class Teller:
    """Tells the bucket, again and again, to count other prefixes."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.told = 0

    def run(self) -> None:
        """Tell until the connection breaks."""
        host = self.server.endpoint.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            while True:
                prefixes = {f"c{self.told % 3}/": {}, "c2/k": {}, f"c4/k{self.told % 5}": {}}
                document = json.dumps({"bytes": 1 << 40, "prefixes": prefixes}).encode()
                status, _ = request(connection, self.server, "PUT", "?neve-quota=", document)
                self.told += status == 204
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


@pytest.mark.timeout(60 + ROUNDS * 15)
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(7)
    server = LiveServer(tmp_path / "data", workers=2)
    clients: list[Client] = []
    acknowledged = 0
    try:
        server.start()
        server.client().create_bucket(Bucket="bucket")
        add_user(server)
        clients = [Client(server, number) for number in range(CLIENTS)]
        teller = Teller(server)
        for _ in range(ROUNDS):
            workers = [client.run for client in clients]
            threads = [threading.Thread(target=run) for run in (*workers, teller.run)]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.02, 0.6))  # the moment of the crash is the test's input
            server.kill()
            for thread in threads:
                thread.join()
            assert [c.failure for c in clients if c.failure] == []
            server.start()
            host = server.endpoint.removeprefix("http://")
            connection = http.client.HTTPConnection(host, timeout=30)
            for client in clients:
                client.check(connection)
            connection.close()
            acknowledged = sum(client.acknowledged for client in clients)
        server.stop()
        check_space(server.folder)
        check_rebuilt(server, clients)
    finally:
        server.close()
    assert acknowledged > ROUNDS
    assert teller.told > ROUNDS


def check_rebuilt(server: LiveServer, clients: list[Client]) -> None:
    """What the kills cut off is not done either by a rebuild: every key is as it was found."""
    for path in server.folder.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(server.folder)).damaged == []
    server.start()
    host = server.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    for client in clients:
        assert all(len(possible) == 1 for possible in client.possible.values())
        client.check(connection)
    connection.close()
    server.stop()
    check_space(server.folder)


def check_space(folder: Path) -> None:
    """Counters are exact and, once all was reclaimed, every byte on disk has an owner."""
    prepare(str(folder))
    shared = LocalShared()
    engine = open_engine(str(folder), shared)
    reclaimer = Reclaimer(engine.catalog, engine.store, oldest_read_us=lambda: 0, grace_s=0.0)
    reader = engine.catalog.reader()
    reclaimer.abort_uploads(-1.0)
    reclaimer.sweep_files()
    reclaimer.compact()
    while reclaimer.collect():
        pass
    count_on(engine.catalog, engine.store)
    for bucket in reader.buckets():
        assert count_tree(reader, bucket.tree) == reader.usage(bucket.tree)
        assert list(check_counters(reader, bucket.tree)) == []
        assert reader.owners(bucket.tree), "somebody else wrote, too"
        assert len(reader.prefixes(bucket.tree)) == 3
        assert reader.uncounted_trees() == []
    on_disk: set[Any] = set(engine.store.files(1 << 23))
    assert on_disk == set(referenced_files(reader))
    rows = reader.segments()
    live = sum(row.live for row in rows)
    held = sum(path.stat().st_size for path in folder.glob("segments/**/*.seg"))
    # Compaction leaves a segment alone while more than half of it is needed.
    assert held < 2 * live + 4 * MIB + 64 * 1024 * len(rows), (held, live)
    engine.store.close()
    engine.catalog.close()


def test_the_catalog_of_a_killed_server_is_sound(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", workers=2)
    with server:
        server.client().create_bucket(Bucket="bucket")
        client = Client(server, 1)
        thread = threading.Thread(target=client.run)
        thread.start()
        time.sleep(0.3)
        server.kill()
        thread.join()
    catalog = open_catalog(str(server.folder))
    assert catalog.reader().bucket("bucket") is not None
    catalog.close()


class Lock:
    """Holds the catalog's lock for writing, so that a worker waits between append and commit."""

    def __init__(self, folder: Path) -> None:
        self._catalog = open_catalog(str(folder))
        self._held, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        def wait(_: Transaction) -> None:
            self._held.set()
            self._release.wait()

        self._catalog.transact([wait])

    def __enter__(self) -> None:
        self._thread.start()
        self._held.wait()

    def __exit__(self, *_: object) -> None:
        self._release.set()
        self._thread.join()
        self._catalog.close()


def writers(server: LiveServer) -> dict[Path, int]:
    """The segments that processes of the server have open, and whose they are."""
    found = {}
    for pid in server.children():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = link.readlink()
                if target.suffix == ".seg":
                    found[target] = pid
    return found


def test_a_worker_killed_before_its_commit_did_nothing_for_ever(tmp_path: Path) -> None:
    """The others go on meanwhile, and end in order: still the next start sees to what it left."""
    server = LiveServer(tmp_path / "data", workers=1)
    try:
        server.start()
        client = server.client()
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="key", Body=b"kept")
        ((segment, worker),) = writers(server).items()
        size = segment.stat().st_size
        answers: list[int] = []
        with Lock(server.folder):
            deleting = threading.Thread(target=ask_to_delete, args=(server, answers))
            deleting.start()
            wait_until(lambda: segment.stat().st_size > size)
            os.kill(worker, signal.SIGKILL)
            deleting.join()
        assert answers == []
        wait_until(lambda: server.is_ready() and worker not in server.children())
        client.put_object(Bucket="bucket", Key="later", Body=b"put")
        assert server.stop() == 0
        server.start()
        assert server.stop() == 0
        for path in server.folder.glob("catalog.db*"):
            path.unlink()
        assert rebuild(str(server.folder)).damaged == []
        server.start()
        there = {"key": b"kept", "later": b"put"}
        for key, body in there.items():
            assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == body
    finally:
        server.close()


def ask_to_delete(server: LiveServer, answers: list[int]) -> None:
    """Ask once, and note the answer if there is one."""
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=30)
    with contextlib.suppress(OSError, http.client.HTTPException):
        answers.append(request(connection, server, "DELETE", "key")[0])
    connection.close()
