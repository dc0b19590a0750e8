"""Down: an object becomes a file. Small ones in one request, large ones in ranges at once.

Invariants: the file has its name only when all bytes are there, checked and on the disk; all ranges
are of one state of the object (If-Match); an object that changes meanwhile is fetched anew; what
had come of a large one when it was interrupted is gone on with if the object is still the same, and
each piece that is there is checked again.
"""

import os
import threading
from functools import lru_cache, partial

from neve.cli.output import Result
from neve.cli.target import Local, Remote
from neve.cli.transfer.attributes import MC_ATTRS, apply_attributes
from neve.cli.transfer.body import PIECE, Changed
from neve.cli.transfer.engine import Engine, FileMeter, Pair, open_source
from neve.cli.transfer.entries import is_folder
from neve.cli.transfer.landing import Landing, make_folder
from neve.cli.transfer.pool import Done, Pieces, failed, goes_on
from neve.cli.transfer.received import Piece, Received
from neve.cli.transfer.results import Copied
from neve.cli.transfer.verify import Expected, Running, expected_of
from neve.cli.transfer.wire import Reply, Request
from neve.client.errors import ClientError, ServerError

RANGE_BYTES = 16 << 20
TRIES = 3
_memory = threading.local()


def down(engine: Engine, pair: Pair, done: Done) -> None:
    """Fetch the object of the pair."""
    entry, target = pair.entry, pair.target
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
    modified = None
    if "last-modified" in headers:
        modified = _seconds_of(headers["last-modified"])
    kept = engine.settings.preserve and MC_ATTRS in headers
    if kept and apply_attributes(landing.file, headers[MC_ATTRS]):
        modified = None
    landing.commit(modified)


@lru_cache(64)
def _seconds_of(date: str) -> float:
    """Kept, because objects that were written together have the same date."""
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(date).timestamp()


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
        self._expected = Expected("", b"")
        self._pieces: list[Piece] = []

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
            self._landing = Landing(self._pair.target.path, self._size, goes_on=True)
            self._received = self._open_received()
        except BaseException:
            self._meter.end(done=False)
            raise
        here = [partial(self._take_over, piece) for piece in self._received.pieces]
        missing = [partial(self._fetch, *ends) for ends in self._received.missing(RANGE_BYTES)]
        label = self._pair.entry.label
        Pieces(self._engine.pool, self._finish, self._done, label).spread([*here, *missing])

    def _open_received(self) -> Received:
        """What an earlier run has left in the file."""
        etag = self._headers.get("etag", "")
        state = f"{self._pair.entry.label} {self._pair.entry.version} {etag} {self._size}"
        algorithm = self._expected.algorithm if self._expected.combines else "crc32c"
        try:
            return Received(self._landing.file, self._size, state if etag else "", algorithm)
        except BaseException:
            self._landing.abort()
            raise

    def _take_over(self, piece: Piece) -> None:
        """Use a piece that is there, unless it is damaged."""
        if self._received.holds(piece):
            self._pieces.append(piece)
            self._meter.skip(piece.stop - piece.start)
        else:
            self._fetch(piece.start, piece.stop)

    def _fetch(self, start: int, stop: int) -> None:
        headers = {"range": f"bytes={start}-{stop - 1}"}
        if self._headers.get("etag"):
            headers["if-match"] = self._headers["etag"]
        request = Request(
            "GET", *_place(self._pair), _query(self._pair), headers, doing="read this object"
        )
        part = _Part(start)
        try:
            self._wire.call(request, partial(self._take, part, stop))
        except ServerError as error:
            if error.status in (412, 404):
                raise Changed(self._pair.entry.label) from error
            raise
        finally:
            if part.running and part.position > start:
                piece = Piece(start, part.position, part.running.crc)
                self._pieces.append(piece)
                self._received.note(piece)

    def _take(self, part: "_Part", stop: int, reply: Reply) -> None:
        if reply.size != stop - part.start:
            raise ClientError("the server does not answer with ranges of objects.", "NoRanges")
        running = part.running = self._received.running()
        buffer, part.position = _buffer(), part.start
        try:
            while reply.left:
                count = reply.read_into(buffer)
                running.update(buffer[:count])
                self._landing.write(buffer[:count], part.position)
                part.position += count
                self._meter(count)
            self._landing.start_writing_out(part.start, stop - part.start)
        except BaseException:
            self._meter(part.start - part.position)
            raise

    def _finish(self, error: Exception | None) -> None:
        results: list[Result] = []
        try:
            if error is None:
                self._check()
                self._received.cut()
                _commit(self._engine, self._landing, self._headers)
                results = [_copied(self._pair, self._size, self._headers, self._expected)]
        except Exception as problem:  # noqa: BLE001 - it is told as the failure of this object
            error = problem
        kept = error is not None and goes_on(error) and self._received.any
        self._landing.close(keep=kept)
        self._meter.end(done=error is None)
        if isinstance(error, Changed) and self._tried + 1 < TRIES:
            self._again()
            return
        if error:
            results = [failed(error, self._pair.entry.label, goes_on=kept)]
            self._engine.kept += [self._pair.target] if kept else []
        self._done(results)

    def _again(self) -> None:
        again = _Ranges(self._engine, self._pair, self._done, self._tried + 1)
        try:
            again.begin()
        except Exception as error:  # noqa: BLE001 - it is told as the failure of this object
            self._done([failed(error, self._pair.entry.label)])

    def _check(self) -> None:
        """Raises: ClientError when what was written is not the object."""
        expected, what = self._expected, self._pair.entry.label
        if expected.combines:
            pieces = [(piece.crc, piece.stop - piece.start) for piece in sorted(self._pieces)]
            expected.check(expected.combined(pieces), what)
        elif running := expected.running():
            for position in range(0, self._size, PIECE):
                count = min(PIECE, self._size - position)
                running.update(os.pread(self._landing.file, count, position))
            expected.check(running.digest(), what)


class _Part:
    """How far a range has come in the attempt that is under way."""

    def __init__(self, start: int) -> None:
        self.start = self.position = start
        self.running: Running | None = None


def beside(engine: Engine, pair: Pair, done: Done) -> None:
    """Copy a file to a file."""
    entry, target = pair.entry, pair.target
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
