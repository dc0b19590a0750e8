"""The panel in the steward: the application of `neve.panel` on the sockets of the panel's address.

uvicorn parses its HTTP, in the steward's loop; the steward tells it when to end.
"""

import contextlib
import logging
import ssl
from collections.abc import Generator

import uvicorn

from neve import __version__
from neve.config import Config
from neve.panel.app import Panel
from neve.panel.settings import Settings
from neve.server import visitors
from neve.server.patience import PatientProtocol
from neve.server.shared import Shared
from neve.server.sockets import Reservation, listen

DRAIN_S = 5
CONNECTIONS_MAX = 1000


class PanelServer(uvicorn.Server):
    """Serves the panel until `stop`."""

    def __init__(
        self,
        config: Config,
        shared: Shared,
        reservation: Reservation,
        context: ssl.SSLContext | None,
    ) -> None:
        self._reservation = reservation
        app = Panel(settings_of(config, shared)).app()
        own = uvicorn.Config(
            app,
            loop="none",
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=DRAIN_S,
            # Whoever gives the panel a URL has a proxy in front of it, on this machine.
            proxy_headers=bool(config.panel_url),
            forwarded_allow_ips="127.0.0.1,::1",
        )
        own.load()
        own.ssl = context
        super().__init__(own)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    async def run_until_stopped(self) -> None:
        """Serve until `stop` was called and requests in flight are answered."""
        await self.serve(listen(self._reservation))

    def stop(self) -> None:
        """Begin to end."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the steward's."""
        yield


def settings_of(config: Config, shared: Shared) -> Settings:
    """Return what the panel needs to know of the server."""
    secure = bool(config.tls_cert)
    s3 = config.address
    host = s3.host if s3.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    host = f"[{host}]" if ":" in host else host

    def on_behalf(address: str, secure: bool) -> dict[str, str]:
        said = visitors.introduction(shared.visitor_token, address, secure=secure)
        return {visitors.HEADER.decode(): said}

    return Settings(
        upstream=f"{'https' if secure else 'http'}://{host}:{s3.port}",
        s3_port=s3.port,
        s3_secure=secure,
        region=config.region,
        version=__version__,
        server_url=config.server_url,
        panel_url=config.panel_url,
        on_behalf=on_behalf,
    )
