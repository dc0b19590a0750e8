"""What the panel costs: time of pages, memory of the steward, and what it takes from S3.

    python -m bench.panel [time|million|memory|data]

Each part starts a server of its own on a temporary folder, and takes a minute or two.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlencode, urlsplit

import apsw

from bench import process
from bench.measure import Options, Target, measure
from bench.workload import OPERATIONS
from neve.testing.live import LiveServer

PAGES = (
    "/buckets", "/buckets/data", "/buckets/data/access", "/buckets/data/quota",
    "/buckets/data/lifecycle", "/buckets/data/cors", "/browse/data", "/browse/data?prefix=a/",
    "/object/data?key=a/000.txt", "/object/data/code?key=a/000.txt", "/users", "/users/new",
    "/groups", "/policies", "/policy?name=readwrite", "/keys", "/explain", "/account",
    "/dashboard", "/upkeep", "/audit", "/trace", "/logs", "/server",
)  # fmt: skip
MIB = 1 << 20


class User:
    """One browser: a session over a connection that stays open."""

    def __init__(self, server: LiveServer, keys: tuple[str, str] | None = None) -> None:
        """As the administrator, or with other keys."""
        self._http = http.client.HTTPConnection(urlsplit(server.panel).netloc, timeout=120)
        self._cookie = ""
        access_key, secret_key = keys or (server.access_key, server.secret_key)
        self.post("/login", access_key=access_key, secret_key=secret_key)
        assert self._cookie, "the panel does not let us in"

    def get(self, path: str) -> float:
        """Open a page; return the seconds it took."""
        start = time.perf_counter()
        text = self.read(path)
        took = time.perf_counter() - start
        assert b"<h1" in text, path
        return took

    def read(self, path: str) -> bytes:
        """Return a page."""
        answer = self.open(path)
        text = answer.read()
        assert answer.status == 200, (path, answer.status, text[-300:])
        return text

    def open(self, path: str) -> http.client.HTTPResponse:
        """Ask for something that is read piece by piece."""
        self._http.request("GET", path, headers={"cookie": self._cookie})
        return self._http.getresponse()

    def post(self, path: str, **fields: str) -> str:
        """Send a form, as its page would; return the answer."""
        if self._cookie:
            found = re.search(
                r'<meta name="csrf" content="([^"]*)"', self.read("/account").decode()
            )
            fields["csrf"] = found[1] if found else ""
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": self._cookie}
        self._http.request("POST", path, urlencode(fields), headers)
        answer = self._http.getresponse()
        text = answer.read().decode()
        self._cookie = answer.headers.get("set-cookie", self._cookie).partition(";")[0]
        return text

    def close(self) -> None:
        """Leave."""
        self._http.close()


@contextlib.contextmanager
def running() -> Iterator[LiveServer]:
    """Run a server with a bucket of a few objects."""
    with tempfile.TemporaryDirectory(prefix="neve-bench-") as folder:
        with LiveServer(Path(folder, "data")) as server:
            server.await_panel()
            s3 = server.client()
            s3.create_bucket(Bucket="data")
            for number in range(300):
                s3.put_object(Bucket="data", Key=f"a/{number:03}.txt", Body=b"some text\n" * 9)
            yield server


def steward_of(server: LiveServer) -> int:
    """Return the pid of the process that serves the panel."""
    upkeep = User(server).read("/upkeep").decode()
    found = re.search(r"<td>steward</td><td class=\"number\">(\d+)</td>", upkeep)
    assert found, "the page of the upkeep names no steward"
    return int(found[1])


def times() -> None:
    """Time of pages, one after the other, at a server that does nothing else."""
    with running() as server:
        user = User(server)
        print("| page | median ms | p99 ms |\n|---|---|---|")
        _print_times("/login (nobody logged in)", [_login_page(server) for _ in range(300)])
        for path in PAGES:
            user.get(path)
            _print_times(path, [user.get(path) for _ in range(300 if path == "/buckets" else 40)])


def _login_page(server: LiveServer) -> float:
    start = time.perf_counter()
    connection = http.client.HTTPConnection(urlsplit(server.panel).netloc, timeout=60)
    connection.request("GET", "/login")
    assert b"<h1" in connection.getresponse().read()
    connection.close()
    return time.perf_counter() - start


def _print_times(path: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    last = ordered[int(len(ordered) * 0.99)]
    print(f"| `{path}` | {median(ordered) * 1e3:.1f} | {last * 1e3:.1f} |", flush=True)


def million() -> None:
    """Pages of a folder with a million keys: the first, one from the middle, the last."""
    with running() as server:
        server.client().put_object(Bucket="data", Key="m/", Body=b"")
        server.stop()
        _multiply(server.folder / "catalog.db", "m/")
        server.start()
        server.await_panel()
        user = User(server)
        print("| page | median ms | p99 ms |\n|---|---|---|")
        for name, query in (
            ("first", ""),
            ("middle", f"&after={quote('m/0500000')}"),
            ("last", f"&after={quote('m/0999900')}"),
            ("of the names that begin with 077", "&starts=077"),
            ("sorted by size", "&order=size"),
        ):
            path = f"/browse/data?prefix=m/{query}"
            _print_times(name, [user.get(path) for _ in range(20)])


def _multiply(catalog: Path, key: str) -> None:
    """Give an object a million others beside it, straight in the catalog of a stopped server."""
    database = apsw.Connection(str(catalog))
    columns = [row[1] for row in database.execute("PRAGMA table_info(object)")]
    values = ", ".join("printf('m/%07d', n)" if name == "key" else name for name in columns)
    database.execute(
        "WITH RECURSIVE many(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM many WHERE n < 999999)"
        f" INSERT INTO object SELECT {values} FROM object, many WHERE key = ?",
        (key,),
    )
    database.close()


def memory() -> None:
    """The steward's memory: idle, then with everything of the panel in use."""
    with running() as server:
        steward = steward_of(server)
        idle = process.memory_bytes(steward)
        s3 = server.client()
        for number in range(16):
            s3.put_object(Bucket="data", Key=f"large/{number}", Body=bytes([number]) * (64 * MIB))
        # The panel keeps twenty sessions of one access key.
        made = User(server).post("/keys/new", name="second", life="1h")
        keys = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", made)
        users = [User(server, (keys[0], keys[1])) for _ in range(20)]
        work = [_browsing(user) for user in users]
        work += [_watching(User(server)) for _ in range(3)]
        work += [_zipping(User(server))]
        peak = _peak_while(steward, work)
        print(f"steward PSS: idle {idle / MIB:.1f} MiB, in use at most {peak / MIB:.1f} MiB,")
        print(f"afterwards {process.memory_bytes(steward) / MIB:.1f} MiB")


def _browsing(user: User) -> Callable[[], None]:
    def run() -> None:
        for _ in range(3):
            for path in PAGES:
                user.get(path)

    return run


def _watching(user: User) -> Callable[[], None]:
    def run() -> None:
        answer, until = user.open("/trace/stream?all=yes"), time.monotonic() + 20
        while time.monotonic() < until:
            answer.read1(1 << 16)
        user.close()

    return run


def _zipping(user: User) -> Callable[[], None]:
    def run() -> None:
        answer, total = user.open("/zip/data?prefix=large/"), 0
        while piece := answer.read(1 << 18):
            total += len(piece)
        assert total > 1 << 30

    return run


def _peak_while(pid: int, work: list[Callable[[], None]]) -> int:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, process.memory_bytes(pid))
        time.sleep(0.1)
    return peak


def data() -> None:
    """CPU of the workers per GET and PUT of 4 KiB, with and without ten users of the panel."""
    with running() as server:
        steward = steward_of(server)
        workers = tuple(pid for pid in server.children() if pid != steward)
        target = Target(
            server.endpoint, server.access_key, server.secret_key, pid=server.pid, counted=workers
        )
        chosen = [one for one in OPERATIONS if one.name in ("put-4k", "get-4k")]
        found: dict[tuple[str, int], list[float]] = {}
        for count in (0, 10) * 5:  # in turns: what else the machine does falls on both
            with _clicking(server, count) as pages:
                rows = measure(target, chosen, Options(seconds=3.0), lambda name, row: None)
            for name, row in rows["operations"].items():
                found.setdefault((name, count), []).append(row["server_cpu_us"])
            print(f"with {count} users: {len(pages)} pages", file=sys.stderr)
        print("| operation | panel users | CPU of the workers per operation, µs: median | each |")
        print("|---|---|---|---|")
        for (name, count), costs in sorted(found.items()):
            each = ", ".join(f"{cost:.0f}" for cost in costs)
            print(f"| `{name}` | {count} | {median(costs):.0f} | {each} |")


@contextlib.contextmanager
def _clicking(server: LiveServer, count: int) -> Iterator[list[float]]:
    """Let so many users open a page each second."""
    end, taken = threading.Event(), []

    def click(user: User) -> None:
        place = 0
        while not end.wait(1.0):
            taken.append(user.get(PAGES[place % len(PAGES)]))
            place += 1

    threads = [threading.Thread(target=click, args=(User(server),)) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield taken
    end.set()
    for thread in threads:
        thread.join()


PARTS: dict[str, Callable[[], None]] = {
    "time": times, "million": million, "memory": memory, "data": data,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}\n", flush=True)
        PARTS[name]()
