"""What a worker answers beside S3: health, metrics, the admin API, on paths of no bucket.

The health paths are MinIO's, so that probes and dashboards of a MinIO installation go on working.
Metrics need keys that may read them (`scrape`) unless they were made public.
"""

from collections.abc import Callable
from typing import Any

from neve.answer import Response
from neve.config import Config
from neve.engine.engine import Engine
from neve.s3.errors import S3Error
from neve.s3.response import error_response
from neve.server.http_request import Request
from neve.server.prometheus import render
from neve.server.scrape import Scrapers
from neve.server.shared import READY, Shared
from neve.server.usage_metrics import holders_of

Handler = Callable[[Request], Any]

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_NO_STORE = (b"cache-control", b"no-store")
_ONLINE = (b"x-minio-server-status", b"online")

LIVE = (b"/minio/health/live", b"/neve/health/live")
PROBES = (
    b"/minio/health/ready",
    b"/minio/health/cluster",
    b"/minio/health/cluster/read",
    b"/neve/health/ready",
)
METRICS = (
    b"/minio/v2/metrics/cluster",
    b"/minio/v2/metrics/node",
    b"/minio/metrics/v3",
    b"/neve/metrics",
)
BUCKET_METRICS = b"/minio/v2/metrics/bucket"
ADMIN = (b"/minio/admin/", b"/minio/kms/")


class System:
    """Answers the paths of the system, and hands everything else on."""

    def __init__(
        self,
        config: Config,
        shared: Shared,
        engine: Engine,
        scrapers: Scrapers,
        s3: Handler,
        admin: Handler,
    ) -> None:
        self._config = config
        self._shared = shared
        self._engine = engine
        self._scrapers = scrapers
        self._domains = [b"." + domain.strip(".").lower().encode() for domain in config.domain]
        self._s3 = self._serving = s3
        self._admin = admin
        self._paths: dict[bytes, Callable[[Request], Response]] = {
            **dict.fromkeys(LIVE, self._live),
            **dict.fromkeys(PROBES, self._ready),
            **dict.fromkeys(METRICS, self._metrics),
            BUCKET_METRICS: self._metrics,
        }

    def handle(self, request: Request) -> Any:
        """Answer the request, or return what the S3 pipeline does."""
        own = self._paths.get(request.raw_path)
        if own is None:
            if request.raw_path.startswith(ADMIN) and not self._is_of_bucket(request):
                return self._admin(request)
            return self._s3(request)
        if request.method not in ("GET", "HEAD"):
            return Response(405, [(b"allow", b"GET, HEAD")])
        return own(request)

    def _is_of_bucket(self, request: Request) -> bool:
        """Say whether the host names a bucket: then the path is a key."""
        host = request.headers.get(b"host", b"").partition(b":")[0].lower()
        return any(host.endswith(domain) for domain in self._domains)

    def look(self) -> None:
        """See whether S3 is frozen; called once a second."""
        self._s3 = self._frozen if self._shared.frozen() else self._serving

    def _frozen(self, request: Request) -> Any:
        """Refuse, unless S3 is frozen no more: that holds with the next request."""
        if self._shared.frozen():
            return _refuse(request)
        self.look()
        return self._serving(request)

    def _live(self, request: Request) -> Response:
        return Response(200, [_ONLINE, _NO_STORE])

    def _ready(self, request: Request) -> Response:
        """200 while this worker takes requests; it leaves that state when a sync fails."""
        shared = self._shared
        if shared.ending() or shared.state(shared.slot) != READY:
            return Response(503, [(b"x-minio-server-status", b"offline"), _NO_STORE])
        return Response(200, [_ONLINE, _NO_STORE])

    def _metrics(self, request: Request) -> Response:
        config = self._config
        authorization = request.headers.get(b"authorization", b"")
        if not config.metrics_public and not self._scrapers.allows(authorization):
            challenge = (b"www-authenticate", b'Basic realm="neve", Bearer')
            return Response(401, [challenge], b"Metrics need keys that may read them.\n")
        text = render(self._shared, config.folder, holders_of(self._engine))
        body = b"" if request.method == "HEAD" else text
        return Response(200, [_TEXT, _NO_STORE], body)


def _refuse(request: Request) -> Response:
    request.error_code = "ServiceUnavailable"
    message = "The server is frozen by its administrator: try again later."
    return error_response(
        S3Error("ServiceUnavailable", message),
        head=request.method == "HEAD",
        resource=request.raw_path.decode("utf-8", "replace"),
        request_id=request.id,
    )
