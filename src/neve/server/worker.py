"""A worker process: one event loop that serves S3 on sockets of its own.

It ends in order when told to (SIGTERM): it stops accepting, finishes what is in flight, exits 0. It
ends at once when a sync failed, because nothing after that could be trusted to be on the disk.
"""

import asyncio
import gc
import logging
import signal
import ssl
from typing import cast

from neve.admin.admin import Admin
from neve.answer import Response
from neve.audit.auditor import Auditor
from neve.config import Config
from neve.engine.engine import Engine
from neve.engine.store import open_engine
from neve.iam.directory import Directory
from neve.iam.keyring import store_keyring
from neve.s3.cors import Panel
from neve.s3.pipeline import Pipeline
from neve.s3.sigv4 import Verifier
from neve.server import audit, tls, trail
from neve.server.http import HttpServer
from neve.server.http_limits import HttpLimits
from neve.server.http_request import Request
from neve.server.logs import AccessLog
from neve.server.metrics import Metrics
from neve.server.node import ServerNode
from neve.server.prometheus import process_name
from neve.server.scrape import Scrapers
from neve.server.shared import DRAINING, READY, TRACED, Shared
from neve.server.sockets import Reservation, listen
from neve.server.system import Handler, System
from neve.server.trace import Tracer
from neve.server.trail import RequestTrail

BEAT_S = 1.0

log = logging.getLogger("neve.worker")


class Worker:
    """What one worker process consists of."""

    admin: Admin
    system: System

    def __init__(
        self,
        config: Config,
        shared: Shared,
        reservation: Reservation,
        context: ssl.SSLContext | None,
    ) -> None:
        self.config = config
        self.shared = shared
        self.cells = shared.cells
        self.reservation = reservation
        self.context = context
        self.metrics = Metrics(shared)
        self.access: AccessLog | None = None
        self.auditor: Auditor | None = None
        self.trail: RequestTrail | None = None
        self.process = process_name(shared.slot)
        self.tracer = Tracer(shared, self.process)
        self.failed = False

    async def serve(self) -> int:
        """Serve until SIGTERM; the exit status."""
        config = self.config
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        if config.access_log:
            self.access = AccessLog(config.access_log, config.log_format)
        self.auditor = audit.make(config, self.metrics)
        self.trail = trail.make(config, self.metrics, self.process)

        def on_fatal(error: BaseException) -> None:
            log.critical("the disk refused to sync (%s): this process ends", error)
            self.failed = True
            self.shared.enter(DRAINING)
            loop.call_soon_threadsafe(stopping.set)

        engine = open_engine(
            config.folder,
            self.shared,
            durable=config.durability == "full",
            free_bytes_min=config.disk_reserve_bytes,
            on_fatal=on_fatal,
        )
        engine.committer.figures.observe = self.metrics.committed
        engine.start()
        # Requests leave no cycles behind, so looking for some at every 700 objects is for nothing.
        gc.set_threshold(20_000, 20, 50)
        server = self._server(engine)
        for sock in listen(self.reservation):
            await server.serve(sock)
        self.shared.enter(READY)
        beat = loop.create_task(self._beat(engine, server))
        await stopping.wait()
        self.shared.enter(DRAINING)
        await server.drain(config.drain_timeout_s)
        self.admin.close()
        await engine.close()
        beat.cancel()
        if self.access is not None:
            self.access.close()
        if self.auditor is not None:
            await loop.run_in_executor(None, self.auditor.close)
        if self.trail is not None:
            self.trail.close()
        return 1 if self.failed else 0

    def _server(self, engine: Engine) -> HttpServer:
        config = self.config
        root = {config.root_access_key: config.root_secret_key}
        directory = Directory(engine, store_keyring(config.folder, config.key_file), root)
        skew_s = int(config.clock_skew_max_s)
        verifier = Verifier(directory.secret_of, config.region, skew_s=skew_s)
        pipeline = Pipeline(
            engine,
            verifier,
            region=config.region,
            domains=config.domain,
            cors_origins=config.cors_allow_origins,
            panel=Panel(config.panel_url, config.panel_address.port if config.panel_address else 0),
            directory=directory,
        )
        s3 = cast("Handler", pipeline.handle)  # it knows requests by a protocol of its own
        self.admin = Admin(pipeline, ServerNode(config, self.shared))
        admin = cast("Handler", self.admin.handle)
        self.system = System(config, self.shared, engine, Scrapers(directory), s3, admin)
        return HttpServer(
            self.system.handle,
            limits=http_limits(config),
            ssl=self.context,
            on_done=self._done,
            visitor_token=self.shared.visitor_token,
        )

    def _done(self, request: Request, response: Response, sent: int, seconds: float) -> None:
        """Count an answered request and write it down."""
        body = request.body
        received = body.received or body.length or 0
        status = response.status
        self.metrics.end(request.operation, status, seconds, received, sent, request.error_code)
        if self.access is not None:
            self.access.write(request, status, received, sent, seconds)
        entry = None
        if self.auditor is not None:
            entry = audit.record(
                self.auditor, request, response, received, sent, seconds, self.process
            )
        kept = self.trail
        if kept is not None and (request.error_code or request.operation in kept.operations):
            kept.note(request, response, received, sent, seconds, entry)
        if self.cells[TRACED]:
            self.tracer.note(request, response, received, sent, seconds)

    def _reload(self) -> None:
        if self.context is not None:
            tls.reload(self.context, self.config.tls_cert, self.config.tls_key)
        if self.access is not None:
            self.access.reopen()
        if self.auditor is not None:
            self.auditor.reopen()

    async def _beat(self, engine: Engine, server: HttpServer) -> None:
        """Once a second: say that the loop turns, write out the access log, look at the disk."""
        while True:
            self.shared.beat()
            self.system.look()
            self.metrics.now(server.requests_in_flight, server.connections)
            try:
                engine.check_space()
                engine.store.forget_deleted()
            except OSError as error:
                log.error("the free space cannot be read: %s", error)
            if self.access is not None:
                self.access.flush()
            await asyncio.sleep(BEAT_S)


def http_limits(config: Config) -> HttpLimits:
    """Return the limits of the HTTP front among the settings."""
    names = HttpLimits.__dataclass_fields__
    return HttpLimits(**{name: getattr(config, name) for name in names})
