"""The threads of transfers: how many are at what, and what is not finished when all is to end."""

import threading
from collections.abc import Callable

import pytest

from neve.cli.output import Failure
from neve.cli.transfer.body import Interrupted
from neve.cli.transfer.pool import AT_PIECES_MAX, WORKERS_FIRST, Done, Job, Pieces, Pool
from neve.cli.transfer.results import Copied
from neve.client.errors import ClientError
from neve.testing.server import wait_until


class Gate:
    """Work that waits until it is let go, and how much of it was under way at once."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = self.most = self.done = 0
        self._lock = threading.Lock()

    def work(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.open.wait(30)
        with self._lock:
            self.inside -= 1
            self.done += 1


def run(pool: Pool, jobs: list[Job], ready: Callable[[], bool], gate: Gate) -> None:
    runner = threading.Thread(target=lambda: list(pool.run(jobs)))
    runner.start()
    try:
        wait_until(ready)
    finally:
        gate.open.set()
        runner.join(30)
    assert not runner.is_alive()


def steady() -> Pool:
    """One that does not look for a better number of threads, which depends on speed."""
    pool = Pool()
    pool._adaptive = False
    return pool


def small(gate: Gate) -> Job:
    def work(done: Done) -> None:
        gate.work()
        done([])

    return Job("small", work)


def large(pool: Pool, gate: Gate, pieces: int) -> Job:
    def begin(done: Done) -> None:
        def finish(error: Exception | None) -> None:
            assert error is None
            done([])

        Pieces(pool, finish, done, "large").spread([gate.work] * pieces)

    return Job("large", begin)


def test_many_small_ones_at_once_and_fewer_pieces() -> None:
    pool, gate = steady(), Gate()
    run(pool, [small(gate)] * 100, lambda: gate.inside == WORKERS_FIRST, gate)
    assert gate.done == 100
    pool, gate = steady(), Gate()
    run(pool, [large(pool, gate, 100)], lambda: gate.inside == AT_PIECES_MAX, gate)
    assert (gate.most, gate.done) == (AT_PIECES_MAX, 100)


def test_after_pieces_as_many_small_ones_as_before() -> None:
    pool, first, second = steady(), Gate(), Gate()
    first.open.set()
    jobs = [large(pool, first, 100), *[small(second)] * 100]
    run(pool, jobs, lambda: second.inside == WORKERS_FIRST, second)
    assert (first.done, second.done) == (100, 100)


@pytest.mark.parametrize("number", [1, 3])
def test_a_fixed_number_holds_for_both(number: int) -> None:
    pool, gate = Pool(number), Gate()
    jobs = [large(pool, gate, 20), *[small(gate)] * 20]
    run(pool, jobs, lambda: gate.inside == number, gate)
    assert (gate.most, gate.done) == (number, 40)


def test_a_job_whose_pieces_were_not_all_done_is_not_finished_as_if_they_were() -> None:
    pool = Pool(1)
    errors: list[Exception | None] = []
    done: list[int] = []

    def piece() -> None:
        done.append(1)
        pool._stopped = True  # As Ctrl-C between two pieces: no piece is under way to fail.

    Pieces(pool, errors.append, lambda results: None, "k").spread([piece, piece])
    for thread in pool._threads:
        thread.join(10)
    assert done == [1]
    assert [type(error) for error in errors] == [Interrupted]


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_a_system_with_few_threads(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    start, left = threading.Thread.start, [allowed]

    def limited(thread: threading.Thread) -> None:
        if thread.name == "transfer":
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    pool, done = Pool(), list[int]()

    def job(number: int) -> Job:
        def work(finish: Done) -> None:
            done.append(number)
            finish([])

        return Job(str(number), work)

    jobs = [job(number) for number in range(300)]
    if not allowed:
        with pytest.raises(ClientError, match="does not let the command start a thread"):
            list(pool.run(jobs))
        return
    assert list(pool.run(jobs)) == []
    assert sorted(done) == list(range(300))


def test_what_is_said_beside_a_result_is_told_when_all_is_hopeless() -> None:
    gate = threading.Event()

    def hopeless(finish: Done) -> None:
        finish([Failure("nothing listens.", "Refused", "a")])
        gate.set()

    def copied(finish: Done) -> None:
        assert gate.wait(30)
        finish([Copied("b", "t", 1), Failure("b stays.", "Refused", "b")])

    def failing(finish: Done) -> None:
        assert gate.wait(30)
        finish([Failure("nothing listens.", "Refused", "c")])

    jobs = [Job("c", failing), Job("b", copied), Job("a", hopeless)]
    told = [result.target for result in Pool().run(jobs) if isinstance(result, Failure)]
    assert sorted(told) == ["a", "b"]
