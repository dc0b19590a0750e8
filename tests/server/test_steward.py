"""The steward's jobs: run when due, in one thread; failures put off, not passed on."""

import threading
from collections.abc import Callable

import pytest

from neve.engine.jobs import Job
from neve.server.metrics import Metrics, Totals
from neve.server.shared import STEWARD, Shared
from neve.server.steward import RETRY_MAX_S, JobRunner
from neve.testing.server import wait_until


@pytest.fixture
def shared() -> Shared:
    made = Shared(1)
    made.attach(STEWARD)
    return made


def runner(shared: Shared, *jobs: Job) -> JobRunner:
    return JobRunner(lambda: list(jobs), Metrics(shared))


def fail() -> None:
    raise OSError("the disk is gone")


def test_jobs_are_made_and_run_in_one_thread_which_is_not_ours(shared: Shared) -> None:
    threads: list[threading.Thread] = []

    def make() -> list[Job]:
        threads.append(threading.current_thread())
        return [
            Job(name, 0.001, lambda: threads.append(threading.current_thread())) for name in "ab"
        ]

    each = JobRunner(make, Metrics(shared))
    each.start()
    wait_until(lambda: len(threads) > 10)
    each.stop()
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


def test_frequent_job_does_not_starve_a_rare_one(shared: Shared) -> None:
    runs: list[str] = []
    jobs = [Job(name, period, _note(runs, name)) for name, period in (("a", 0.001), ("b", 0.02))]
    each = runner(shared, *jobs)
    each.start()
    wait_until(lambda: runs.count("b") >= 3)
    each.stop()
    assert runs.count("a") > runs.count("b")


def _note(runs: list[str], name: str) -> Callable[[], None]:
    return lambda: runs.append(name)


def test_failing_job_is_put_off_further_each_time_and_counted(
    shared: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    each = runner(shared)
    job = Job("scrub", 1.0, fail)
    delays = [each.run_once(job) for _ in range(12)]
    assert delays[:4] == [2.0, 4.0, 8.0, 16.0]
    assert delays[-1] == RETRY_MAX_S
    seen = Totals(shared).jobs()[0]
    assert (seen.name, seen.runs, seen.failures, seen.failing) == ("scrub", 12, 12, True)
    assert "the disk is gone" in caplog.text
    assert each.run_once(Job("scrub", 1.0, lambda: None)) == 1.0
    assert not Totals(shared).jobs()[0].failing
    assert each.run_once(job) == 2.0


def test_rare_job_is_not_tried_more_often_because_it_failed(shared: Shared) -> None:
    assert runner(shared).run_once(Job("abort", 3600.0, fail)) == 3600.0


def test_failing_job_does_not_stop_the_others(shared: Shared) -> None:
    runs: list[str] = []
    each = runner(shared, Job("bad", 0.001, fail), Job("good", 0.001, _note(runs, "good")))
    each.start()
    wait_until(lambda: len(runs) > 5)
    each.stop()


def test_figures_of_a_job_carry_its_name(shared: Shared) -> None:
    runner(shared).run_once(Job("abort-uploads", 1.0, lambda: {"done": 3}))
    assert Totals(shared).figures() == {"abort_uploads_done": 3}


def test_stopping_waits_for_the_job_that_runs(shared: Shared) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        may_end.wait(30)
        ended.set()

    each = runner(shared, Job("slow", 0.001, slow))
    each.start()
    assert begun.wait(30)
    threading.Timer(0.05, may_end.set).start()
    each.stop()
    assert ended.is_set()
