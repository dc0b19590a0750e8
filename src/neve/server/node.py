"""The server as its admin calls see and steer it, from inside a worker (`neve.admin.node`).

A worker tells the supervisor by signal: SIGTERM stops, SIGUSR2 restarts. Frozen is a cell of the
shared memory that each worker looks at once a second (`worker.BEAT_S`).
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from neve.config import Config
from neve.server import log_stream, recorder, trace, upkeep
from neve.server.shared import SUPERVISOR, Shared


class ServerNode:
    """Implements `neve.admin.node.Node`."""

    def __init__(self, config: Config, shared: Shared) -> None:
        self.config = config
        self._shared = shared

    def uptime_s(self) -> float:
        """Seconds since the supervisor was started."""
        return max(0.0, time.time() - self._shared.started_us(SUPERVISOR) / 1e6)

    def processes(self) -> int:
        """How many workers the server has."""
        return self._shared.workers

    def restart(self) -> None:
        """Tell the supervisor to end in order and start again."""
        self._end(signal.SIGUSR2)

    def stop(self) -> None:
        """Tell the supervisor to end in order."""
        self._end(signal.SIGTERM)

    def trace(self, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Give the requests of all workers from now on. Raises: ValueError."""
        return trace.follow(self._shared, trace.parse_filter(query))

    def logs(self, query: Mapping[str, str], deployment: str) -> AsyncIterator[bytes]:
        """Give the last log lines of all processes and those to come."""
        return log_stream.follow_logs(self._shared, log_stream.parse_wanted(query), deployment)

    def last_logs(self, limit: int, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        """Give the last log lines of all processes, the newest last."""
        return log_stream.last_lines(self._shared, limit, wanted)

    def spans(self) -> Collection[str]:
        """How far back the history goes."""
        return recorder.SPANS

    def history(self, span: str, points_max: int) -> dict[str, Any]:
        """What all workers did over the span."""
        return recorder.tell(self._shared.history, span, points_max, int(time.time()))

    def upkeep(self) -> dict[str, Any]:
        """How processes and jobs are, and what all workers have answered."""
        return upkeep.state_of(self._shared)

    def _end(self, number: signal.Signals) -> None:
        # A client that asks at once whether the server is back must not find it before it went.
        self._shared.end()
        os.kill(self._shared.pid(SUPERVISOR), number)

    def freeze(self, frozen: bool) -> None:
        """Tell all workers to refuse S3 requests, or to answer them again."""
        self._shared.freeze(frozen)
