"""Object lock as requests and answers say it: headers, dates, who may see it.

The rules of what a lock holds against are the engine's (`neve.engine.locks`).
"""

from typing import TYPE_CHECKING

from neve.clock import now_us
from neve.engine.locks import (
    COMPLIANCE,
    GOVERNANCE,
    HOLD,
    MODE,
    NAMES,
    UNTIL,
    default_of,
    format_date,
    is_locked_text,
    parse_date,
)
from neve.s3 import rights
from neve.s3.errors import S3Error
from neve.s3.metadata import Metadata, unpack
from neve.s3.response import Headers

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.bucket import Bucket
    from neve.s3.call import Call

MODES = (GOVERNANCE, COMPLIANCE)
_HEADERS = tuple(name.encode() for name in NAMES)
_BYPASS = b"x-amz-bypass-governance-retention"


def set_lock(
    call: "Call", headers: dict[bytes, bytes], metadata: Metadata, *, past: bool = False
) -> None:
    """Add the lock that the headers ask for to the metadata of an object to be written.

    `past`: a retention may have ended already.

    Raises: S3Error InvalidRequest, InvalidArgument.
    """
    if not any(name in headers for name in _HEADERS):
        return
    check_bucket(call.bucket)
    mode, until, hold = (headers.get(name, b"").decode("latin-1") for name in _HEADERS)
    if bool(mode) != bool(until):
        raise S3Error(
            "InvalidArgument",
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied.",
        )
    if mode:
        if mode not in MODES:
            raise _wrong("Unknown wormMode directive.", MODE, mode)
        metadata[MODE] = mode.encode()
        metadata[UNTIL] = future_date(until, past=past).encode()
    if hold:
        if hold not in ("ON", "OFF"):
            raise _wrong("Legal Hold must be either of 'ON' or 'OFF'", HOLD, hold)
        metadata[HOLD] = hold.encode()


def set_default(bucket: "Bucket", metadata: Metadata) -> None:
    """Add the bucket's default retention, unless the object has a retention of its own."""
    if not bucket.locks or MODE in metadata:
        return
    default = default_of(bucket.options)
    if default is not None:
        metadata[MODE] = default.mode.encode()
        metadata[UNTIL] = format_date(default.until_us(now_us())).encode()


def check_bucket(bucket: "Bucket") -> None:
    """Raise S3Error unless the bucket has object lock."""
    if not bucket.locks:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")


def future_date(text: str, *, past: bool = False) -> str:
    """Return the date as it is stored. Raises: S3Error InvalidArgument unless it is to come."""
    try:
        at_us = parse_date(text)
    except (ValueError, OverflowError):
        raise _wrong(
            "The retain until date must be provided in ISO 8601 format", UNTIL, text
        ) from None
    if at_us <= now_us() and not past:
        raise _wrong("The retain until date must be in the future!", UNTIL, text)
    return format_date(at_us)


def _wrong(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def may_bypass(call: "Call", key: str, version: str | None, *, asked: bool = False) -> bool:
    """Say whether the request asks for it, and may pass over a retention in governance mode.

    `asked`: it was asked for at the server that the request comes from.
    """
    if not asked and call.headers.get(_BYPASS, b"").lower() != b"true":
        return False
    return rights.may(call, "s3:BypassGovernanceRetention", call.bucket, key, version)


def lock_headers(call: "Call", row: "ObjectRow") -> Headers:
    """Return the fields of the object's lock that the caller may read."""
    if not call.bucket.locks or not is_locked_text(row.meta):
        return []
    metadata = unpack(row.meta)
    names: list[str] = []
    if rights.may(call, "s3:GetObjectRetention", call.bucket, row.key, call.version):
        names += [MODE, UNTIL]
    if rights.may(call, "s3:GetObjectLegalHold", call.bucket, row.key, call.version):
        names.append(HOLD)
    return [(name.encode(), metadata[name]) for name in names if name in metadata]
