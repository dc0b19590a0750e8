"""The periodic work of a store, run by the steward; each job is short, bounded and repeatable."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from neve.clock import now_us
from neve.engine.counting import count_on
from neve.engine.engine import Engine
from neve.engine.expire import Expirer
from neve.engine.lifecycle import DAY_US
from neve.engine.reclaim import GRACE_S, Reclaimer
from neve.engine.scrub import Scrubber

UPLOAD_DAYS_MAX = 7.0
SCRUB_SLICE_BYTES = 8 << 20
SCRUB_REST = 50
"""The scrub rests this many times as long as a slice took: it has 2 % of one core at most."""
SCRUB_PERIOD_S = 7 * 86_400.0
"""A new walk begins this long after the last one ended."""
LIFECYCLE_PERIOD_S = 3600.0
LIFECYCLE_SLICE_S = 0.1
LIFECYCLE_REST = 9
"""The walk along the lifecycle rules rests this many times as long as a slice of it took."""


class Job(NamedTuple):
    """Something to do every `period_s` seconds, in a thread of its own process."""

    name: str
    period_s: float
    run: Callable[[], Any]


class Jobs:
    """Builds the jobs on the catalog and blobs of the steward's engine.

    All jobs of a store must run in one thread: they share the engine's commit side, which the
    steward does not use otherwise.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        oldest_read_us: Callable[[], int | None],
        grace_s: float = GRACE_S,
        scrub_bytes_per_s: int = SCRUB_SLICE_BYTES,
        scrub_period_s: float = SCRUB_PERIOD_S,
        upload_days_max: float = UPLOAD_DAYS_MAX,
        tags_of: Callable[[bytes], Mapping[str, str]] = lambda _: {},
        lifecycle_period_s: float = LIFECYCLE_PERIOD_S,
        lifecycle_day_us: int = DAY_US,
    ) -> None:
        """`tags_of` reads the tags in the metadata of an object, which lifecycle rules ask for."""
        self.engine = engine
        self.reclaimer = Reclaimer(
            engine.catalog,
            engine.store,
            oldest_read_us=lambda: oldest_read_us() or 0,
            grace_s=grace_s,
        )
        self.scrubber = Scrubber(engine.catalog, engine.store)
        self.expirer = Expirer(engine, tags_of=tags_of, day_us=lifecycle_day_us)
        self._replayed = False
        self._scrub_rests_until = 0.0
        self._scrub_bytes = scrub_bytes_per_s
        self._scrub_period_us = int(scrub_period_s * 1e6)
        self._upload_days = upload_days_max
        self._lifecycle_rests_until = 0.0
        self._lifecycle_period_us = int(lifecycle_period_s * 1e6)

    def all(self) -> list[Job]:
        reclaimer = self.reclaimer
        return [
            Job("checkpoint", 1.0, self._checkpoint),
            Job("collect", 1.0, reclaimer.collect),
            Job("compact", 10.0, reclaimer.compact),
            Job("sweep-files", 30.0, reclaimer.sweep_files),
            Job("abort-uploads", 3600.0, self._abort_uploads),
            Job("count-prefixes", 30.0, self._count_prefixes),
            Job("scrub", 1.0, self._scrub),
            Job("lifecycle", 1.0, self._lifecycle),
        ]

    def _checkpoint(self) -> dict[str, int]:
        if not self._replayed:
            self.reclaimer.replay_redo()
            self._replayed = True
        self.reclaimer.trim_redo()
        room = self.engine.room
        room.look()
        # On a full disk the log gives its space back, which else it keeps for the next writes.
        return self.engine.catalog.checkpoint(truncate=room.full)

    def _abort_uploads(self) -> int:
        return self.reclaimer.abort_uploads(self._upload_days * 86_400)

    def _count_prefixes(self) -> int:
        return count_on(self.engine.catalog, self.engine.store)

    def _scrub(self) -> bool:
        """A slice of the walk, then a rest; between walks nothing."""
        started = time.monotonic()
        if started < self._scrub_rests_until:
            return False
        finished_us = self.scrubber.place().finished_us
        if finished_us and now_us() - finished_us < self._scrub_period_us:
            return False
        ended = self.scrubber.slice(self._scrub_bytes)
        self._scrub_rests_until = started + (time.monotonic() - started) * SCRUB_REST
        return ended

    def _lifecycle(self) -> bool:
        """A slice of the walk along the rules, then a rest; between walks nothing."""
        started = time.monotonic()
        if started < self._lifecycle_rests_until:
            return False
        place = self.expirer.place()
        # A clock that was set back must not stop the walks.
        since_us = now_us() - place.finished_us
        if not place.started_us and 0 <= since_us < self._lifecycle_period_us:
            return False
        ended = self.expirer.walk(LIFECYCLE_SLICE_S)
        self._lifecycle_rests_until = started + (time.monotonic() - started) * LIFECYCLE_REST
        return ended
