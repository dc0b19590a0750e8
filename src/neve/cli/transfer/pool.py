"""Threads that do jobs, as many at once as make it faster; one thread hears of the results.

A job ends by calling `done` once, in its own thread or later in another: a job in pieces (a large
object) has its pieces done before any new job is begun. Adaptive: the number of threads at work
grows as long as more of them move more, and falls when a server says that it is too busy.

Invariants: never more than a hundred-odd jobs wait, however long the iterator of jobs is; what a
job raises ends that job alone, save for what would end every other in the same way (`hopeless`).
"""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from neve.cli.output import Failure, Result, failure_of
from neve.cli.transfer.body import Interrupted
from neve.client.errors import ClientError, ServerError, Unreachable
from neve.errors import NeveError

WORKERS_FIRST = 32
WORKERS_MAX = 64
"""Many, for small objects: a server that syncs what it is sent syncs all that waits at once."""
AT_PIECES_MAX = 16
"""At pieces of large objects, which fill any line with few."""
PERIOD_S = 0.5
OBJECT_WEIGHT = 1 << 16
"""What an object counts beside its bytes when two speeds are compared."""
_WAITING_MAX, _WAITING_LOW = 128, 64
"""Jobs that wait, and how few there are when more are asked for."""
_TELL_S = 0.1
"""How long a result may wait to be told."""
_JOIN_S = 3.0
"""How long threads get to give up what they do, all together: one that connects cannot be woken."""
_HOPELESS = (
    "Refused", "UnknownHost", "Certificate", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "ExpiredToken", "NoSuchBucket", "DiskFull", "RequestTimeTooSkewed", "NotS3",
)  # fmt: skip

_PASSING = ("ExpiredToken", "RequestTimeTooSkewed", "SlowDown")
"""Refusals of who comes at a wrong time."""

Done = Callable[[Iterable[Result]], None]


class Job(NamedTuple):
    """Work on one object. `run` calls what it is given exactly once, or raises."""

    target: str
    """What it is about, for the sentence when it fails."""
    run: Callable[[Done], None]


class Pool:
    """Runs jobs; see the module."""

    def __init__(self, workers: int = 0) -> None:
        """`workers` fixes how many threads are at work; 0 finds out."""
        self.most = workers or WORKERS_MAX
        self._allowed = workers or WORKERS_FIRST
        self._at_pieces = workers or AT_PIECES_MAX
        self._adaptive = not workers
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._waiting: deque[Callable[[], None]] = deque()
        self._urgent: deque[Callable[[], None]] = deque()
        self._results: deque[Result] = deque()
        self._threads: list[threading.Thread] = []
        self._at_work = self._open = 0
        self._stopped = False
        self.wake: Callable[[], None] = lambda: None
        """Called when all is to end: wakes who waits for a server."""
        self.hopeless: Result | None = None
        """The failure for which the rest was not tried."""
        self._moved = 0
        self._since = time.monotonic()
        self._speed_before, self._grows = 0.0, True

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do all jobs; yield their results as they come."""
        try:
            for job in jobs:
                while self._full():
                    yield from self.drain()
                if not self._submit(job):
                    break
                yield from self.drain()
            while self._wait():
                yield from self.drain()
            yield from self.drain()
        finally:
            self.stop()

    def spread(self, pieces: Iterable[Callable[[], None]]) -> None:
        """Have pieces of a job done by whoever is free, before any job that has not begun."""
        with self._lock:
            self._urgent.extend(pieces)
            self._staff()
            self._work.notify(self._allowed)

    def moved(self, count: int) -> None:
        """So many bytes went through. Raises: Interrupted."""
        if self._stopped:
            raise Interrupted
        self._moved += count

    def busy(self) -> None:
        """A server said that it is too much: go slower."""
        with self._lock:
            if self._adaptive:
                self._allowed = max(1, self._allowed // 2)

    @property
    def stopped(self) -> bool:
        """Whether what is under way shall be given up."""
        return self._stopped

    def stop(self) -> None:
        """End the threads; what they do is given up."""
        with self._lock:
            self._stopped = True
            self._work.notify_all()
            self._news.notify_all()
        self.wake()
        until = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def drain(self) -> Iterator[Result]:
        """Yield what has not been told; also of a run that was stopped."""
        while self._results:
            yield self._results.popleft()

    def _full(self) -> bool:
        """Wait until there is room for many jobs, or something may be told; return whether not yet.

        For many, because two threads that wake each other for each job do little else.
        """
        with self._lock:
            if len(self._waiting) < _WAITING_MAX or self._ended:
                return False
            self._news.wait(_TELL_S)
            return len(self._waiting) >= _WAITING_MAX and not self._ended

    def _submit(self, job: Job) -> bool:
        """Have a job waiting; return whether there will be more."""

        def work() -> None:
            try:
                job.run(self._done)
            except Exception as error:  # noqa: BLE001 - it is told as the failure of this job
                self._done([failed(error, job.target)])

        with self._lock:
            if self._ended:
                return False
            self._open += 1
            self._waiting.append(work)
            self._staff()
            self._work.notify()
        return True

    @property
    def _ended(self) -> bool:
        return self._stopped or self.hopeless is not None

    def _done(self, results: Iterable[Result]) -> None:
        found = list(results)
        with self._lock:
            self._open -= 1
            self._moved += OBJECT_WEIGHT
            for result in found:
                if isinstance(result, Failure):
                    # One that stands beside a result says more of it: the copy is there, and the
                    # source stays.
                    alone = len(found) == 1
                    if (self.hopeless is not None and alone) or result.code == "Interrupted":
                        continue
                    if result.code in _HOPELESS:
                        self.hopeless = result
                        self._open -= len(self._waiting)
                        self._waiting.clear()
                self._results.append(result)
            if not self._open or self.hopeless:
                self._news.notify()

    def _wait(self) -> bool:
        """Wait until all is done or something may be told; return whether jobs are under way."""
        with self._lock:
            if self._open and not self._stopped:
                self._news.wait(_TELL_S)
            return bool(self._open) and not self._stopped

    def _staff(self) -> None:
        """Have a thread for what waits, if more are allowed. Holds the lock."""
        wanted = min(self._allowed, self._at_work + len(self._waiting) + len(self._urgent))
        while len(self._threads) < wanted:
            thread = threading.Thread(target=self._serve, daemon=True, name="transfer")
            try:
                thread.start()
            except RuntimeError as error:
                if not self._threads:
                    sentence = "this system does not let the command start a thread (see ulimit)."
                    raise ClientError(sentence, "NoThreads") from error
                self.most = self._allowed = len(self._threads)
                return
            self._threads.append(thread)

    def _serve(self) -> None:
        while True:
            with self._lock:
                while not self._stopped and not self._next_allowed():
                    self._work.wait()
                if self._stopped and not self._urgent:
                    return
                # Pieces are run also when all is to end: the last one clears up after its job.
                queue = self._urgent or self._waiting
                task = queue.popleft()
                if queue is self._urgent and not queue:
                    self._work.notify(self._allowed)
                self._at_work += 1
                if len(self._waiting) == _WAITING_LOW:
                    self._news.notify()
            try:
                task()
            finally:
                with self._lock:
                    self._at_work -= 1
                    self._adapt()

    def _next_allowed(self) -> bool:
        if self._urgent:
            return self._at_work < min(self._allowed, self._at_pieces)
        return bool(self._waiting) and self._at_work < self._allowed

    def _adapt(self) -> None:
        """Change the number of threads at work as the last change has done good or harm."""
        now = time.monotonic()
        if not self._adaptive or now - self._since < PERIOD_S:
            return
        speed = self._moved / (now - self._since)
        if speed < self._speed_before * 0.95:
            self._grows = not self._grows
        elif speed < self._speed_before * 1.02:
            # More did not help: fewer threads are in each other's way less.
            self._grows = False
        step = max(2, self._allowed // 4)
        self._allowed = min(self.most, max(2, self._allowed + (step if self._grows else -step)))
        self._since, self._moved, self._speed_before = now, 0, speed
        self._staff()
        self._work.notify(self._allowed)


class Pieces:
    """A job in pieces: the last one to end has the rest done."""

    def __init__(
        self, pool: Pool, finish: Callable[[Exception | None], None], done: Done, target: str
    ) -> None:
        """`finish` gets the first error; it runs in the thread of the last piece.

        It ends the job; should it raise, the job ends with a failure of the target.
        """
        self._pool = pool
        self._finish = finish
        self._done, self._target = done, target
        self._lock = threading.Lock()
        self._left = 0
        self._error: Exception | None = None

    def spread(self, pieces: Iterable[Callable[[], None]]) -> None:
        """Have the pieces done."""
        tasks = [self._task(piece) for piece in pieces]
        self._left = len(tasks)
        if not tasks:
            self._end()
        self._pool.spread(tasks)

    def _end(self) -> None:
        try:
            self._finish(self._error)
        except Exception as error:  # noqa: BLE001 - it is told as the failure of the job
            self._done([failed(error, self._target)])

    def _task(self, piece: Callable[[], None]) -> Callable[[], None]:
        def work() -> None:
            try:
                if self._pool.stopped:
                    raise Interrupted
                if self._error is None:
                    piece()
            except Exception as error:  # noqa: BLE001 - it is the error of the whole job
                self._error = self._error or error
            with self._lock:
                self._left -= 1
                last = not self._left
            if last:
                self._end()

        return work


def failed(error: Exception, target: str, *, goes_on: bool = False) -> Failure:
    """Return what an error of a job is for the user; `goes_on`: what was done of it is kept."""
    if isinstance(error, OSError):
        error = local_error(error, target)
    if not isinstance(error, NeveError):
        return Failure(f"{target}: {type(error).__name__}: {error}", "Failed", target)
    found = failure_of(error, target)
    if goes_on:
        return replace(found, message=f"{found.message} The same command goes on with {target}.")
    return found


def goes_on(error: Exception) -> bool:
    """Whether the same command may do later what failed now, and go on with what is there."""
    return isinstance(error, Interrupted | Unreachable) or (
        isinstance(error, ServerError) and (error.status >= 500 or error.code in _PASSING)
    )


def local_error(error: OSError, target: str) -> ClientError:
    """Return the sentence for what a file or folder of this machine refused."""
    name = error.filename if isinstance(error.filename, str) else target
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ClientError(f"the disk is full: {name} could not be written.", "DiskFull", target)
    if error.errno == errno.ENAMETOOLONG:
        return ClientError(f"{name}: this name is too long for a file.", "BadName", target)
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return ClientError(
            f"{name}: a file and a folder cannot have the same name; keys can.", "BadName", target
        )
    return ClientError(f"{name}: {error.strerror or error}.", "LocalFile", target)
