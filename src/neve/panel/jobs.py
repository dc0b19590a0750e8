"""Work that outlasts its request: emptying a bucket that holds millions.

A job runs in a thread of its own with the keys of who began it, and only that key sees it. Few run
at once, and how far they are is in memory alone: a restart ends them, and what they had done stays
done.
"""

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from neve.client.errors import ClientError

RUNNING_MAX = 8
OF_ONE_KEY_MAX = 4
KEPT_MAX = 200
KEPT_S = 3600.0

log = logging.getLogger("neve.panel")


@dataclass(slots=True)
class Job:
    """One piece of work, written by its own thread alone save for `stop`."""

    kind: str
    about: str
    access_key: str
    total: int
    """How many steps there were when it began, as far as that was known."""
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """How many steps were refused, by the code of the server."""
    error: ClientError | None = None
    """What ended it before its time."""
    ended: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None


class TooMany(Exception):
    """As many jobs as there may be are running, of all or of this key."""


class Jobs:
    """The jobs of this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._all: dict[str, Job] = {}
        self._lock = threading.Lock()

    def begin(self, job: Job, work: Callable[[Job], None]) -> Job:
        """Begin to work; a job of the same kind about the same thing that runs is it already.

        Raises: TooMany.
        """
        with self._lock:
            self._sweep()
            running = [each for each in self._all.values() if each.runs]
            for each in running:
                key = (each.kind, each.about, each.access_key)
                if key == (job.kind, job.about, job.access_key):
                    return each
            own = sum(each.access_key == job.access_key for each in running)
            if len(running) >= RUNNING_MAX or own >= OF_ONE_KEY_MAX:
                raise TooMany
            self._all[job.name] = job
        threading.Thread(target=_run, args=(job, work), name=f"job-{job.kind}", daemon=True).start()
        return job

    def get(self, name: str, access_key: str) -> Job | None:
        """Return a job of that key."""
        with self._lock:
            job = self._all.get(name)
        return job if job is not None and job.access_key == access_key else None

    def _sweep(self) -> None:
        now = time.monotonic()
        ended = [(each.ended, name) for name, each in self._all.items() if each.ended is not None]
        ended.sort()
        for place, (when, name) in enumerate(ended):
            if now - when > KEPT_S or len(ended) - place > KEPT_MAX:
                del self._all[name]


def _run(job: Job, work: Callable[[Job], None]) -> None:
    try:
        work(job)
    except ClientError as error:
        job.error = error
    except Exception as error:
        log.exception("%s of %s failed", job.kind, job.about)
        job.error = ClientError(str(error), "InternalError")
    finally:
        job.ended = time.monotonic()
