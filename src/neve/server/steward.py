"""The steward process: everything periodic, and the panel.

All jobs run in one thread, because the engine's jobs share its commit side. A job that fails is
logged and tried again later and later; it never stops the others. When the server stops, the
steward waits for the workers, then leaves the store marked as ended in order.
"""

import asyncio
import heapq
import logging
import os
import signal
import ssl
import threading
import time
from collections.abc import Callable

from neve.config import Config
from neve.engine.counting import stored
from neve.engine.engine import Engine
from neve.engine.jobs import Job, Jobs
from neve.engine.scrub import findings
from neve.engine.store import finish, open_engine
from neve.errors import StoreReadOnly
from neve.s3.metadata import tags_in
from neve.server import tls
from neve.server.metrics import Metrics
from neve.server.recorder import Recorder
from neve.server.shared import READY, STEWARD, SUPERVISOR, Shared
from neve.server.sockets import Reservation

BEAT_S = 1.0
REPORT_S = 2.0
HISTORY_S = 1.0
"""How often is looked whether the history's next step has begun."""
RETRY_MAX_S = 600.0
WAIT_STEP_S = 0.02

log = logging.getLogger("neve.steward")


class JobRunner:
    """Runs jobs when they are due, in a thread of its own, which also makes them."""

    def __init__(self, make_jobs: Callable[[], list[Job]], metrics: Metrics) -> None:
        self._make_jobs = make_jobs
        self._metrics = metrics
        self._stop = threading.Event()
        self._failures: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let the job that runs end, then end the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        # Here and not before: readers of the catalog belong to the thread that made them.
        jobs = self._make_jobs()
        now = time.monotonic()
        queue = [(now + job.period_s, order, job) for order, job in enumerate(jobs)]
        heapq.heapify(queue)
        for job in jobs:
            self._metrics.planned(job.name, job.period_s)
        while queue:
            due, order, job = queue[0]
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            delay = self.run_once(job)
            heapq.heapreplace(queue, (time.monotonic() + delay, order, job))

    def run_once(self, job: Job) -> float:
        """Run a job now; return after how many seconds to run it again."""
        started = time.monotonic()
        try:
            outcome = job.run()
        except StoreReadOnly as error:
            # A sync failed: nothing this process did since is sure. The supervisor starts another.
            log.critical("job %s: %s", job.name, error)
            os._exit(1)
        except Exception:
            failures = self._failures[job.name] = self._failures.get(job.name, 0) + 1
            delay = min(max(RETRY_MAX_S, job.period_s), job.period_s * 2.0 ** min(failures, 32))
            log.exception("job %s failed; trying again in %.0f s", job.name, delay)
            took_s = time.monotonic() - started
            self._metrics.job(job.name, took_s, failed=True, next_s=delay)
            return delay
        self._failures.pop(job.name, None)
        period_s: float = job.period_s
        took_s = time.monotonic() - started
        self._metrics.job(job.name, took_s, failed=False, next_s=period_s)
        if isinstance(outcome, dict):
            for name, value in outcome.items():
                self._metrics.figure(f"{job.name}_{name}".replace("-", "_"), value)
        return period_s


class Steward:
    """What the steward process consists of."""

    def __init__(
        self,
        config: Config,
        shared: Shared,
        reservation: Reservation,
        context: ssl.SSLContext | None,
    ) -> None:
        self.config = config
        self.shared = shared
        self.reservation = reservation
        self.context = context
        self.metrics = Metrics(shared)
        self.recorder: Recorder | None = None

    async def serve(self) -> int:
        """Work until SIGTERM, then until the workers are gone; the exit status."""
        config = self.config
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        engine = open_engine(
            config.folder,
            self.shared,
            durable=config.durability == "full",
            free_bytes_min=config.disk_reserve_bytes,
        )
        engine.start()
        runner = JobRunner(lambda: self._jobs(engine), self.metrics)
        runner.start()
        # Here, and not where the supervisor would have it in memory as well.
        from neve.server.panel import PanelServer

        panel = PanelServer(config, self.shared, self.reservation, self.context)
        serving = loop.create_task(panel.run_until_stopped())
        self.shared.enter(READY)
        beat = loop.create_task(self._beat())
        await stopping.wait()
        await self._wait_for_workers()
        panel.stop()
        await serving
        await loop.run_in_executor(None, runner.stop)
        if self.recorder is not None:
            self.recorder.close()
        await engine.close()
        beat.cancel()
        if not self.shared.crashes:
            finish(config.folder)
        return 0

    def _jobs(self, engine: Engine) -> list[Job]:
        jobs = Jobs(
            engine,
            oldest_read_us=self.shared.oldest_read_us,
            scrub_bytes_per_s=self.config.scrub_bytes_per_s,
            upload_days_max=self.config.upload_expiry_s / 86400,
            tags_of=tags_in,
            lifecycle_period_s=self.config.lifecycle_interval_s,
            lifecycle_day_us=int(self.config.lifecycle_day_s * 1e6),
        )

        def report() -> None:
            """Publish what the jobs have come to."""
            place, reclaimer = jobs.scrubber.place(), jobs.reclaimer
            counts, walked_us = jobs.expirer.counts, jobs.expirer.place().finished_us
            for name, value in (
                ("scrub_findings", len(findings(engine.catalog.reader()))),
                ("scrub_walk_objects", place.objects),
                ("scrub_walk_bytes", place.bytes),
                ("scrub_finished_seconds", place.finished_us // 1_000_000),
                ("reclaimed_files_total", reclaimer.files_freed),
                ("reclaimed_segments_total", reclaimer.segments_freed),
                ("compacted_bytes_total", reclaimer.bytes_moved),
                ("lifecycle_rules", counts.rules),
                ("lifecycle_walks_total", counts.walks),
                ("lifecycle_finished_seconds", walked_us // 1_000_000),
                ("lifecycle_objects_total", counts.objects),
                ("lifecycle_versions_total", counts.versions),
                ("lifecycle_markers_total", counts.markers),
                ("lifecycle_uploads_total", counts.uploads),
                ("lifecycle_refused_total", counts.locked),
            ):
                self.metrics.figure(name, value)

        reader = engine.catalog.reader()
        self.recorder = Recorder(self.shared, self.config.folder, lambda: stored(reader))
        return [
            *jobs.all(),
            Job("report", REPORT_S, report),
            Job("history", HISTORY_S, self.recorder.run),
        ]

    def _reload(self) -> None:
        if self.context is not None:
            tls.reload(self.context, self.config.tls_cert, self.config.tls_key)

    async def _beat(self) -> None:
        while True:
            self.shared.beat()
            await asyncio.sleep(BEAT_S)

    async def _wait_for_workers(self) -> None:
        """Return when no worker has the folder open; the supervisor sees to it that it ends."""
        own = (SUPERVISOR, STEWARD)
        while any(self.shared.pid(slot) for slot in self.shared.slots() if slot not in own):
            await asyncio.sleep(WAIT_STEP_S)
