"""A raw client of the admin API: it signs with the `minio` package, and checks nothing."""

import hashlib
import io
import json
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import MinioAdmin, crypto
from minio import time as minio_time
from minio.credentials import StaticProvider
from minio.signer import sign_v4_s3

from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer

PREFIX = "/minio/admin/v3/"
POOL = urllib3.PoolManager(retries=False, maxsize=4)


class Answer:
    """Status and body of an answer."""

    def __init__(self, status: int, body: bytes, headers: Any, secret: str) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self._secret = secret

    @property
    def json(self) -> Any:
        """The document in the body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code; empty when it is none."""
        return "" if self.status < 300 else self.json["Code"]

    @property
    def unsealed(self) -> Any:
        """The document in the encrypted body."""
        return json.loads(self.plain)

    @property
    def plain(self) -> bytes:
        """The text of the encrypted body."""
        response: Any = _Response(self.body)
        return crypto.decrypt(response, self._secret)


class _Response(io.BytesIO):
    def release_conn(self) -> None:
        pass


class Client:
    """Makes signed requests of one access key."""

    def __init__(
        self, server: LiveServer, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY
    ) -> None:
        self.server = server
        self.access_key = access_key
        self.secret_key = secret_key

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | list[Any] = b"",
        *,
        sealed: bool = False,
        prefix: str = PREFIX,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if sealed:
            data = crypto.encrypt(data, self.secret_key)
        url, signed = self.signed(method, prefix + path, data, headers)
        answer = POOL.request(method, url, body=data, headers=signed)
        return Answer(answer.status, answer.data, answer.headers, self.secret_key)

    def signed(
        self, method: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[str, Any]:
        """The URL of a path and the headers of a request to it."""
        url = urlsplit(self.server.endpoint + path)
        now = minio_time.utcnow()
        digest = hashlib.sha256(data).hexdigest()
        fields: Any = {
            "Host": url.netloc,
            "x-amz-date": minio_time.to_amz_date(now),
            "x-amz-content-sha256": digest,
            **(headers or {}),
        }
        signed: Any = sign_v4_s3(
            method=method,
            url=url,
            region="",
            headers=fields,
            credentials=StaticProvider(self.access_key, self.secret_key).retrieve(),
            content_sha256=digest,
            date=now,
        )
        return url.geturl(), signed

    def minio(self) -> MinioAdmin:
        """The `minio` package's own client of the same keys."""
        host = urlsplit(self.server.endpoint).netloc
        provider = StaticProvider(self.access_key, self.secret_key)
        return MinioAdmin(endpoint=host, credentials=provider, secure=False)
