"""The audit log as HTTP requests to a receiver: a bounded queue and a thread that empties it.

A request's body is a batch of lines, as the file has them. Whoever puts a line in never waits for
the network. A batch is sent again, later and later, until the receiver takes it (2xx) or says that
it never will (400, 413, 422); it may then have it twice, and knows by `request_id`.
Invariants: the queue holds at most `queue_bytes_max`; every line is counted when it is put, and
once more as delivered or as dropped, and drops are said in the server's log. Where the counts
outlive the process, they tell what a killed one had in its queue.
"""

import http.client
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from neve import __version__
from neve.audit.lost import Lost

GATHER_S = 0.5
BATCH_BYTES = 512 << 10
BACKOFF_MIN_S = 0.25
BACKOFF_MAX_S = 30.0
TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 64 << 10
_FINAL = frozenset((400, 413, 422))
"""The receiver will not take this batch whenever it is sent; any other status may pass."""

log = logging.getLogger("neve.audit")


class Webhook:
    """Sends lines to a URL. Any thread may put them in."""

    def __init__(
        self,
        url: str,
        token: str,
        count: Callable[[int, int, int], None],
        *,
        queue_bytes_max: int,
        gather_s: float = GATHER_S,
        backoff_max_s: float = BACKOFF_MAX_S,
    ) -> None:
        """`count(put, delivered, dropped)` is told of every line, by one thread at a time."""
        self._url = urlsplit(url)
        self._headers = {
            "Content-Type": "application/x-ndjson",
            "User-Agent": f"Neve/{__version__}",
        }
        if token:
            self._headers["Authorization"] = token if " " in token else f"Bearer {token}"
        self._count = count
        self._queue_bytes_max = queue_bytes_max
        self._gather_s = gather_s
        self._backoff_max_s = backoff_max_s
        self._queue: deque[bytes] = deque()
        self._in_hand: list[bytes] = []
        self._bytes = 0
        """Of the queue and of the batch in hand."""
        self._give_up_at = 0.0
        """When to stop trying; 0 while the server is not stopping."""
        self._changed = threading.Condition()
        self._lost = Lost(f"the audit webhook {self._url.hostname}")
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="audit-webhook", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue the line, or drop it when there is no room."""
        with self._changed:
            self._count(1, 0, 0)
            if self._give_up_at or self._bytes + len(line) > self._queue_bytes_max:
                self._drop(1, "its queue is full")
                return
            self._queue.append(line)
            self._bytes += len(line)
            if len(self._queue) == 1 or self._bytes >= BATCH_BYTES:
                self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Send what is left, as far as that works in time."""
        with self._changed:
            self._give_up_at = time.monotonic() + timeout_s
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            left = len(self._queue) + len(self._in_hand)
            self._queue.clear()
            self._in_hand = []
            if left:
                self._drop(left, "the server has stopped")
            self._lost.say("the server has stopped")

    def _run(self) -> None:
        while (batch := self._take()) and self._deliver(batch):
            pass

    def _take(self) -> list[bytes]:
        """Wait for a batch; empty when the server stops and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._give_up_at)
            full = lambda: self._bytes >= BATCH_BYTES or self._give_up_at  # noqa: E731
            self._changed.wait_for(full, self._gather_s)
            size = 0
            while self._queue and (not size or size + len(self._queue[0]) <= BATCH_BYTES):
                size += len(self._queue[0])
                self._in_hand.append(self._queue.popleft())
            return self._in_hand

    def _deliver(self, batch: list[bytes]) -> bool:
        """Send the batch until it is taken or refused; False when the time to stop has come."""
        body = b"".join(batch)
        delay = BACKOFF_MIN_S
        while True:
            status, why = self._post(body)
            if 200 <= status < 300 or status in _FINAL:
                self._settle(why if status in _FINAL else "")
                return True
            if not self._failing:
                self._failing = True
                log.warning("the audit webhook takes no entries (%s): trying again", why)
            if not self._pause(delay):
                return False
            delay = min(delay * 2, self._backoff_max_s)

    def _pause(self, delay_s: float) -> bool:
        """Wait before the next try; False when there shall be none."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._give_up_at, delay_s):
                return True
            self._changed.wait(BACKOFF_MIN_S)
            return time.monotonic() < self._give_up_at

    def _post(self, body: bytes) -> tuple[int, str]:
        """Send a batch; return (status or 0, why it was not taken)."""
        try:
            connection = self._connection()
            try:
                target = self._url.path or "/"
                if self._url.query:
                    target += "?" + self._url.query
                connection.request("POST", target, body, self._headers)
                answer = connection.getresponse()
                answer.read(ANSWER_BYTES_MAX)
                return answer.status, f"it answered {answer.status}"
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _settle(self, refused: str) -> None:
        """Count the batch in hand as delivered, or as refused for a reason."""
        with self._changed:
            count = len(self._in_hand)
            self._bytes -= sum(map(len, self._in_hand))
            self._in_hand = []
            if refused:
                self._drop(count, refused)
                return
            self._count(0, count, 0)
            self._lost.works()
        if self._failing:
            self._failing = False
            log.info("the audit webhook takes entries again")

    def _drop(self, count: int, why: str) -> None:
        self._count(0, 0, count)
        self._lost.drop(count, why)
