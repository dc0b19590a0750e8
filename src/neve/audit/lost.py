"""Says in the server's log that entries were lost: at once, then at most once a minute."""

import logging
import time

PERIOD_S = 60.0

log = logging.getLogger("neve.audit")


class Lost:
    """Counts what one receiver of the audit log did not get. One thread at a time."""

    def __init__(self, receiver: str) -> None:
        self._receiver = receiver
        self._unsaid = 0
        self._said_at = -PERIOD_S

    def drop(self, count: int, why: str) -> None:
        """Note that entries were lost."""
        self._unsaid += count
        if time.monotonic() - self._said_at >= PERIOD_S:
            self._said_at = time.monotonic()
            self._say(why)

    def works(self) -> None:
        """Note that an entry has arrived."""
        if self._unsaid:
            self._say("it works again")

    def say(self, why: str) -> None:
        """Say what has not been said, as at the end."""
        if self._unsaid:
            self._say(why)

    def _say(self, why: str) -> None:
        log.error("%d audit entries did not get into %s: %s", self._unsaid, self._receiver, why)
        self._unsaid = 0
