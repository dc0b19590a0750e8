"""GetObjectRetention, PutObjectRetention, GetObjectLegalHold, PutObjectLegalHold: a version's lock.

Supported: versionId, x-amz-bypass-governance-retention. A retention in compliance mode is only ever
prolonged; one in governance mode is shortened, ended or changed to compliance by who may bypass it.
A legal hold goes on and off. Nothing else of the version changes. Ignored: x-amz-request-payer.
"""

from collections.abc import Callable

from neve.catalog.catalog import ObjectRow
from neve.engine.locks import HOLD, MODE, UNTIL
from neve.s3.call import Call, version_headers
from neve.s3.errors import S3Error
from neve.s3.locks import MODES, check_bucket, future_date, may_bypass
from neve.s3.metadata import Metadata, pack, unpack
from neve.s3.response import Response, xml_response
from neve.s3.xml import parse_xml

DOCUMENT_BYTES_MAX = 64 << 10


def get_object_retention(call: Call) -> Response:
    """Return the retention of the version."""
    check_bucket(call.bucket)
    row = call.row()
    metadata = unpack(row.meta)
    if MODE not in metadata:
        raise S3Error("NoSuchObjectLockConfiguration", Key=call.key)
    inner = (
        f"<Mode>{metadata[MODE].decode()}</Mode>"
        f"<RetainUntilDate>{metadata[UNTIL].decode()}</RetainUntilDate>"
    )
    return xml_response("Retention", inner, version_headers(call, row.version))


async def put_object_retention(call: Call) -> Response:
    """Set the retention of the version, or (without a mode) end it."""
    check_bucket(call.bucket)
    root = parse_xml(await call.body(DOCUMENT_BYTES_MAX), "Retention")
    mode, until = root.value("Mode"), root.value("RetainUntilDate")
    if bool(mode) != bool(until) or (mode and mode not in MODES):
        raise S3Error("MalformedXML")
    if not mode and root.children:
        # Only a document that says nothing asks for the end of the retention.
        raise S3Error("MalformedXML")
    date = future_date(until) if until else ""

    def change(metadata: Metadata) -> None:
        metadata.pop(MODE, None)
        metadata.pop(UNTIL, None)
        if mode:
            metadata[MODE], metadata[UNTIL] = mode.encode(), date.encode()

    return await _change(call, change)


def get_object_legal_hold(call: Call) -> Response:
    """Return whether a legal hold is on the version."""
    check_bucket(call.bucket)
    row = call.row()
    hold = unpack(row.meta).get(HOLD)
    if hold is None:
        raise S3Error("NoSuchObjectLockConfiguration", Key=call.key)
    inner = f"<Status>{hold.decode()}</Status>"
    return xml_response("LegalHold", inner, version_headers(call, row.version))


async def put_object_legal_hold(call: Call) -> Response:
    """Put a legal hold on the version, or take it off."""
    check_bucket(call.bucket)
    status = parse_xml(await call.body(DOCUMENT_BYTES_MAX), "LegalHold").value("Status")
    if status not in ("ON", "OFF"):
        raise S3Error("MalformedXML")

    def change(metadata: Metadata) -> None:
        metadata[HOLD] = status.encode()

    return await _change(call, change)


async def _change(call: Call, change: Callable[[Metadata], None]) -> Response:
    call.row()

    def changed(row: ObjectRow) -> bytes:
        metadata = unpack(row.meta)
        change(metadata)
        return pack(metadata)

    bypass = may_bypass(call, call.key, call.version)
    row = await call.engine.set_object_meta(
        call.bucket, call.key, changed, call.version, bypass=bypass
    )
    return Response(200, version_headers(call, row.version))
