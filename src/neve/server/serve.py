"""`neve serve`, from the settings to the exit status: check, reserve, open, fork, supervise.

Everything that can be refused is refused before the first process is forked, and the port before
the folder, so that a refusal leaves nothing behind.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import ssl
import sys
from collections.abc import Coroutine
from dataclasses import replace
from importlib import import_module
from typing import Any, NoReturn

import uvloop

from neve.admin.routes import ROUTES as CALLS
from neve.audit.file import AuditFile
from neve.config import Config
from neve.engine.sealing import prepare_key
from neve.engine.store import prepare
from neve.errors import NeveError, StoreRefused
from neve.folder import RootKeys, open_folder, root_keys
from neve.s3.routes import PREFLIGHT, ROUTES
from neve.server import banner, log_stream, logs, tls
from neve.server.logs import AccessLog
from neve.server.prometheus import process_name
from neve.server.shared import SUPERVISOR, Shared
from neve.server.sockets import Reservation, reserve
from neve.server.steward import Steward
from neve.server.supervisor import Supervisor, fork
from neve.server.worker import Worker

_M_ARENA_MAX = -8
ARENAS_MAX = 2


def serve(config: Config) -> int:
    """Serve until stopped; the exit status. Raises: StoreRefused."""
    os.umask(0o027)  # nothing in the folder is for everybody
    logs.set_up("supervisor", config.log_format, config.log_level)
    context = tls.make_context(config.tls_cert, config.tls_key) if config.tls_cert else None
    if config.access_log:
        AccessLog(config.access_log, config.log_format).close()
    if config.audit_log:
        AuditFile(config.audit_log).close()
    _raise_file_limit()
    _bound_arenas()
    s3 = reserve(config.address, "S3", "--address")
    panel = reserve(config.panel_address or config.address, "the panel", "--panel-address")
    config = replace(config, address=s3.address, panel_address=panel.address)
    folder = open_folder(config.folder)
    keys = None
    if not config.root_access_key:
        keys = root_keys(config.folder)
        config = replace(config, root_access_key=keys.access_key, root_secret_key=keys.secret_key)
    try:
        _prepare(config.folder, config.key_file)
        _preload()
        status, again = _supervise(config, s3, panel, context, keys)
    finally:
        folder.close()
        s3.close()
        panel.close()
    if again:
        _start_again()
    return status


def _start_again() -> NoReturn:
    """Become the program as it is installed now, with the same arguments and environment."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _supervise(
    config: Config,
    s3: Reservation,
    panel: Reservation,
    context: ssl.SSLContext | None,
    keys: RootKeys | None,
) -> tuple[int, bool]:
    """Return the exit status, and whether the server was told to start again."""
    shared = Shared(config.workers)
    log_stream.keep(shared, process_name(SUPERVISOR))
    scheme = "https" if context else "http"
    endpoint = banner.endpoint_of(scheme, *s3.address)
    status = banner.endpoint_of(scheme, *panel.address)

    def worker(slot: int) -> int:
        panel.close()
        return _run_child(config, shared, Worker(config, shared, s3, context).serve())

    def steward(slot: int) -> int:
        s3.close()
        return _run_child(config, shared, Steward(config, shared, panel, context).serve())

    def reload() -> None:
        if context is not None:
            tls.reload(context, config.tls_cert, config.tls_key)

    supervisor = Supervisor(
        shared,
        worker,
        steward,
        drain_timeout_s=config.drain_timeout_s,
        hang_s=config.worker_hang_s,
        on_ready=lambda: banner.show(config, endpoint, status, keys),
        on_reload=reload,
    )
    return supervisor.run(), supervisor.again


def _run_child(config: Config, shared: Shared, main: Coroutine[Any, Any, int]) -> int:
    process = process_name(shared.slot)
    logs.set_up(process, config.log_format, config.log_level)
    log_stream.keep(shared, process)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _prepare(folder: str, key_file: str) -> None:
    """Create or recover the store in a process of its own: SQLite must not be open across a fork.

    Raises: StoreRefused.
    """
    read, write = os.pipe2(os.O_CLOEXEC)

    def run() -> int:
        try:
            prepare(folder)
            prepare_key(folder, key_file)
        except (NeveError, OSError) as error:
            os.write(write, str(error).encode()[:4096])
            return 1
        return 0

    pid = fork(run)
    os.close(write)
    with open(read, "rb") as stream:
        message = stream.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise StoreRefused(message or f"The store in {folder} could not be opened: see the log.")


def _preload() -> None:
    """Import what workers would import at their start, so that they share it."""
    import_module("cryptography.hazmat.primitives.ciphers.aead")
    for route in (*ROUTES, PREFLIGHT):
        if route.module:
            import_module(f"neve.s3.operations.{route.module}")
    for call in CALLS:
        if call.module:
            import_module(f"neve.admin.{call.module}")


def _bound_arenas() -> None:
    """Keep threads from reserving memory each for itself (glibc gives 8 arenas per CPU)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS_MAX)


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets this user have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
