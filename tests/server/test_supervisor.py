"""The supervisor alone, with children that only live and die: restarts, back-off, stopping."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neve.server import supervisor as supervisor_module
from neve.server.shared import READY, STEWARD, Shared
from neve.server.supervisor import Supervisor, fork
from neve.testing.server import wait_until

Entry = Callable[[int], int]


class Family:
    """A supervisor in a process of its own, seen through the shared memory."""

    def __init__(self, shared: Shared, folder: Path, worker: Entry, **options: float) -> None:
        self.shared = shared
        self.ready = folder / "ready"
        limits = {"drain_timeout_s": 5.0, "hang_s": 60.0} | options

        def run() -> int:
            return Supervisor(
                shared,
                worker,
                lambda slot: live(shared),
                on_ready=self.ready.touch,
                on_reload=lambda: None,
                **limits,
            ).run()

        self.pid = fork(run)

    def end(self, number: int = signal.SIGTERM) -> int:
        os.kill(self.pid, number)
        return self.status()

    def status(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def is_up(self) -> bool:
        return all(self.shared.state(slot) == READY for slot in self.shared.slots())


def live(shared: Shared) -> int:
    """A child that is ready until it is told to end."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    shared.enter(READY)
    while not ended:
        time.sleep(0.01)
        shared.beat()
    return 0


@pytest.fixture
def shared() -> Shared:
    return Shared(2)


def test_children_are_started_and_end_in_order(shared: Shared, tmp_path: Path) -> None:
    family = Family(shared, tmp_path, lambda slot: live(shared))
    wait_until(family.ready.exists)
    assert family.is_up()
    assert family.end() == 0
    assert shared.crashes == 0
    assert [shared.pid(slot) for slot in (STEWARD, 2, 3)] == [0, 0, 0]


@pytest.mark.parametrize("slot", [STEWARD, 2])
def test_killed_child_is_replaced_and_its_brother_is_not(
    shared: Shared, tmp_path: Path, slot: int
) -> None:
    family = Family(shared, tmp_path, lambda slot: live(shared))
    wait_until(family.ready.exists)
    before, brother = shared.pid(slot), shared.pid(3)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: shared.pid(slot) not in (0, before) and family.is_up())
    assert shared.pid(3) == brother
    assert shared.starts(slot) == 2
    assert family.end() == 0
    assert shared.crashes == 1


def test_child_that_crashes_again_and_again_does_not_stop_the_service(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_MIN_S", 0.001)
    monkeypatch.setattr(supervisor_module, "BACKOFF_MAX_S", 0.01)
    good = tmp_path / "good"
    good.touch()

    def worker(slot: int) -> int:
        return 3 if slot == 2 and not good.exists() else live(shared)

    family = Family(shared, tmp_path, worker)
    wait_until(family.ready.exists)
    good.unlink()
    os.kill(shared.pid(2), signal.SIGKILL)
    wait_until(lambda: shared.starts(2) > 12)
    assert shared.state(3) == READY
    good.touch()
    wait_until(family.is_up)
    assert family.end() == 0


def test_wait_before_a_restart_doubles_up_to_its_limit(shared: Shared, tmp_path: Path) -> None:
    waits = []
    child = supervisor_module.Child(2)
    boss = Supervisor(
        shared,
        lambda slot: 0,
        lambda slot: 0,
        drain_timeout_s=1,
        hang_s=1,
        on_ready=lambda: None,
        on_reload=lambda: None,
    )
    boss._ready = True
    for _ in range(9):
        child.started = time.monotonic()
        boss._ended(child, 9)
        waits.append(round(child.start_at - time.monotonic(), 1))
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    child.started = time.monotonic() - supervisor_module.HEALTHY_S
    boss._ended(child, 9)
    assert round(child.start_at - time.monotonic(), 1) == 0.1


def test_server_that_cannot_start_gives_up(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_MIN_S", 0.001)
    family = Family(shared, tmp_path, lambda slot: 3)
    assert family.status() == 1
    assert not family.ready.exists()


def test_child_that_does_not_drain_is_killed_in_the_end(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "KILL_GRACE_S", 0.1)

    def deaf(slot: int) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shared.enter(READY)
        while True:
            time.sleep(0.01)
            shared.beat()

    family = Family(shared, tmp_path, deaf, drain_timeout_s=0.1)
    wait_until(family.ready.exists)
    assert family.end() == 1
    assert shared.crashes >= 2


def test_second_signal_cuts(shared: Shared, tmp_path: Path) -> None:
    def slow(slot: int) -> int:
        signal.signal(signal.SIGTERM, lambda *_: (tmp_path / f"told-{slot}").touch())
        shared.enter(READY)
        while True:
            time.sleep(0.01)
            shared.beat()

    family = Family(shared, tmp_path, slow, drain_timeout_s=600)
    wait_until(family.ready.exists)
    os.kill(family.pid, signal.SIGINT)
    wait_until(lambda: (tmp_path / "told-2").exists() and (tmp_path / "told-3").exists())
    start = time.monotonic()
    assert family.end(signal.SIGINT) == 1
    assert time.monotonic() - start < 30


def test_child_that_hangs_is_killed_and_replaced(shared: Shared, tmp_path: Path) -> None:
    family = Family(shared, tmp_path, lambda slot: live(shared), hang_s=1.5)
    wait_until(family.ready.exists)
    hung = shared.pid(2)
    os.kill(hung, signal.SIGSTOP)
    wait_until(lambda: shared.pid(2) not in (0, hung) and family.is_up())
    assert family.end() == 0


def test_children_die_with_a_killed_supervisor(shared: Shared, tmp_path: Path) -> None:
    family = Family(shared, tmp_path, lambda slot: live(shared))
    wait_until(family.ready.exists)
    pids = [shared.pid(slot) for slot in (STEWARD, 2, 3)]
    assert family.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def test_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        shared = Shared(1)
        family = Family(shared, tmp_path, lambda slot: live(shared))
        assert manager.recv(100) == b"READY=1"
        assert family.end() == 0
        assert manager.recv(100) == b"STOPPING=1"
