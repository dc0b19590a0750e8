"""Memory shared by the processes of one server: made before the fork, gone with the last of them.

    cell 0            generation of buckets and configuration
    cell 1            processes of this run that crashed
    cell 2            generation of settings: users, groups, policies, access keys
    cell 3            until when requests are traced, monotonic microseconds; 0: they are not
    cell 6            1 once the server was told over the admin API to end
    cell 7            1 while S3 requests are refused (`mc admin service freeze`)
    cell 8 …          one slot of SLOT_CELLS per process: supervisor, steward, then the workers
        +0 pid        0 when no process has the slot
        +1 state      STARTING, READY, DRAINING
        +2 heartbeat  monotonic microseconds, once a second
        +3 reading    begin of the oldest read in progress, microseconds since 1970; 0: none
        +4 starts     how often the slot's process was started
        +5 started    when it was started last, microseconds since 1970
    then              per process, METRIC_CELLS cells that `metrics` lays out

All cells are u64 and each is written by one process only (the generations and the trace excepted),
so no lock is needed: a load or store of an aligned word is whole. Beside them are the rings of what
each process said last, and the history of the server (`history`).
"""

import mmap
import os
import time

from neve.server import visitors
from neve.server.history import History
from neve.server.rings import Rings

STARTING, READY, DRAINING = 1, 2, 3

SUPERVISOR, STEWARD = 0, 1
"""Slots that are not workers; worker N has slot N + 2."""

METRIC_CELLS = 4096
SLOT_CELLS = 8
_HEADER_CELLS = 8
TRACED = 3
"""The cell that is not 0 when somebody may be watching requests: then ask `still_traced`."""
_ENDING, _FROZEN = 6, 7

TRACES_MAX, TRACE_BYTES = 512, 4096
"""Of one worker, until they are overwritten; a watcher reads them every 50 ms."""
LOGS_MAX, LOG_BYTES = 1000, 2048
"""The last log lines of one process."""

_WORD = (1 << 64) - 1

_PID, _STATE, _HEARTBEAT, _READING, _STARTS, _STARTED = range(6)


class Shared:
    """The shared cells. Make it before the fork, `attach` it in each process after."""

    __slots__ = (
        "_base",
        "_map",
        "cells",
        "history",
        "logs",
        "metric_base",
        "slot",
        "traces",
        "visitor_token",
        "workers",
    )

    def __init__(self, workers: int) -> None:
        """Make zeroed memory for `workers` workers, the steward and the supervisor."""
        self.workers = workers
        slots = workers + 2
        cells = _HEADER_CELLS + slots * (SLOT_CELLS + METRIC_CELLS)
        self._map = mmap.mmap(-1, cells * 8)
        self.cells = memoryview(self._map).cast("Q")
        self.history = History()
        self.logs = Rings(slots, LOGS_MAX, LOG_BYTES)
        self.traces = Rings(slots, TRACES_MAX, TRACE_BYTES)
        self.visitor_token = visitors.new_token()
        """What the panel proves itself with to the workers (`neve.server.visitors`)."""
        self.attach(SUPERVISOR)
        self.bump_bucket_generation()
        self.bump_settings_generation()

    def attach(self, slot: int) -> None:
        """Say which slot this process writes."""
        self.slot = slot
        self._base = self._slot(slot)
        self.metric_base = self.metrics_of(slot)

    def metrics_of(self, slot: int) -> int:
        """Return the first metric cell of a slot."""
        return _HEADER_CELLS + (self.workers + 2) * SLOT_CELLS + slot * METRIC_CELLS

    def bucket_generation(self) -> int:
        """Changes after every change of a bucket or of configuration, on every worker at once."""
        return self.cells[0]

    def bump_bucket_generation(self) -> None:
        """Tell all processes that what they know of buckets is old. Call it after the commit.

        The value is a time, not a count: two processes may store at once, and a value that was
        seen before must never come back.
        """
        self.cells[0] = self._moment()

    def settings_generation(self) -> int:
        """Changes after every change of a user, group, policy or access key, on every worker."""
        return self.cells[2]

    def bump_settings_generation(self) -> None:
        """Tell all processes that what they know of identities is old. Call it after the commit."""
        self.cells[2] = self._moment()

    def _moment(self) -> int:
        return (time.monotonic_ns() << 8 | self.slot & 0xFF) & _WORD

    def set_oldest_read(self, at_us: int) -> None:
        """Say since when this process has been reading, 0 when it reads nothing."""
        self.cells[self._base + _READING] = at_us

    def oldest_read_us(self) -> int:
        """Return the begin of the oldest read in progress of any living process, 0 for none."""
        oldest = 0
        for slot in self.slots():
            base = self._slot(slot)
            since = self.cells[base + _READING]
            if since and self.cells[base + _PID] and (not oldest or since < oldest):
                oldest = since
        return oldest

    def trace_for(self, seconds: float) -> None:
        """Say that somebody watches, for so long; to be said again before that is over."""
        self.cells[TRACED] = time.monotonic_ns() // 1000 + int(seconds * 1e6)

    def still_traced(self) -> bool:
        """Say whether somebody watches now."""
        until = self.cells[TRACED]
        if until and until < time.monotonic_ns() // 1000:
            # Who begins to watch just now says so again soon.
            self.cells[TRACED] = until = 0
        return until != 0

    @property
    def crashes(self) -> int:
        """How many processes of this run did not end in order. Written by the supervisor."""
        return self.cells[1]

    def count_crash(self) -> None:
        """Note that a process did not end in order."""
        self.cells[1] += 1

    def ending(self) -> bool:
        """Say whether the server is about to end: it is not ready any more."""
        return bool(self.cells[_ENDING])

    def end(self) -> None:
        """Have the server count as not ready, before it is told to end."""
        self.cells[_ENDING] = 1

    def frozen(self) -> bool:
        """Say whether S3 requests are refused at present."""
        return bool(self.cells[_FROZEN])

    def freeze(self, frozen: bool) -> None:
        """Have all workers refuse S3 requests, or answer them again."""
        self.cells[_FROZEN] = int(frozen)

    def enter(self, state: int) -> None:
        """Tell the others how far this process is."""
        self.cells[self._base + _STATE] = state
        self.beat()

    def beat(self) -> None:
        """Say that this process's loop turns."""
        self.cells[self._base + _HEARTBEAT] = time.monotonic_ns() // 1000

    def state(self, slot: int) -> int:
        """Return what the process of a slot said last."""
        return self.cells[self._slot(slot) + _STATE]

    def silent_s(self, slot: int) -> float:
        """Return for how long the process of a slot has not said anything."""
        last = self.cells[self._slot(slot) + _HEARTBEAT]
        return (time.monotonic_ns() // 1000 - last) / 1e6

    def begin(self, slot: int) -> None:
        """Clear a slot for a process about to be forked."""
        base = self._slot(slot)
        self.cells[base + _STATE] = STARTING
        self.cells[base + _READING] = 0
        self.cells[base + _HEARTBEAT] = time.monotonic_ns() // 1000
        self.cells[base + _STARTS] += 1
        self.cells[base + _STARTED] = time.time_ns() // 1000

    def occupy(self) -> None:
        """Put this process's pid in its slot."""
        self.cells[self._base + _PID] = os.getpid()

    def vacate(self, slot: int) -> None:
        """Forget the process of a slot: it is gone, and so are its reads."""
        base = self._slot(slot)
        self.cells[base + _PID] = 0
        self.cells[base + _STATE] = 0
        self.cells[base + _READING] = 0

    def pid(self, slot: int) -> int:
        """Return the pid in a slot, 0 when it is empty."""
        return self.cells[self._slot(slot) + _PID]

    def starts(self, slot: int) -> int:
        """Return how often the process of a slot was started."""
        return self.cells[self._slot(slot) + _STARTS]

    def started_us(self, slot: int) -> int:
        """Return when the process of a slot was started last."""
        return self.cells[self._slot(slot) + _STARTED]

    def slots(self) -> range:
        """Return all slots."""
        return range(self.workers + 2)

    def _slot(self, slot: int) -> int:
        return _HEADER_CELLS + slot * SLOT_CELLS
