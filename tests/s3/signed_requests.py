"""Requests signed by botocore, as the HTTP front hands them to the verifier; and that verifier."""

import datetime
import hashlib
from typing import NamedTuple
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from neve.s3.errors import S3Error
from neve.s3.sigv4 import Verifier

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
ENDPOINT = "http://examplebucket.s3.amazonaws.com"
EMPTY = hashlib.sha256(b"").hexdigest()
CLAIM = f"Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request"
NOW = 1_369_353_600.0
"""2013-05-24T00:00:00Z, the day of AWS's published examples."""


class SignedRequest(NamedTuple):
    """The arguments of `Verifier.verify`."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[bytes, bytes]


def sign_by_header(
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    *,
    body: bytes = b"",
    params: object = None,
    secret: str = SECRET_KEY,
    region: str = REGION,
    now: float = NOW,
) -> SignedRequest:
    """Sign as botocore does for S3, with the Authorization header."""
    request = AWSRequest(method, url, headers=headers, data=body, params=params)
    _sign(botocore.auth.S3SigV4Auth(Credentials(ACCESS_KEY, secret), "s3", region), request, now)
    return as_received(method, request)


def sign_by_query(
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    *,
    expires_s: int = 3600,
    now: float = NOW,
) -> SignedRequest:
    """Sign as botocore does for S3, into the URL."""
    request = AWSRequest(method, url, headers=headers)
    credentials = Credentials(ACCESS_KEY, SECRET_KEY)
    auth = botocore.auth.S3SigV4QueryAuth(credentials, "s3", REGION, expires=expires_s)
    _sign(auth, request, now)
    return as_received(method, request)


class _GoAuth(botocore.auth.S3SigV4Auth):
    """Sorts a query as Go does: by name alone, values of one name as they come."""

    def canonical_query_string(self, request: AWSRequest) -> str:
        pieces = urlsplit(request.url).query.split("&")
        return "&".join(sorted(pieces, key=lambda piece: piece.partition("=")[0]))


def sign_as_minio_go(method: str, url: str) -> SignedRequest:
    """Sign as minio-go and `mc` do."""
    request = AWSRequest(method, url)
    _sign(_GoAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION), request, NOW)
    return as_received(method, request)


def verifier(now: float = NOW, region: str = REGION, **secrets: str | None) -> Verifier:
    known = {ACCESS_KEY: SECRET_KEY, **secrets}
    return Verifier(known.get, region, now=lambda: now)


def refusal(request: SignedRequest, by: Verifier | None = None) -> S3Error:
    with pytest.raises(S3Error) as caught:
        (by or verifier()).verify(*request)
    return caught.value


def changed(request: SignedRequest, **headers: str | None) -> SignedRequest:
    """The request with headers (`_` for `-` in names) replaced, added or, None, removed."""
    kept = dict(request.headers)
    for name, value in headers.items():
        kept.pop(name.replace("_", "-").encode(), None)
        if value is not None:
            kept[name.replace("_", "-").encode()] = value.encode()
    return request._replace(headers=kept)


def authorization(request: SignedRequest, old: str, new: str) -> SignedRequest:
    text = request.headers[b"authorization"].decode()
    assert old in text
    return changed(request, authorization=text.replace(old, new))


def query(request: SignedRequest, old: str, new: str) -> SignedRequest:
    text = request.raw_query.decode()
    assert old in text
    return request._replace(raw_query=text.replace(old, new).encode())


def _sign(auth: botocore.auth.SigV4Auth, request: AWSRequest, now: float) -> None:
    when = datetime.datetime.fromtimestamp(now, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", lambda: when):
        auth.add_auth(request)


def as_received(method: str, request: AWSRequest) -> SignedRequest:
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers: dict[bytes, bytes] = {b"host": parts.netloc.encode()}
    for name, value in prepared.headers.items():
        text = value if isinstance(value, bytes) else str(value).encode()
        headers[name.lower().encode()] = text
    return SignedRequest(method, parts.path.encode(), parts.query.encode(), headers)
