"""The parent of the server's processes: starts, watches, restarts, drains them. Serves nothing.

    supervisor ── worker × N      S3
               └─ steward         panel and periodic work

It forks after everything is imported, so that the children share its pages. A child that dies is
started again after a back-off, for ever: one bad worker must not stop the service. Children die
with the supervisor (PR_SET_PDEATHSIG) and keep the folder's lock until they are gone.
"""

import ctypes
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

from neve.server.prometheus import process_name
from neve.server.shared import READY, STEWARD, SUPERVISOR, Shared

BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 5.0
HEALTHY_S = 10.0
FIRST_TRIES = 5
"""A child that fails this often before the server was ever ready would fail for ever."""
KILL_GRACE_S = 5.0
"""On top of the drain timeout, before children are killed."""
POLL_S = 1.0
POLL_STARTING_S = 0.01

_PR_SET_PDEATHSIG = 1

log = logging.getLogger("neve.supervisor")

Entry = Callable[[int], int]
"""What a child runs: given its slot, it returns the exit status."""


class Child:
    """A slot's process, or the wait for its next one."""

    __slots__ = ("failures", "pid", "slot", "start_at", "started")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.pid = 0
        self.failures = 0
        self.started = 0.0
        self.start_at = 0.0
        """When to start the next process; only meaningful without a pid."""


class Supervisor:
    """Runs one child per slot until it is told to stop."""

    def __init__(
        self,
        shared: Shared,
        worker: Entry,
        steward: Entry,
        *,
        drain_timeout_s: float,
        hang_s: float,
        on_ready: Callable[[], None],
        on_reload: Callable[[], None],
    ) -> None:
        self._shared = shared
        self._worker = worker
        self._steward = steward
        self._drain_timeout_s = drain_timeout_s
        self._hang_s = hang_s
        self._on_ready = on_ready
        self._on_reload = on_reload
        self._children = [Child(slot) for slot in shared.slots() if slot != SUPERVISOR]
        self._ready = False
        self._kill_at = 0.0
        """When children are killed; 0 while the server is not stopping."""
        self.again = False
        """Whether the server was told to start again once it has ended."""
        self._cut = False
        self._wakeup = (-1, -1)

    def run(self) -> int:
        """Supervise until stopped; 0 when every child has ended in order, else 1."""
        self._shared.begin(SUPERVISOR)
        self._shared.occupy()
        self._shared.enter(READY)
        self._install_signals()
        gc.collect()
        gc.freeze()
        while True:
            self._reap()
            if self._kill_at and not any(child.pid for child in self._children):
                return 1 if self._cut else 0
            self._start_due()
            self._watch()
            self._wait()

    def _install_signals(self) -> None:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = (read, write)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGUSR2,
            signal.SIGCHLD,
        ):
            signal.signal(number, _noted)

    def _wait(self) -> None:
        """Sleep until a signal arrives or something is due."""
        timeout = POLL_S if self._ready else POLL_STARTING_S
        now = time.monotonic()
        for child in self._children:
            if not child.pid and not self._kill_at:
                timeout = min(timeout, max(0.0, child.start_at - now))
        if self._kill_at:
            timeout = min(timeout, max(0.01, self._kill_at - now))
        if select.select([self._wakeup[0]], [], [], timeout)[0]:
            for number in os.read(self._wakeup[0], 4096):
                self._signalled(number)

    def _signalled(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self.again = False
            if self._kill_at:
                log.warning("stopping at once")
                self._kill_at = time.monotonic()
            else:
                self._stop()
        elif number == signal.SIGUSR2 and not self._kill_at:
            self.again = True
            self._stop()
        elif number == signal.SIGHUP:
            log.info("reloading certificates and reopening logs")
            self._on_reload()
            self._send(signal.SIGHUP)

    def _stop(self) -> None:
        what = "restarting" if self.again else "stopping"
        log.info("%s: requests in flight have %g s to end", what, self._drain_timeout_s)
        if self.again:
            notify_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        else:
            notify_systemd("STOPPING=1")
        self._kill_at = time.monotonic() + self._drain_timeout_s + KILL_GRACE_S
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, number)

    def _start_due(self) -> None:
        if self._kill_at:
            return
        now = time.monotonic()
        for child in self._children:
            if not child.pid and now >= child.start_at:
                self._start(child)

    def _start(self, child: Child) -> None:
        self._shared.begin(child.slot)
        entry = self._steward if child.slot == STEWARD else self._worker
        child.started = time.monotonic()
        child.pid = fork(lambda: self._run_child(child.slot, entry))

    def _run_child(self, slot: int, entry: Entry) -> int:
        for descriptor in self._wakeup:
            os.close(descriptor)
        self._shared.attach(slot)
        self._shared.occupy()
        return entry(slot)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in self._children:
                if child.pid == pid:
                    self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        child.pid = 0
        self._shared.vacate(child.slot)
        code = os.waitstatus_to_exitcode(status)
        if self._kill_at and code == -signal.SIGTERM:
            code = 0  # It had not got as far as handling the signal: nothing was in flight.
        if code:
            self._shared.count_crash()
        if self._kill_at:
            self._cut = self._cut or code != 0
            return
        if time.monotonic() - child.started >= HEALTHY_S:
            child.failures = 0
        delay = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2**child.failures)
        child.failures = min(child.failures + 1, 16)
        child.start_at = time.monotonic() + delay
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        name = process_name(child.slot)
        if not self._ready and child.failures >= FIRST_TRIES:
            log.critical("%s %s again: the server cannot start", name, how)
            self._cut = True
            self._stop()
            return
        log.error("%s %s; starting it again in %.1f s", name, how, delay)

    def _watch(self) -> None:
        """Kill what hangs or has not drained in time; tell once that all are ready."""
        now = time.monotonic()
        if self._kill_at and now >= self._kill_at:
            self._cut = True
            self._kill_at = now + POLL_S
            self._send(signal.SIGKILL)
            return
        for child in self._children:
            if child.pid and self._shared.silent_s(child.slot) > self._hang_s:
                log.error("%s hangs: killing it", process_name(child.slot))
                os.kill(child.pid, signal.SIGKILL)
        if not self._ready and not self._kill_at:
            states = (self._shared.state(child.slot) for child in self._children)
            if all(state == READY for state in states):
                self._ready = True
                self._on_ready()
                notify_systemd("READY=1")


def fork(run: Callable[[], int]) -> int:
    """Fork a child that ends with what `run` returns and dies with this process; its pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Until the child has its own. Ctrl-C reaches the whole foreground group; only the
        # supervisor acts on it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            status = run()
    except BaseException:
        log.exception("a process failed")
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def notify_systemd(message: str) -> None:
    """Tell the service manager, if there is one, how far the server is."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    target = "\0" + path[1:] if path[0] == "@" else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(message.encode(), target)
    except OSError as error:
        log.warning("the service manager cannot be told %s: %s", message, error)


def _noted(number: int, frame: object) -> None:
    """Signals arrive through the wakeup descriptor; a handler must only exist."""
