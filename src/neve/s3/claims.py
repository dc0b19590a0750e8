"""What an authorization claims, header or query, parsed and refused with AWS's words.

Nothing here is verified: a claim says who the request says it is from, and which headers it says it
covers. The arithmetic is `neve.signing`, the judgement `neve.s3.sigv4`.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from operator import itemgetter
from typing import Any
from urllib.parse import unquote_to_bytes

from neve.s3.errors import S3Error
from neve.signing import EXPIRES_S_MAX, canonical_value

HEADER_SETS_MAX = 16
HEADER_SET_BYTES_MAX = 512
"""What one claim may remember of the sets of header names that were found covered."""

MAIL_DATE_BYTES_MAX = 64

_HEADER_PARTS = ("Credential", "SignedHeaders", "Signature")
_IS_DAY = re.compile(rb"[0-9]{8}").fullmatch
_IS_NUMBER = re.compile(rb"[+-]?[0-9]{1,18}").fullmatch

UNSUPPORTED_MECHANISM = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided."
    " Check your key and signing method."
)
_CREDENTIAL_FORM = (
    'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
)


class Claim:
    """What an authorization says before its signature: worth keeping, as it repeats all day."""

    __slots__ = (
        "access_key",
        "checked",
        "date",
        "fetch",
        "names",
        "region",
        "scope",
        "signed",
        "template",
    )

    def __init__(self, access_key: bytes, date: bytes, region: bytes, signed: bytes) -> None:
        self.access_key = access_key.decode("utf-8", "replace")
        self.date = date
        self.region = region
        self.scope = b"%b/%b/s3/aws4_request" % (date, region)
        self.signed = signed
        self.names = tuple(signed.lower().split(b";"))
        self.template = b"".join(b"%b:%%b\n" % name.replace(b"%", b"%%") for name in self.names)
        self.fetch: Callable[[Mapping[bytes, bytes]], Any] = itemgetter(*self.names)
        self.checked: set[bytes] = set()
        """Sets of header names, joined, of which nothing that must be signed was left unsigned."""

    def block(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the canonical headers. A signed header that did not arrive counts as empty."""
        block: bytes
        try:
            block = self.template % self.fetch(headers)
        except KeyError:
            block = self.template % tuple(headers.get(name, b"") for name in self.names)
        if b"  " in block or b": " in block or b" \n" in block or b"\t" in block:
            values = [canonical_value(headers.get(name, b"")) for name in self.names]
            block = self.template % tuple(values)
        return block

    def check_signed(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request with a `host` or `x-amz-*` header that the signature does not cover."""
        joined = b"\n".join(headers)
        if joined in self.checked:
            return
        unsigned = [
            name.decode("utf-8", "replace")
            for name in headers
            if name not in self.names and (name == b"host" or name.startswith(b"x-amz-"))
        ]
        if unsigned:
            raise S3Error(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(sorted(unsigned)),
            )
        if len(joined) <= HEADER_SET_BYTES_MAX:
            if len(self.checked) >= HEADER_SETS_MAX:
                self.checked.clear()
            self.checked.add(joined)


def parse_authorization(authorization: bytes) -> tuple[Claim, bytes]:
    """Return the claim of an Authorization header, and its signature."""
    algorithm, space, rest = authorization.strip().partition(b" ")
    if not space:
        message = "Authorization header is invalid -- one and only one ' ' (space) required."
        raise invalid_argument(message, authorization)
    if algorithm.startswith(b"AWS4-ECDSA-"):
        raise S3Error("InvalidRequest", UNSUPPORTED_MECHANISM)
    if algorithm != b"AWS4-HMAC-SHA256":
        raise invalid_argument("Unsupported Authorization Type", authorization)
    components = rest.split(b",")
    if len(components) != len(_HEADER_PARTS):
        raise header_malformed(
            "the authorization header requires three components: Credential, SignedHeaders,"
            " and Signature."
        )
    parts: dict[str, bytes] = {}
    for component in components:
        name, equals, value = component.strip().partition(b"=")
        if not equals:
            raise header_malformed(f'the authorization component "{text_of(name)}" is malformed.')
        parts[text_of(name)] = value
    for part in _HEADER_PARTS:
        if not parts.get(part):
            raise header_malformed(f"missing {part}.")
    access_key, day, region = parse_credential(parts["Credential"], header_malformed)
    return Claim(access_key, day, region, parts["SignedHeaders"]), parts["Signature"]


def parse_credential(
    credential: bytes, malformed: Callable[[str], S3Error]
) -> tuple[bytes, bytes, bytes]:
    """Return access key, day and region."""
    parts = credential.rsplit(b"/", 4)
    if len(parts) != 5:
        raise malformed(_CREDENTIAL_FORM)
    access_key, day, region, service, terminal = parts
    if not access_key:
        raise malformed("a non-empty Access Key (AKID) must be provided in the credential.")
    if not _IS_DAY(day):
        raise malformed(
            f'incorrect date format "{text_of(day)}". This date in the credential must be in the'
            ' format "yyyyMMdd".'
        )
    if service != b"s3":
        raise malformed(f'incorrect service "{text_of(service)}". This endpoint belongs to "s3".')
    if terminal != b"aws4_request":
        raise malformed(
            f'incorrect terminal "{text_of(terminal)}". This endpoint uses "aws4_request".'
        )
    return access_key, day, region


def parse_expires(text: bytes) -> int:
    if not _IS_NUMBER(text):
        raise query_malformed("X-Amz-Expires should be a number")
    expires_s = int(text)
    if expires_s < 0:
        raise query_malformed("X-Amz-Expires must be non-negative")
    if expires_s > EXPIRES_S_MAX:
        raise query_malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires"
            " must be less than 604800 seconds"
        )
    return expires_s


def parse_parameters(raw_query: bytes) -> dict[str, bytes]:
    """Return the decoded parameters; of repeated ones, the first."""
    parameters: dict[str, bytes] = {}
    for piece in raw_query.split(b"&"):
        name, _, value = piece.partition(b"=")
        decoded = unquote_to_bytes(value.replace(b"+", b" "))
        parameters.setdefault(text_of(unquote_to_bytes(name)), decoded)
    return parameters


def parse_mail_date(text: bytes) -> float | None:
    """Return the time of a Date header in the form of mail and HTTP, or None."""
    if len(text) > MAIL_DATE_BYTES_MAX:
        return None
    try:
        when = parsedate_to_datetime(text.decode("ascii"))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # A zone of -0000 leaves it naive; it is UTC all the same.
    epoch = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return epoch if epoch >= 0 else None


def wrong_region(malformed: Callable[[str], S3Error], region: bytes, expected: bytes) -> S3Error:
    error = malformed(f"the region '{text_of(region)}' is wrong; expecting '{text_of(expected)}'")
    error.fields["Region"] = text_of(expected)
    return error


def wrong_day(claimed: bytes, signed: bytes) -> str:
    return (
        f'Invalid credential date "{text_of(claimed)}".'
        f' This date is not the same as X-Amz-Date: "{text_of(signed)}".'
    )


def header_malformed(detail: str) -> S3Error:
    message = f"The authorization header is malformed; {detail}"
    return S3Error("AuthorizationHeaderMalformed", message)


def credential_malformed(detail: str) -> S3Error:
    return query_malformed(f"Error parsing the X-Amz-Credential parameter; {detail}")


def query_malformed(message: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", message)


def invalid_argument(message: str, value: bytes, name: str = "Authorization") -> S3Error:
    return S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=text_of(value))


def invalid_token(token: bytes) -> S3Error:
    message = "The provided token is malformed or otherwise invalid."
    return S3Error("InvalidToken", message, **{"Token-0": text_of(token)})


def unknown_key(access_key: str) -> S3Error:
    message = "The AWS Access Key Id you provided does not exist in our records."
    return S3Error("InvalidAccessKeyId", message, AWSAccessKeyId=access_key)


def iso(epoch: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def mismatch(access_key: str, text: bytes, given: bytes, canonical: bytes | None = None) -> S3Error:
    """Return SignatureDoesNotMatch with what the client needs to find its mistake, as AWS does.

    `text` is what was signed; `canonical` the canonical request, where the signature has one.
    """
    fields: dict[str, str] = {}
    if canonical is not None:
        fields["CanonicalRequest"] = text_of(canonical)
        fields["CanonicalRequestBytes"] = canonical.hex(" ")
    return S3Error(
        "SignatureDoesNotMatch",
        MISMATCH,
        AWSAccessKeyId=access_key,
        StringToSign=text_of(text),
        SignatureProvided=text_of(given),
        StringToSignBytes=text.hex(" "),
        **fields,
    )


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")
