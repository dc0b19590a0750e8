"""How fast bytes may go: `--limit-upload` and `--limit-download`, over all threads together."""

import threading
import time
from collections.abc import Callable

BURST_S = 0.25


class Limit:
    """So many bytes per second; 0 is no limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int, stopped: Callable[[], bool]) -> None:
        """Wait until so many bytes may go on, or until it is stopped."""
        if not self._rate or count <= 0:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - BURST_S) + count / self._rate
            until = self._free_at
        while (left := until - time.monotonic()) > 0 and not stopped():
            time.sleep(min(left, 0.1))
