"""What a worker answers beside S3: health, metrics, the admin API, on paths of no bucket.

The health paths are MinIO's, so that probes and dashboards of a MinIO installation go on working.
Metrics need root's keys (HTTP Basic, or the bearer token of `mc admin prometheus generate`) unless
they were made public.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from neve.answer import Response
from neve.config import Config
from neve.engine.engine import Engine
from neve.s3.errors import S3Error
from neve.s3.response import error_response
from neve.server.http_request import Request
from neve.server.prometheus import render
from neve.server.shared import READY, Shared

Handler = Callable[[Request], Any]

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_NO_STORE = (b"cache-control", b"no-store")
_ONLINE = (b"x-minio-server-status", b"online")
_TOKEN_BYTES_MAX = 4096

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
ADMIN = b"/minio/admin/"


class System:
    """Answers the paths of the system, and hands everything else on."""

    def __init__(
        self, config: Config, shared: Shared, engine: Engine, s3: Handler, admin: Handler
    ) -> None:
        self._config = config
        self._shared = shared
        self._engine = engine
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
            if request.raw_path.startswith(ADMIN):
                return self._admin(request)
            return self._s3(request)
        if request.method not in ("GET", "HEAD"):
            return Response(405, [(b"allow", b"GET, HEAD")])
        return own(request)

    def look(self) -> None:
        """See whether S3 is frozen; called once a second."""
        self._s3 = _refuse if self._shared.frozen() else self._serving

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
        if not config.metrics_public and not is_root(
            request.headers.get(b"authorization", b""), config
        ):
            challenge = (b"www-authenticate", b'Basic realm="neve", Bearer')
            return Response(401, [challenge], b"Metrics need root's keys.\n")
        engine = self._engine
        buckets = [(bucket.name, engine.quotas.usage(bucket)) for bucket in engine.buckets()]
        text = render(self._shared, config.folder, buckets)
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


def is_root(authorization: bytes, config: Config) -> bool:
    """Return whether the header proves knowledge of root's secret key."""
    scheme, _, token = authorization.partition(b" ")
    token = token.strip()
    if len(token) > _TOKEN_BYTES_MAX:
        return False
    if scheme.lower() == b"basic":
        expected = f"{config.root_access_key}:{config.root_secret_key}".encode()
        return hmac.compare_digest(_decode(token), expected)
    if scheme.lower() == b"bearer":
        return _is_root_token(token, config)
    return False


def _is_root_token(token: bytes, config: Config) -> bool:
    """Check a JSON web token as MinIO's clients make it: HS512 with root's secret key."""
    signed, _, signature = token.rpartition(b".")
    head, _, claims = signed.partition(b".")
    good = hmac.digest(config.root_secret_key.encode(), signed, hashlib.sha512)
    if not hmac.compare_digest(_decode(signature), good):
        return False
    try:
        algorithm = json.loads(_decode(head))["alg"]
        stated = json.loads(_decode(claims))
        subject = stated.get("sub") or stated.get("accessKey")
        expires = float(stated.get("exp", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return (
        algorithm == "HS512"
        and subject == config.root_access_key
        and (not expires or expires > time.time())
    )


def _decode(text: bytes) -> bytes:
    """Return the bytes of base64 text of either alphabet, padded or not; b"" when it is none."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE) + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
