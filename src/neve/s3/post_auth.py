"""Who signed a browser's form: the signature is on the policy in its `policy` field.

Version 4 signs the field with the key of a day and a region. Version 2 is what boto3 signs forms
with by default in the regions it knows of old; it lacks both, but the policy expires all the same.
A form without a policy is anonymous. The limits in the policy are `neve.s3.post_policy`'s matter.

Invariants: signatures are compared in constant time; a form is either signed whole or not at all.
"""

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from neve.s3 import sigv2
from neve.s3.claims import (
    Claim,
    invalid_argument,
    invalid_token,
    mismatch,
    parse_credential,
    query_malformed,
    text_of,
    wrong_day,
    wrong_region,
)
from neve.s3.errors import S3Error
from neve.s3.sigv4 import UNSIGNED, Authenticated, PayloadSpec
from neve.signing import signature

if TYPE_CHECKING:
    from neve.s3.sigv4 import Verifier

POST: Final = "POST"
"""The value of the condition key `s3:authType`."""

_V4 = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2 = ("awsaccesskeyid", "signature")
_NAMES = {
    "x-amz-algorithm": "X-Amz-Algorithm",
    "x-amz-credential": "X-Amz-Credential",
    "x-amz-date": "X-Amz-Date",
    "x-amz-signature": "X-Amz-Signature",
    "awsaccesskeyid": "AWSAccessKeyId",
}


def authenticate_form(verifier: "Verifier", fields: Mapping[str, bytes]) -> Authenticated:
    """Return who signed the form.

    Raises: S3Error InvalidArgument (a field is missing), SignatureDoesNotMatch, InvalidAccessKeyId.
    """
    payload = PayloadSpec(UNSIGNED)
    if not any(name in fields for name in ("policy", *_V4, *_V2)):
        return Authenticated(None, payload, "", 0.0, 0)
    version_4 = any(name in fields for name in _V4)
    names = (*_V4, "policy") if version_4 else (*_V2, "policy")
    for name in names:
        if not fields.get(name):
            raise missing(_NAMES.get(name, name))
    if "x-amz-security-token" in fields:
        raise invalid_token(fields["x-amz-security-token"])
    return _version_4(verifier, fields, payload) if version_4 else _version_2(verifier, fields)


def missing(name: str) -> S3Error:
    """Return AWS's error of a form that lacks a field."""
    return S3Error(
        "InvalidArgument",
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the"
        " order of the fields.",
        ArgumentName=name,
        ArgumentValue="",
    )


def _version_4(
    verifier: "Verifier", fields: Mapping[str, bytes], payload: PayloadSpec
) -> Authenticated:
    algorithm, credential, amz_date, given = [fields[name] for name in _V4]
    if algorithm != b"AWS4-HMAC-SHA256":
        message = 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'
        raise invalid_argument(message, algorithm, "X-Amz-Algorithm")
    access_key, day, region = parse_credential(credential, _malformed)
    if verifier.region and verifier.region != region:
        raise wrong_region(_malformed, region, verifier.region)
    signed_at = verifier.time_of(amz_date)
    if signed_at is None or amz_date[:8] != day:
        raise query_malformed(wrong_day(day, amz_date[:8]))
    claim = Claim(access_key, day, region, b"host")
    computed = signature(verifier.signing_key_of(claim), fields["policy"])
    if not hmac.compare_digest(computed, given):
        raise mismatch(claim.access_key, fields["policy"], given)
    age_ms = int((verifier.now() - signed_at) * 1000)
    return Authenticated(claim.access_key, payload, POST, signed_at, age_ms)


def _version_2(verifier: "Verifier", fields: Mapping[str, bytes]) -> Authenticated:
    access_key = text_of(fields["awsaccesskeyid"])
    computed = sigv2.signature(verifier.secret(access_key), fields["policy"])
    if not hmac.compare_digest(computed, fields["signature"]):
        raise mismatch(access_key, fields["policy"], fields["signature"])
    now = verifier.now()
    # It does not say when it was signed: older than any policy may allow.
    found = Authenticated(access_key, PayloadSpec(UNSIGNED), POST, 0.0, int(now * 1000))
    found.signature_version = sigv2.VERSION
    return found


def _malformed(detail: str) -> S3Error:
    return query_malformed(f"Error parsing the X-Amz-Credential parameter; {detail}")
