"""Down: an object becomes a file. Small ones in one request, large ones in ranges at once.

Invariants: the file has its name only when all bytes are there, checked and on the disk; all ranges
are of one state of the object (If-Match); an object that changes meanwhile is fetched anew.
"""

import os
import threading
from functools import partial

from neve.cli.target import Local, Remote
from neve.cli.transfer.attributes import MC_ATTRS, apply_attributes
from neve.cli.transfer.body import PIECE, Changed
from neve.cli.transfer.engine import Engine, FileMeter, Pair, open_source
from neve.cli.transfer.entries import Entry
from neve.cli.transfer.landing import Landing, make_folder
from neve.cli.transfer.pool import Done, Pieces, failed
from neve.cli.transfer.results import Copied
from neve.cli.transfer.verify import Expected, expected_of
from neve.cli.transfer.wire import Reply, Request
from neve.client.errors import ClientError, ServerError

RANGE_BYTES = 16 << 20
TRIES = 3
_memory = threading.local()


def down(engine: Engine, pair: Pair, done: Done) -> None:
    """Fetch the object of the pair."""
    entry, target = pair
    assert isinstance(target, Local)
    if is_folder(entry):
        make_folder(target.path)
        done([Copied(entry.label, target.path.rstrip("/") + "/", 0, verified="size")])
        return
    if entry.size > RANGE_BYTES:
        _Ranges(engine, pair, done).begin()
        return
    meter = engine.meter(entry.label, entry.size, up=False)
    whole = False
    try:
        request = Request("GET", *_place(pair), _query(pair), _ASK, doing="read this object")
        take = partial(_take, engine, pair, meter)
        result = engine.wire(_remote(pair).alias).call(request, take)
        whole = True
    finally:
        meter.end(done=whole)
    done([result])


def is_folder(entry: Entry) -> bool:
    """Whether an object only says that there is a folder."""
    return isinstance(entry.place, Remote) and entry.place.key.endswith("/") and not entry.size


_ASK = {"x-amz-checksum-mode": "ENABLED"}


def _take(engine: Engine, pair: Pair, meter: FileMeter, reply: Reply) -> Copied:
    """Make the file of an answer."""
    assert isinstance(pair.target, Local)
    size, read = reply.size, 0
    expected = expected_of(reply.headers)
    running = expected.running()
    buffer = _buffer()
    try:
        with Landing(pair.target.path, size) as landing:
            while reply.left:
                count = reply.read_into(buffer)
                piece = buffer[:count]
                if running:
                    running.update(piece)
                landing.write(piece, read)
                read += count
                meter(count)
            if running:
                expected.check(running.digest(), pair.entry.label)
            _commit(engine, landing, reply.headers)
    except BaseException:
        meter(-read)
        raise
    return _copied(pair, size, reply.headers, expected)


def _commit(engine: Engine, landing: Landing, headers: dict[str, str]) -> None:
    from email.utils import parsedate_to_datetime

    modified = None
    if "last-modified" in headers:
        modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
    kept = engine.settings.preserve and MC_ATTRS in headers
    if kept and apply_attributes(landing.file, headers[MC_ATTRS]):
        modified = None
    landing.commit(modified)


def _copied(pair: Pair, size: int, headers: dict[str, str], expected: Expected) -> Copied:
    assert isinstance(pair.target, Local)
    etag = headers.get("etag", "").strip('"')
    return Copied(pair.entry.label, pair.target.path, size, "", etag, expected.name)


class _Ranges:
    """A large object that is fetched in ranges."""

    def __init__(self, engine: Engine, pair: Pair, done: Done, tried: int = 0) -> None:
        self._engine, self._pair, self._done, self._tried = engine, pair, done, tried
        self._wire = engine.wire(_remote(pair).alias)
        self._meter = engine.meter(pair.entry.label, pair.entry.size, up=False)
        self._headers: dict[str, str] = {}
        self._size = 0
        self._landing: Landing | None = None
        self._expected = Expected("", b"")
        self._crcs: dict[int, tuple[int, int]] = {}

    def begin(self) -> None:
        """Learn what the object is, and have its ranges fetched."""
        try:
            request = Request(
                "HEAD", *_place(self._pair), _query(self._pair), _ASK, doing="read this object"
            )
            self._headers = self._wire.call(request, lambda reply: reply.headers)
            self._size = int(self._headers["content-length"])
            self._expected = expected_of(self._headers)
            assert isinstance(self._pair.target, Local)
            self._landing = Landing(self._pair.target.path, self._size)
        except BaseException:
            self._meter.end(done=False)
            raise
        starts = range(0, self._size, RANGE_BYTES)
        pieces = [partial(self._fetch, start) for start in starts]
        label = self._pair.entry.label
        Pieces(self._engine.pool, self._finish, self._done, label).spread(pieces)

    def _fetch(self, start: int) -> None:
        stop = min(start + RANGE_BYTES, self._size)
        headers = {"range": f"bytes={start}-{stop - 1}"}
        if self._headers.get("etag"):
            headers["if-match"] = self._headers["etag"]
        request = Request(
            "GET", *_place(self._pair), _query(self._pair), headers, doing="read this object"
        )
        try:
            crc = self._wire.call(request, partial(self._take, start, stop))
        except ServerError as error:
            if error.status in (412, 404):
                raise Changed(self._pair.entry.label) from error
            raise
        self._crcs[start] = (crc, stop - start)

    def _take(self, start: int, stop: int, reply: Reply) -> int:
        if reply.size != stop - start:
            raise ClientError("the server does not answer with ranges of objects.", "NoRanges")
        assert self._landing
        running = self._expected.running() if self._expected.combines else None
        buffer, position = _buffer(), start
        try:
            while reply.left:
                count = reply.read_into(buffer)
                if running:
                    running.update(buffer[:count])
                self._landing.write(buffer[:count], position)
                position += count
                self._meter(count)
        except BaseException:
            self._meter(start - position)
            raise
        return running.crc if running else 0

    def _finish(self, error: Exception | None) -> None:
        landing = self._landing
        assert landing
        results = []
        try:
            if error is None:
                self._check(landing)
                _commit(self._engine, landing, self._headers)
                results = [_copied(self._pair, self._size, self._headers, self._expected)]
        except Exception as problem:  # noqa: BLE001 - it is told as the failure of this object
            error = problem
        finally:
            landing.abort()
            self._meter.end(done=error is None)
        if isinstance(error, Changed) and self._tried + 1 < TRIES:
            self._again()
            return
        self._done([failed(error, self._pair.entry.label)] if error else results)

    def _again(self) -> None:
        again = _Ranges(self._engine, self._pair, self._done, self._tried + 1)
        try:
            again.begin()
        except Exception as error:  # noqa: BLE001 - it is told as the failure of this object
            self._done([failed(error, self._pair.entry.label)])

    def _check(self, landing: Landing) -> None:
        """Raises: ClientError when what was written is not the object."""
        expected, what = self._expected, self._pair.entry.label
        if expected.combines:
            pieces = [self._crcs[start] for start in sorted(self._crcs)]
            expected.check(expected.combined(pieces), what)
        elif running := expected.running():
            position = 0
            while piece := os.pread(landing.file, PIECE, position):
                running.update(piece)
                position += len(piece)
            expected.check(running.digest(), what)


def beside(engine: Engine, pair: Pair, done: Done) -> None:
    """Copy a file to a file."""
    entry, target = pair
    assert isinstance(target, Local)
    assert isinstance(entry.place, Local)
    if os.path.exists(target.path) and os.path.samefile(entry.place.path, target.path):
        raise ClientError(f"{entry.label} and {target.path} are the same file.", "SameFile")
    meter = engine.meter(entry.label, entry.size, up=True)
    whole = False
    file = open_source(entry.place.path)
    try:
        before = os.fstat(file)
        with Landing(target.path, before.st_size) as landing:
            position = 0
            while piece := os.pread(file, PIECE, position):
                landing.write(piece, position)
                position += len(piece)
                meter(len(piece))
            after = os.fstat(file)
            if (after.st_size, after.st_mtime_ns) != (position, before.st_mtime_ns):
                raise Changed(entry.label)
            os.fchmod(landing.file, before.st_mode & 0o777)
            landing.commit(before.st_mtime)
        whole = True
    finally:
        os.close(file)
        meter.end(done=whole)
    done([Copied(entry.label, target.path, position, verified="size")])


def _buffer() -> memoryview:
    """This thread's own."""
    if not hasattr(_memory, "buffer"):
        _memory.buffer = memoryview(bytearray(PIECE))
    found: memoryview = _memory.buffer
    return found


def _remote(pair: Pair) -> Remote:
    assert isinstance(pair.entry.place, Remote)
    return pair.entry.place


def _place(pair: Pair) -> tuple[str, str]:
    place = _remote(pair)
    return place.bucket, place.key


def _query(pair: Pair) -> dict[str, str]:
    return {"versionId": pair.entry.version} if pair.entry.version else {}
