"""The door to the audit log: what is to be audited goes in here, and out to its receivers.

One per process, made after the fork. `record` may be called by any thread; it makes the line once
and hands it to the file and to the webhook's queue; it neither waits for the network nor raises.
"""

import threading

from neve.audit.entry import ADMIN, READ, WRITE, Category, Entry, encode_line
from neve.audit.file import AuditFile
from neve.audit.webhook import Webhook

_EVENT_OF = {READ: "reads", WRITE: "writes", ADMIN: "admin"}
_REFUSALS = "refusals"
CLOSE_WITHIN_S = 3.0


class Auditor:
    """Writes entries down."""

    def __init__(
        self, events: frozenset[str], file: AuditFile | None, webhook: Webhook | None
    ) -> None:
        """`events` are some of `config.AUDIT_EVENTS`."""
        self._events = events
        self._file = file
        self._webhook = webhook
        self._lock = threading.Lock()

    def record(self, entry: Entry) -> None:
        """Write down what was done, if such things are to be."""
        if not self.wants(entry.category, refused=entry.allowed is False):
            return
        line = encode_line(entry)
        if self._file is not None:
            with self._lock:
                self._file.write(line)
        if self._webhook is not None:
            self._webhook.put(line)

    def wants(self, category: Category, *, refused: bool) -> bool:
        """Say whether such entries are to be written down."""
        events = self._events
        return _EVENT_OF[category] in events or (refused and _REFUSALS in events)

    def reopen(self) -> None:
        """Open the file again, as after a rotation."""
        if self._file is not None:
            with self._lock:
                self._file.reopen()

    def close(self) -> None:
        """Send what is queued, for a few seconds, and end."""
        if self._webhook is not None:
            self._webhook.close(CLOSE_WITHIN_S)
        if self._file is not None:
            self._file.close()
