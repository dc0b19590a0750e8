"""Work in the background: one of a kind at once, seen by its own key, bounded."""

import threading

import pytest

from neve.client.errors import ClientError
from neve.panel.jobs import OF_ONE_KEY_MAX, RUNNING_MAX, Job, Jobs, TooMany
from neve.testing.server import wait_until


def test_same_work_is_not_begun_twice_and_is_seen_by_its_key_alone() -> None:
    jobs, go_on = Jobs(), threading.Event()
    first = jobs.begin(Job("empty", "b", "alice", 3), lambda job: bool(go_on.wait(30)) and None)
    assert jobs.begin(Job("empty", "b", "alice", 3), lambda job: None) is first
    assert jobs.begin(Job("empty", "b", "bob", 3), lambda job: None) is not first
    assert jobs.get(first.name, "alice") is first
    assert jobs.get(first.name, "bob") is None
    assert first.runs
    go_on.set()
    wait_until(lambda: not first.runs)
    assert jobs.begin(Job("empty", "b", "alice", 3), lambda job: None) is not first


def test_no_more_than_a_few_run_at_once() -> None:
    jobs, go_on = Jobs(), threading.Event()

    def work(job: Job) -> None:
        go_on.wait(30)

    running = [
        jobs.begin(Job("empty", f"b{i}", f"a{i // OF_ONE_KEY_MAX}", 0), work)
        for i in range(RUNNING_MAX)
    ]
    with pytest.raises(TooMany):
        jobs.begin(Job("empty", "one more", "a", 0), work)
    go_on.set()
    wait_until(lambda: not any(job.runs for job in running))
    jobs.begin(Job("empty", "one more", "a", 0), work)


def test_nobody_takes_all_the_room() -> None:
    jobs, go_on = Jobs(), threading.Event()

    def work(job: Job) -> None:
        go_on.wait(30)

    for i in range(OF_ONE_KEY_MAX):
        jobs.begin(Job("empty", f"b{i}", "a", 0), work)
    with pytest.raises(TooMany):
        jobs.begin(Job("empty", "one more", "a", 0), work)
    jobs.begin(Job("empty", "mine", "b", 0), work)
    go_on.set()


@pytest.mark.parametrize("error", [ClientError("no", "SlowDown"), ValueError("a defect")])
def test_what_ends_it_is_kept(error: Exception) -> None:
    def work(job: Job) -> None:
        job.done += 1
        raise error

    job = Jobs().begin(Job("empty", "b", "a", 2), work)
    wait_until(lambda: not job.runs)
    assert job.error is not None
    assert job.error.code == getattr(error, "code", "InternalError")
    assert job.done == 1
