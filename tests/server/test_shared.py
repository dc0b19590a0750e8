"""Memory shared by processes: who writes what, and what is forgotten with a process."""

import os

from neve.server.shared import READY, STEWARD, SUPERVISOR, Shared


def in_child(shared: Shared, slot: int, what: object) -> None:
    """Run `what(shared)` in a forked process that has the slot."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            shared.attach(slot)
            shared.occupy()
            what(shared)  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_generation_bumped_in_another_process_is_seen_here() -> None:
    shared = Shared(2)
    before = shared.bucket_generation()
    in_child(shared, 2, lambda s: s.bump_bucket_generation())
    after = shared.bucket_generation()
    assert after != before
    in_child(shared, 3, lambda s: s.bump_bucket_generation())
    assert shared.bucket_generation() not in (before, after)


def test_generation_never_takes_an_earlier_value_again() -> None:
    shared = Shared(1)
    seen = set()
    for _ in range(10_000):
        shared.bump_bucket_generation()
        seen.add(shared.bucket_generation())
    assert len(seen) == 10_000


def test_generation_fits_its_cell_after_years_of_uptime(monkeypatch) -> None:
    shared = Shared(1)
    monkeypatch.setattr("time.monotonic_ns", lambda: 20 * 365 * 86400 * 10**9)
    shared.bump_bucket_generation()


def test_oldest_read_is_that_of_any_process_until_it_ends() -> None:
    shared = Shared(2)
    assert shared.oldest_read_us() == 0
    in_child(shared, 2, lambda s: s.set_oldest_read(500))
    in_child(shared, 3, lambda s: s.set_oldest_read(300))
    assert shared.oldest_read_us() == 300
    shared.vacate(3)
    assert shared.oldest_read_us() == 500
    shared.vacate(2)
    assert shared.oldest_read_us() == 0


def test_slots_do_not_overlap() -> None:
    shared = Shared(3)
    for slot in shared.slots():
        shared.attach(slot)
        shared.begin(slot)
        shared.occupy()
        shared.enter(READY)
        shared.cells[shared.metric_base] = slot + 1
        shared.cells[shared.metrics_of(slot) + 4095] = slot + 1
    for slot in shared.slots():
        assert shared.pid(slot) == os.getpid()
        assert shared.state(slot) == READY
        assert shared.starts(slot) == 1
        assert shared.cells[shared.metrics_of(slot)] == slot + 1
        assert shared.cells[shared.metrics_of(slot) + 4095] == slot + 1
        assert 0 <= shared.silent_s(slot) < 60
    assert {SUPERVISOR, STEWARD} < set(shared.slots())
