"""AWS Signature Version 2, which boto3 and the AWS command line still presign with by default.

What such an authorization says, and whether its signature holds. Clocks, secrets and bodies are
`neve.s3.sigv4`'s, whose verifier delegates here; nothing here is on the path of its own requests.

Invariants: whatever chooses the operation is signed: method, bucket, key, every `x-amz-*` header
and every sub-resource that the route table knows. Signatures are compared in constant time; only
`S3Error` is raised, whatever the bytes.

Version 2 covers neither the body, nor the host, nor the other fields of a query. So the bucket of a
virtual host is part of what is signed, as the router reads it: a URL signed for one bucket must not
open another by a different Host. `x-amz-*` and Content-Type that were signed must be sent as
headers; boto3 repeats them in a presigned query, where nobody reads them.
"""

import hmac
import re
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from neve.s3.claims import (
    invalid_argument,
    invalid_token,
    iso,
    mismatch,
    text_of,
)
from neve.s3.errors import S3Error
from neve.s3.request import bucket_of_host
from neve.s3.routes import ROUTES

VERSION: Final = "AWS"
"""The value of the condition key `s3:signatureversion`."""

_EXTRAS = (
    "defaultObjectAcl",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "storageClass",
    "versionId",
)
SUBRESOURCES = frozenset(
    name.encode()
    # No version of the protocol signs `list-type`; it only says how a listing is written.
    for name in {route.resource for route in ROUTES}.union(_EXTRAS) - {"", "list-type"}
)
"""Fields of a query that are signed."""

_IS_AUTHORIZATION = re.compile(rb"AWS +([^:\s]+):(\S+)").fullmatch
_IS_EPOCH = re.compile(rb"[0-9]{1,18}").fullmatch


class Claim:
    """Who an authorization says it is from, and what it signed where the date goes."""

    __slots__ = ("access_key", "date", "signature")

    def __init__(self, access_key: bytes, signature: bytes, date: bytes) -> None:
        self.access_key = text_of(access_key)
        self.signature = signature
        self.date = date


def parse_authorization(authorization: bytes, headers: Mapping[bytes, bytes]) -> Claim:
    """Return the claim of a header. Raises: S3Error InvalidArgument, InvalidToken."""
    match = _IS_AUTHORIZATION(authorization.strip())
    if match is None:
        message = "AWS authorization header is invalid. Expected AwsAccessKeyId:signature"
        raise invalid_argument(message, authorization)
    if b"x-amz-security-token" in headers:
        raise invalid_token(headers[b"x-amz-security-token"])
    date = b"" if b"x-amz-date" in headers else headers.get(b"date", b"")
    return Claim(match[1], match[2], date)


def parse_presigned(
    parameters: Mapping[str, bytes], headers: Mapping[bytes, bytes], now: float
) -> Claim:
    """Return the claim of a query that has not expired. Raises: S3Error AccessDenied, InvalidToken.

    `parameters` holds `AWSAccessKeyId` and `Signature`, decoded.
    """
    access_key, signature = parameters["AWSAccessKeyId"], parameters["Signature"]
    expires = parameters.get("Expires", b"")
    if not (access_key and signature and expires):
        raise S3Error(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId"
            " parameters",
        )
    if not _IS_EPOCH(expires):
        message = f"Invalid date (should be seconds since epoch): {text_of(expires)}"
        raise S3Error("AccessDenied", message)
    if now > int(expires):
        times = {"Expires": iso(int(expires)), "ServerTime": iso(now)}
        raise S3Error("AccessDenied", "Request has expired", **times)
    token = parameters.get("x-amz-security-token", headers.get(b"x-amz-security-token"))
    if token is not None:
        raise invalid_token(token)
    # Base64 has no space: it is a `+` that somebody did not escape.
    return Claim(access_key, signature.replace(b" ", b"+"), expires)


def check(
    request: tuple[str, bytes, bytes],
    headers: Mapping[bytes, bytes],
    claim: Claim,
    secret: str,
    domains: list[bytes],
) -> None:
    """Raise SignatureDoesNotMatch unless the holder of `secret` signed the request.

    `request` is method, raw path and raw query; `domains` are those by which it is routed.
    """
    method, raw_path, raw_query = request
    bucket = bucket_of_host(headers.get(b"host", b""), domains)
    path = raw_path if bucket is None else b"/%b%b" % (bucket.encode(), raw_path)
    start = _start(method, headers, claim.date)
    for resource in _resources(path, _signed_fields(raw_query)):
        computed = signature(secret, start + resource)
        if hmac.compare_digest(computed, claim.signature):
            return
    text = start + path + _question(_signed_fields(raw_query))
    raise mismatch(claim.access_key, text, claim.signature)


def signature(secret: str, text: bytes) -> bytes:
    """Return the signature of a string to sign, in base64."""
    return b2a_base64(hmac.digest(secret.encode(), text, "sha1"), newline=False)


def _start(method: str, headers: Mapping[bytes, bytes], date: bytes) -> bytes:
    """Return what is signed before the resource."""
    lines = [
        method.encode(),
        headers.get(b"content-md5", b"").strip(),
        headers.get(b"content-type", b"").strip(),
        date.strip(),
    ]
    names = sorted(name for name in headers if name.startswith(b"x-amz-"))
    lines += [b"%b:%b" % (name, headers[name].strip()) for name in names]
    return b"\n".join(lines) + b"\n"


def _resources(path: bytes, fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the ways in which clients write down one and the same resource."""
    paths = [path]
    if path.find(b"/", 1) < 0 and len(path) > 1:
        paths.append(path + b"/")  # AWS's clients sign a bucket with the slash they do not send.
    elif path.count(b"/") == 2 and path.endswith(b"/"):
        paths.append(path[:-1])
    questions = [_question(fields)]
    if any(value == b"=" for _, value in fields):
        bare = [(name, value if value != b"=" else b"") for name, value in fields]
        questions.append(_question(bare))  # MinIO's clients sign `acl` and send `acl=`.
    return [each + question for each in paths for question in questions]


def _question(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"?" + b"&".join([name + value for name, value in fields]) if fields else b""


def _signed_fields(raw_query: bytes) -> list[tuple[bytes, bytes]]:
    """Return the sub-resources by name, decoded as the router does; a value begins with its `=`."""
    fields = []
    for piece in raw_query.split(b"&"):
        name, equals, value = piece.partition(b"=")
        name = _decoded(name)
        if name in SUBRESOURCES:
            fields.append((name, equals + _decoded(value)))
    fields.sort(key=lambda field: field[0])
    return fields


def _decoded(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))
