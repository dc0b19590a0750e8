"""The verifier of AWS signatures: who signed a request, and how to check its body.

It decides nothing about rights, reads no body and opens no socket. What it returns is that the
holder of a secret signed exactly this method, path, query and these headers, not long ago.

Invariants: the secret is asked for at every request, so a revoked key fails at once; the caches
hold derivations, never verdicts, and a claim only once its signature held; signatures are compared
in constant time; only `S3Error` is raised, whatever the bytes.
"""

import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from neve.s3 import sigv2
from neve.s3.claims import (
    UNSUPPORTED_MECHANISM,
    Claim,
    credential_malformed,
    header_malformed,
    invalid_argument,
    invalid_token,
    iso,
    mismatch,
    parse_authorization,
    parse_credential,
    parse_expires,
    parse_mail_date,
    parse_parameters,
    query_malformed,
    unknown_key,
    wrong_day,
    wrong_region,
)
from neve.s3.errors import S3Error
from neve.signing import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    canonical_path,
    canonical_query,
    canonical_request,
    raw_query_sorted,
    signing_key,
    string_to_sign,
)

UNSIGNED: Final = 0
SHA256: Final = 1
STREAM_SIGNED: Final = 2
STREAM_SIGNED_TRAILER: Final = 3
STREAM_UNSIGNED_TRAILER: Final = 4

HEADER: Final = "REST-HEADER"
QUERY: Final = "REST-QUERY-STRING"

AUTHORIZATIONS_MAX = 2048
SIGNING_KEYS_MAX = 1024
DATES_MAX = 256
AUTHORIZATION_BYTES_MAX = 1024
"""Bounds of the caches; a full one is emptied, which costs some microseconds and no correctness."""

_STREAMS = {
    b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD": STREAM_SIGNED,
    b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": STREAM_SIGNED_TRAILER,
    b"STREAMING-UNSIGNED-PAYLOAD-TRAILER": STREAM_UNSIGNED_TRAILER,
}
_QUERY_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)
_IS_SHA256 = re.compile(rb"[0-9a-fA-F]{64}").fullmatch
_IS_AMZ_DATE = re.compile(rb"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z").fullmatch

_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query"
    " string parameter or the Authorization header should be specified"
)
_SHA256_FORMS = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
    " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    " or a valid sha256 value."
)
_QUERY_REQUIRED = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential,"
    " X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)


class PayloadSpec:
    """How the body must be verified."""

    __slots__ = (
        "access_key",
        "amz_date",
        "canonical",
        "kind",
        "scope",
        "seed_signature",
        "sha256",
        "signing_key",
    )

    def __init__(self, kind: int, digest: bytes = b"") -> None:
        self.kind = kind
        self.sha256 = digest
        """SHA256 only: the hash in hex as the client wrote it, perhaps not a hash at all."""
        self.access_key = ""
        self.amz_date = self.canonical = self.scope = self.seed_signature = self.signing_key = b""
        """Signed streams only: what the signatures of the frames start from."""


class Authenticated:
    """A request whose signature holds, or one without any (`access_key` is None)."""

    __slots__ = (
        "access_key",
        "auth_type",
        "payload",
        "presigned",
        "signature_age_ms",
        "signature_version",
        "signed_at",
    )

    def __init__(
        self,
        access_key: str | None,
        payload: PayloadSpec,
        auth_type: str,
        signed_at: float,
        signature_age_ms: int,
    ) -> None:
        self.access_key = access_key
        self.payload = payload
        self.auth_type = auth_type
        """`REST-HEADER`, `REST-QUERY-STRING` or empty."""
        self.presigned = auth_type is QUERY
        self.signature_version = "AWS4-HMAC-SHA256" if access_key is not None else ""
        self.signed_at = signed_at
        self.signature_age_ms = signature_age_ms


class Verifier:
    """Verify requests against the secrets of one server. One object per worker; keeps caches."""

    def __init__(
        self,
        secret_of: Callable[[str], str | None],
        region: str,
        *,
        now: Callable[[], float] = time.time,
        skew_s: int = 900,
    ) -> None:
        self._secret_of = secret_of
        self.region = region.encode()
        self.domains: list[bytes] = []
        """Suffixes under which buckets are host names; the pipeline sets those it routes by."""
        self.now = now
        self._skew_s = skew_s
        self._claims: dict[bytes, Claim] = {}
        self._keys: dict[tuple[str, bytes], bytes] = {}
        self._dates: dict[bytes, float] = {}

    def verify(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: Mapping[bytes, bytes],
        *,
        any_region: bool = False,
    ) -> Authenticated:
        """Return who signed the request. Raises S3Error when the signature does not hold.

        `headers` maps lower-case names to raw values, repeated ones joined with a comma. With
        `any_region` the region of the credential is not compared (GetBucketLocation).
        """
        authorization = headers.get(b"authorization", b"")
        if raw_query and (b"X-Amz-" in raw_query or b"Signature=" in raw_query):
            parameters = parse_parameters(raw_query)
            if "X-Amz-Algorithm" in parameters or "X-Amz-Signature" in parameters:
                if authorization:
                    raise invalid_argument(_ONE_MECHANISM, authorization)
                request = (method, raw_path, raw_query)
                return self._verify_query(request, headers, parameters, any_region)
            if "Signature" in parameters and "AWSAccessKeyId" in parameters:
                if authorization:
                    raise invalid_argument(_ONE_MECHANISM, authorization)
                now = self.now()
                old = sigv2.parse_presigned(parameters, headers, now)
                # It does not say when it was signed: older than any policy may allow.
                return self._verify_old((method, raw_path, raw_query), headers, old, QUERY, 0, now)
        if not authorization:
            return _anonymous(headers)
        return self._verify_header(method, raw_path, raw_query, headers, authorization, any_region)

    def _verify_header(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: Mapping[bytes, bytes],
        authorization: bytes,
        any_region: bool,
    ) -> Authenticated:
        prefix, _, signature = authorization.strip().rpartition(b"Signature=")
        claim = self._claims.get(prefix)
        known = claim is not None
        if claim is None:
            if authorization.lstrip().startswith(b"AWS "):
                request = (method, raw_path, raw_query)
                return self._verify_old_header(request, headers, authorization)
            claim, signature = parse_authorization(authorization)
        if b"x-amz-security-token" in headers:
            raise invalid_token(headers[b"x-amz-security-token"])
        digest = headers.get(b"x-amz-content-sha256", b"")
        text = headers.get(b"x-amz-date") or headers.get(b"date") or b""
        amz_date, signed_at = self._date_of(text)
        if self.region != claim.region and self.region and not any_region:
            raise wrong_region(header_malformed, claim.region, self.region)
        if amz_date[:8] != claim.date:
            raise header_malformed(wrong_day(claim.date, amz_date[:8]))
        now = self.now()
        if not -self._skew_s <= now - signed_at <= self._skew_s:
            raise self._skewed(amz_date, now)
        payload = _payload_of(digest)
        key = self.signing_key_of(claim)
        claim.check_signed(headers)
        request = (method, raw_path, raw_query)
        canonical = _check(request, headers, claim, digest, amz_date, key, signature)
        if not known:
            self._remember(prefix, claim, authorization)
        if payload.kind > SHA256:
            payload.access_key = claim.access_key
            payload.amz_date = amz_date
            payload.canonical = canonical
            payload.scope = claim.scope
            payload.seed_signature = signature
            payload.signing_key = key
        age_ms = int((now - signed_at) * 1000)
        return Authenticated(claim.access_key, payload, HEADER, signed_at, age_ms)

    def _verify_query(
        self,
        request: tuple[str, bytes, bytes],
        headers: Mapping[bytes, bytes],
        parameters: dict[str, bytes],
        any_region: bool,
    ) -> Authenticated:
        values = [parameters.get(name, b"") for name in _QUERY_NAMES]
        if not all(values):
            raise query_malformed(_QUERY_REQUIRED)
        algorithm, credential, signature, amz_date, signed, lifetime = values
        if algorithm != b"AWS4-HMAC-SHA256":
            if algorithm.startswith(b"AWS4-ECDSA-"):
                raise S3Error("InvalidRequest", UNSUPPORTED_MECHANISM)
            raise query_malformed('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
        access_key, day, region = parse_credential(credential, credential_malformed)
        if self.region != region and self.region and not any_region:
            raise wrong_region(credential_malformed, region, self.region)
        if not _IS_AMZ_DATE(amz_date) or (signed_at := self._epoch_of(amz_date)) is None:
            raise query_malformed(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
            )
        if amz_date[:8] != day:
            raise query_malformed(wrong_day(day, amz_date[:8]))
        if "X-Amz-Security-Token" in parameters or b"x-amz-security-token" in headers:
            raise invalid_token(parameters.get("X-Amz-Security-Token", b""))
        now = self.now()
        self._check_lifetime(parse_expires(lifetime), signed_at, now)
        claim = Claim(access_key, day, region, signed)
        key = self.signing_key_of(claim)
        claim.check_signed(headers)
        digest = headers.get(b"x-amz-content-sha256") or parameters.get("X-Amz-Content-Sha256", b"")
        _check(request, headers, claim, digest or UNSIGNED_PAYLOAD, amz_date, key, signature)
        age_ms = int((now - signed_at) * 1000)
        payload = _unsigned_payload_of(headers, digest)
        return Authenticated(claim.access_key, payload, QUERY, signed_at, age_ms)

    def _verify_old_header(
        self,
        request: tuple[str, bytes, bytes],
        headers: Mapping[bytes, bytes],
        authorization: bytes,
    ) -> Authenticated:
        claim = sigv2.parse_authorization(authorization, headers)
        date = headers.get(b"x-amz-date", claim.date)
        _, signed_at = self._date_of(date)
        now = self.now()
        if not -self._skew_s <= now - signed_at <= self._skew_s:
            raise self._skewed(date, now)
        return self._verify_old(request, headers, claim, HEADER, signed_at, now)

    def _verify_old(
        self,
        request: tuple[str, bytes, bytes],
        headers: Mapping[bytes, bytes],
        claim: sigv2.Claim,
        auth_type: str,
        signed_at: float,
        now: float,
    ) -> Authenticated:
        secret = self.secret(claim.access_key)
        sigv2.check(request, headers, claim, secret, self.domains)
        payload = _unsigned_payload_of(headers, headers.get(b"x-amz-content-sha256", b""))
        age_ms = int((now - signed_at) * 1000)
        found = Authenticated(claim.access_key, payload, auth_type, signed_at, age_ms)
        found.signature_version = sigv2.VERSION
        return found

    def _check_lifetime(self, expires_s: int, signed_at: float, now: float) -> None:
        if signed_at - now > self._skew_s:
            raise S3Error("AccessDenied", "Request is not yet valid", ServerTime=iso(now))
        if now > signed_at + expires_s:
            raise S3Error(
                "AccessDenied",
                "Request has expired",
                **{
                    "X-Amz-Expires": expires_s,
                    "Expires": iso(signed_at + expires_s),
                    "ServerTime": iso(now),
                },
            )

    def secret(self, access_key: str) -> str:
        """Return the secret of an access key. Raises: S3Error InvalidAccessKeyId."""
        secret = self._secret_of(access_key)
        if secret is None:
            raise unknown_key(access_key)
        return secret

    def time_of(self, amz_date: bytes) -> float | None:
        """Return the time of `yyyymmddThhmmssZ`; None when it is not one."""
        return self._epoch_of(amz_date) if _IS_AMZ_DATE(amz_date) else None

    def signing_key_of(self, claim: Claim) -> bytes:
        """Return the key that the claim's signature was made with. Raises as `secret`."""
        secret = self.secret(claim.access_key)
        # The secret is part of what is looked up: a changed secret takes effect at once.
        entry = (secret, claim.scope)
        key = self._keys.get(entry)
        if key is None:
            if len(self._keys) >= SIGNING_KEYS_MAX:
                self._keys.clear()
            key = self._keys[entry] = signing_key(secret.encode(), claim.date, claim.region)
        return key

    def _remember(self, prefix: bytes, claim: Claim, authorization: bytes) -> None:
        """Keep the claim, if its signature comes last: then the prefix is all of the rest."""
        if len(prefix) > AUTHORIZATION_BYTES_MAX or b"," in authorization[len(prefix) :]:
            return
        if len(self._claims) >= AUTHORIZATIONS_MAX:
            self._claims.clear()
        self._claims[prefix] = claim

    def _date_of(self, text: bytes) -> tuple[bytes, float]:
        """Return a date of either form as `x-amz-date` writes it, and its time."""
        epoch = self._dates.get(text)
        if epoch is not None:
            return text, epoch
        if _IS_AMZ_DATE(text):
            epoch = self._epoch_of(text)
        else:
            epoch = parse_mail_date(text)
            if epoch is not None:
                text = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch)).encode()
        if epoch is None:
            message = "AWS authentication requires a valid Date or x-amz-date header"
            raise S3Error("AccessDenied", message)
        return text, epoch

    def _epoch_of(self, amz_date: bytes) -> float | None:
        """Return the time of a date of the right form, or None if no calendar has that day."""
        epoch = self._dates.get(amz_date)
        if epoch is None:
            match = _IS_AMZ_DATE(amz_date)
            assert match is not None
            try:
                year, month, day, hour, minute, second = map(int, match.groups())
                when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            except ValueError:
                return None
            epoch = when.timestamp()
            if len(self._dates) >= DATES_MAX:
                self._dates.clear()
            self._dates[amz_date] = epoch
        return epoch

    def _skewed(self, amz_date: bytes, now: float) -> S3Error:
        return S3Error(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            RequestTime=amz_date.decode(),
            ServerTime=iso(now),
            MaxAllowedSkewMilliseconds=self._skew_s * 1000,
        )


def _check(
    request: tuple[str, bytes, bytes],
    headers: Mapping[bytes, bytes],
    claim: Claim,
    digest: bytes,
    amz_date: bytes,
    key: bytes,
    signature: bytes,
) -> bytes:
    """Return the canonical request that was signed. Raises SignatureDoesNotMatch."""
    method, raw_path, raw_query = request
    path = canonical_path(raw_path)
    query = canonical_query(raw_query)
    block = claim.block(headers)
    canonical = canonical_request(method.encode(), path, query, block, claim.signed, digest)
    text = string_to_sign(amz_date, claim.scope, canonical)
    computed = hmac.digest(key, text, "sha256").hex().encode()
    if hmac.compare_digest(computed, signature):
        return canonical
    # Some clients sign the bytes they send instead of S3's encoding of what they mean; some do not
    # sort the values of one name.
    others = (
        (raw_path, raw_query_sorted(raw_query)),
        (path, canonical_query(raw_query, by_name=True)),
    )
    for other in others:
        if other != (path, query):
            raw = canonical_request(method.encode(), *other, block, claim.signed, digest)
            raw_text = string_to_sign(amz_date, claim.scope, raw)
            computed = hmac.digest(key, raw_text, "sha256").hex().encode()
            if hmac.compare_digest(computed, signature):
                return raw
    raise mismatch(claim.access_key, text, signature, canonical)


def _anonymous(headers: Mapping[bytes, bytes]) -> Authenticated:
    digest = headers.get(b"x-amz-content-sha256", b"")
    if _STREAMS.get(digest, STREAM_UNSIGNED_TRAILER) != STREAM_UNSIGNED_TRAILER:
        raise S3Error(
            "InvalidRequest",
            "Anonymous requests don't support this x-amz-content-sha256 value."
            " Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        )
    return Authenticated(None, _unsigned_payload_of(headers, digest), "", 0.0, 0)


def _payload_of(digest: bytes) -> PayloadSpec:
    """Return the specification of a body whose hash is in a signed header."""
    if digest == EMPTY_SHA256:
        return _EMPTY_PAYLOAD
    if digest == UNSIGNED_PAYLOAD:
        return _UNSIGNED_PAYLOAD
    if _IS_SHA256(digest):
        return PayloadSpec(SHA256, digest)
    if digest in _STREAMS:
        return PayloadSpec(_STREAMS[digest])
    if not digest:
        message = "Missing required header for this request: x-amz-content-sha256"
        raise S3Error("InvalidRequest", message)
    raise invalid_argument(_SHA256_FORMS, digest, "x-amz-content-sha256")


def _unsigned_payload_of(headers: Mapping[bytes, bytes], digest: bytes) -> PayloadSpec:
    """Return the specification of the body of a presigned or anonymous request.

    AWS: a hash that is none is not refused here; it is what the body then fails to match.
    """
    if digest == UNSIGNED_PAYLOAD:
        return _UNSIGNED_PAYLOAD
    if digest:
        stream = _STREAMS.get(digest) == STREAM_UNSIGNED_TRAILER
        return PayloadSpec(STREAM_UNSIGNED_TRAILER) if stream else PayloadSpec(SHA256, digest)
    # Without a signer a client may leave out the header that names the framing. A body that says
    # how long it is without frames has frames: stored as it came, the object would contain them.
    if (
        b"x-amz-decoded-content-length" in headers
        and b"aws-chunked" in headers.get(b"content-encoding", b"").lower()
    ):
        return PayloadSpec(STREAM_UNSIGNED_TRAILER)
    return _UNSIGNED_PAYLOAD


_UNSIGNED_PAYLOAD = PayloadSpec(UNSIGNED)
_EMPTY_PAYLOAD = PayloadSpec(SHA256, EMPTY_SHA256)
