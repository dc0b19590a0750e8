"""How often logging in may fail: per address and per access key, in a window that slides.

Only failures count. What is kept is bounded: when too many are known, the oldest is forgotten.
"""

import threading
import time
from collections import OrderedDict, deque

WINDOW_S = 300.0
FAILURES_MAX = 10
KNOWN_MAX = 10_000


class Throttle:
    """Failures of late, by who made them. Safe to use from several threads."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, *who: str) -> float:
        """Return how long to wait before another attempt; 0: it may be made now."""
        now = time.monotonic()
        with self._lock:
            return max(0.0, *(self._wait(each, now) for each in who))

    def failed(self, *who: str) -> None:
        """Note a failure."""
        now = time.monotonic()
        with self._lock:
            for each in who:
                self._failures.setdefault(each, deque(maxlen=FAILURES_MAX)).append(now)
                self._failures.move_to_end(each)
            while len(self._failures) > KNOWN_MAX:
                self._failures.popitem(last=False)

    def _wait(self, who: str, now: float) -> float:
        failures = self._failures.get(who)
        if failures is None or len(failures) < FAILURES_MAX:
            return 0.0
        return max(0.0, failures[0] + WINDOW_S - now)
