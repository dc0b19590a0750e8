"""Requests in the form in which `mc` (2025-11) was recorded to send them, without `mc`.

A request is written as it was recorded: `GET /bkt1/?location=`; the body's form is one of `mc`'s
three. Bodies of the admin API that carry secrets are sealed.
"""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import urllib3
from minio import crypto
from minio import time as minio_time
from minio.credentials import StaticProvider
from minio.signer import _get_signing_key, sign_v4_s3

from neve.testing.server import LiveServer

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SHA256 = "sha256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
CHUNK_BYTES = 64 << 10


class Answer:
    """What came back."""

    def __init__(self, answer: Any) -> None:
        self.status: int = answer.status
        self.headers = answer.headers
        self.body: bytes = answer.data

    @property
    def xml(self) -> ET.Element:
        """The document in the body, its names without namespaces."""
        root = ET.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    @property
    def code(self) -> str | None:
        """The S3 error code, of a HEAD from where mc reads it."""
        return self.headers.get("x-minio-error-code") or self.xml.findtext("Code")


class Wire:
    """Sends requests as mc does; `keys` None is `mc alias set ALIAS URL` with Enter, Enter."""

    def __init__(self, server: LiveServer, keys: tuple[str, str] | None) -> None:
        self._endpoint = server.endpoint
        self._keys = keys
        self._pool = urllib3.PoolManager(retries=False)

    def __call__(
        self,
        recorded: str,
        body: bytes = b"",
        payload: str = SHA256,
        *,
        md5: bool = False,
        sealed: bool = False,
        **headers: str,
    ) -> Answer:
        method, _, target = recorded.partition(" ")
        url = urlsplit(self._endpoint + target)
        if sealed:
            assert self._keys is not None
            body = crypto.encrypt(body, self._keys[1])
        fields: Any = {
            "Host": url.netloc,
            "User-Agent": "MinIO (linux; amd64) minio-go/v7.0.90 mc/RELEASE.2025-08-13",
            "Accept-Encoding": "zstd,gzip",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if md5:
            fields["Content-Md5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        if self._keys is not None:
            body = self._sign(method, url, fields, body, payload)
        answer = self._pool.request(
            method, url.geturl(), body=body, headers=fields, decode_content=True
        )
        return Answer(answer)

    def _sign(self, method: str, url: Any, fields: Any, body: bytes, payload: str) -> bytes:
        """Sign the request in place; return the body as it is sent."""
        assert self._keys is not None
        now = minio_time.utcnow()
        digest = hashlib.sha256(body).hexdigest() if payload == SHA256 else payload
        fields["x-amz-date"] = minio_time.to_amz_date(now)
        fields["x-amz-content-sha256"] = digest
        if payload == STREAMING:
            fields["x-amz-decoded-content-length"] = str(len(body))
        credentials = StaticProvider(*self._keys).retrieve()
        fields.update(
            sign_v4_s3(
                method=method,
                url=url,
                region="us-east-1",
                headers=fields,
                credentials=credentials,
                content_sha256=digest,
                date=now,
            )
        )
        if payload != STREAMING:
            return body
        key = _get_signing_key(self._keys[1], now, "us-east-1", "s3")
        seed = fields["Authorization"].rpartition("Signature=")[2]
        day = minio_time.to_signer_date(now)
        scope = f"{fields['x-amz-date']}\n{day}/us-east-1/s3/aws4_request"
        return _chunks(body, key, scope, seed)


def _chunks(body: bytes, key: bytes, scope: str, previous: str) -> bytes:
    pieces = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
    sent = []
    for piece in [*pieces, b""]:
        digest = hashlib.sha256(piece).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{EMPTY_SHA256}\n{digest}"
        previous = hmac.new(key, text.encode(), "sha256").hexdigest()
        sent.append(b"%x;chunk-signature=%b\r\n%b\r\n" % (len(piece), previous.encode(), piece))
    return b"".join(sent)
