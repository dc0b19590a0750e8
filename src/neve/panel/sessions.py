"""Who is logged in: sessions in memory, short, revocable, never on a disk.

A session holds the keys that its requests are signed with, so a key that is revoked or changed ends
what the session can do at once. Its identifier is random, known to one browser only, and made anew
at each login. A restart of the panel ends all sessions.
"""

import secrets
import threading
import time
from dataclasses import dataclass, field

IDLE_S = 30 * 60.0
LIFE_S = 12 * 3600.0
SESSIONS_MAX = 10_000
OF_ONE_KEY_MAX = 20
FLASHES_MAX = 5


@dataclass(slots=True)
class Flash:
    """A message for the next page that is shown."""

    kind: str
    """`done`, `problem` or `note`."""
    text: str
    undo: str = ""
    """Name of what `Session.undo` holds: what the message offers to undo."""


@dataclass(slots=True)
class Session:
    """One login of one browser."""

    access_key: str
    secret_key: str = field(repr=False)
    address: str
    """Where it was begun from."""
    browser: str
    begun: float
    """Unix time, seconds."""
    used: float
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names the session on pages; not the identifier."""
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    flashes: list[Flash] = field(default_factory=list)
    undo: dict[str, object] = field(default_factory=dict)
    """What was done last and can be undone, by a random name."""

    def tell(self, kind: str, text: str, undo: str = "") -> None:
        """Keep a message for the next page."""
        self.flashes = [*self.flashes[-(FLASHES_MAX - 1) :], Flash(kind, text, undo)]

    def take_flashes(self) -> list[Flash]:
        """Return the messages, once."""
        taken, self.flashes = self.flashes, []
        return taken


class Sessions:
    """All sessions, by identifier. Safe to use from several threads."""

    def __init__(self) -> None:
        self._all: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, access_key: str, secret_key: str, address: str, browser: str) -> str:
        """Begin a session; return its identifier. The oldest of too many ends."""
        now = time.time()
        identifier = secrets.token_urlsafe(32)
        with self._lock:
            self._sweep(now)
            own = [(s.used, i) for i, s in self._all.items() if s.access_key == access_key]
            if len(own) >= OF_ONE_KEY_MAX:
                del self._all[min(own)[1]]
            if len(self._all) >= SESSIONS_MAX:
                del self._all[min(self._all, key=lambda i: self._all[i].used)]
            self._all[identifier] = Session(
                access_key, secret_key, address, browser[:200], now, now
            )
        return identifier

    def get(self, identifier: str) -> Session | None:
        """Return a session that still runs, and note that it was used."""
        now = time.time()
        with self._lock:
            session = self._all.get(identifier)
            if session is None:
                return None
            if _over(session, now):
                del self._all[identifier]
                return None
            session.used = now
            return session

    def end(self, identifier: str) -> None:
        """End a session, if it runs."""
        with self._lock:
            self._all.pop(identifier, None)

    def of_key(self, access_key: str) -> list[Session]:
        """Return the running sessions of an access key, the last used first."""
        now = time.time()
        with self._lock:
            self._sweep(now)
            own = [each for each in self._all.values() if each.access_key == access_key]
        return sorted(own, key=lambda each: -each.used)

    def end_others(self, session: Session, mark: str = "") -> int:
        """End the other sessions of the same key, or the one called `mark`; return how many."""
        with self._lock:
            gone = [
                identifier
                for identifier, each in self._all.items()
                if each.access_key == session.access_key
                and each is not session
                and mark in ("", each.mark)
            ]
            for identifier in gone:
                del self._all[identifier]
        return len(gone)

    def _sweep(self, now: float) -> None:
        for identifier in [i for i, each in self._all.items() if _over(each, now)]:
            del self._all[identifier]


def _over(session: Session, now: float) -> bool:
    return now - session.used > IDLE_S or now - session.begun > LIFE_S
