"""How many downloads that the panel makes itself (archives) a visitor has at once."""

import threading
import weakref
from collections import Counter
from collections.abc import Callable

OF_ONE_KEY_MAX = 4
OF_ONE_ADDRESS_MAX = 16
"""Without an account: behind one address there may be many people."""


class Downloads:
    """Those under way. Safe to use from several threads."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        # Reentrant: a download may become garbage in any line, also in one that holds the lock.
        self._lock = threading.RLock()

    def begin(self, download: object, access_key: str, address: str) -> Callable[[], object] | None:
        """Count a download; return what is to be called at its end, None when it is one too many.

        One that never came to its end is counted until it is garbage.
        """
        who, most = (access_key, OF_ONE_KEY_MAX) if access_key else (address, OF_ONE_ADDRESS_MAX)
        place = f"{'key' if access_key else 'address'} {who}"
        with self._lock:
            if self._running[place] >= most:
                return None
            self._running[place] += 1
        return weakref.finalize(download, self._end, place)

    def _end(self, place: str) -> None:
        with self._lock:
            self._running[place] -= 1
            if not self._running[place]:
                del self._running[place]
