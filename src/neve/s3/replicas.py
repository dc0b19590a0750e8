"""Versions that another server sends with what they are there: the replication of MinIO's servers.

A request speaks for a replica when it names the version that it is about (`versionId`) and says
`x-amz-replication-status: REPLICA`; whoever sends it needs s3:ReplicateObject or s3:ReplicateDelete
(`neve.iam.actions`). The version gets that id, the time of `x-minio-source-mtime` and the ETag of
`x-minio-source-etag`; it is locked as the headers say and not as its bucket locks new versions.

Invariants: a version that is there already is never written over: sent again with the same bytes it
is answered as if it had been written, with others it is refused. A request without a version id,
such as every plain PUT, is not looked at.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from neve.catalog.catalog import ObjectRow, PartRow, UploadRow
from neve.clock import now_us
from neve.engine.adopt import Adopter
from neve.engine.conditions import NO_CONDITIONS
from neve.engine.locks import parse_date
from neve.engine.upload import WantedPart, multipart_etag
from neve.errors import InvalidPart, NoSuchKey, NoSuchVersion, VersionConflict
from neve.iam.actions import REPLICA, REPLICA_STATUS
from neve.s3.acl_requests import new_object_acl
from neve.s3.conditions import write_conditions
from neve.s3.errors import S3Error
from neve.s3.integrity import object_checksum
from neve.s3.locks import set_lock
from neve.s3.metadata import ACL, Metadata, pack, read_metadata, unpack

if TYPE_CHECKING:
    from neve.s3.call import Call
    from neve.s3.payload import Received

_CHECK = b"x-minio-source-replication-check"
_ETAG = b"x-minio-source-etag"
_MARKER = b"x-minio-source-deletemarker"
_MTIME = b"x-minio-source-mtime"
_REQUEST = b"x-minio-source-replication-request"

_ETAG_TEXT = re.compile(rb'"?([0-9a-f]{32}(?:-[1-9][0-9]{0,4})?)"?')
_BEGUN = "replica-version"
_BEGUN_ETAG = "replica-etag"
"""Names among the metadata of an upload that becomes a replica; the object has them no more."""
_BEGUN_MARK = _BEGUN.encode()


class Origin(NamedTuple):
    """What a version is at the server that it comes from."""

    mtime_us: int
    etag: str
    """Empty: that of the bytes."""


def is_replica(call: "Call") -> bool:
    """Say whether the request speaks for a version of another server."""
    return call.version is not None and call.headers.get(REPLICA_STATUS) == REPLICA


def replica_metadata(call: "Call") -> Metadata:
    """Return what the headers say of a replica. Raises: S3Error."""
    check_asked(call)
    if write_conditions(call.headers) is not NO_CONDITIONS:
        raise S3Error("NotImplemented", "Replicas are written without conditions.")
    metadata = read_metadata(call.headers)
    acl = new_object_acl(call, call.headers)
    if acl is not None:
        metadata[ACL] = acl
    set_lock(call, call.headers, metadata, past=True)
    return metadata


def check_asked(call: "Call") -> None:
    """Refuse a request that only asks whether it would be let in, as MinIO does."""
    if _CHECK in call.headers:
        raise S3Error("ReplicationPermissionCheck")


async def put_replica(call: "Call", metadata: Metadata, received: "Received") -> ObjectRow:
    """Write an object whose body has arrived. Raises: as `Adopter.adopt_object`."""
    origin = _origin(call)
    checksum = object_checksum(received.checksum)
    row = _row(call, origin._replace(etag=origin.etag or received.md5), pack(metadata), checksum)
    row = row._replace(size=received.writer.size)
    try:
        adopter = Adopter(call.engine)
        return await adopter.adopt_object(call.bucket.name, row, received.writer, counted=True)
    except VersionConflict:
        return _known(call, row)


def begun_metadata(call: "Call") -> bytes:
    """Return the packed metadata of an upload that will be a replica."""
    metadata = replica_metadata(call)
    metadata[_BEGUN] = (call.version or "").encode()
    etag = _origin(call).etag
    if etag:
        metadata[_BEGUN_ETAG] = etag.encode()
    return pack(metadata)


def is_begun(upload: UploadRow) -> bool:
    """Say whether the upload will be a replica."""
    return _BEGUN_MARK in upload.meta and _BEGUN in unpack(upload.meta)


async def complete_replica(
    call: "Call", upload: UploadRow, wanted: list[tuple[int, str, str | None]], checksum: str | None
) -> ObjectRow:
    """Make the parts an object. Raises: as `Adopter.adopt_upload`; S3Error AccessDenied."""
    call.check("s3:ReplicateObject", call.bucket, call.key)
    metadata = unpack(upload.meta)
    version = metadata.pop(_BEGUN).decode()
    begun_etag = metadata.pop(_BEGUN_ETAG, b"").decode()
    origin = _origin(call)
    etag = origin.etag or begun_etag or _parts_etag(upload.id, wanted)
    row = _row(call, origin._replace(etag=etag), pack(metadata), checksum)
    row = row._replace(version=version)
    if upload.owner != call.bucket.owner:
        row = row._replace(owner=upload.owner)
    try:
        parts = [WantedPart(*part) for part in wanted]
        return await Adopter(call.engine).adopt_upload(call.bucket.name, row, upload.id, parts)
    except VersionConflict:
        found = _known(call, row)
        await call.engine.abort_upload(call.bucket, call.key, upload.id)
        return found


async def put_marker(call: "Call") -> ObjectRow:
    """Write a delete marker. Raises: as `Adopter.adopt_marker`."""
    row = _row(call, _origin(call)._replace(etag=""), b"", None)
    try:
        return await Adopter(call.engine).adopt_marker(call.bucket.name, row)
    except VersionConflict:
        return _known(call, row)


def is_new_marker(call: "Call") -> bool:
    """Say whether a replicated deletion brings a delete marker, or takes a version away.

    MinIO's servers say the same to make a marker and to remove it: the second time they mean the
    other. Clients that bring versions do not say that they are a server, and may say it again.
    """
    if call.headers.get(_MARKER) != b"true":
        return False
    if _REQUEST not in call.headers:
        return True
    try:
        return bool(call.engine.head(call.bucket, call.key, call.version).etag)
    except (NoSuchKey, NoSuchVersion):
        return True


def _origin(call: "Call") -> Origin:
    """Raises: S3Error InvalidArgument."""
    etag = _ETAG_TEXT.fullmatch(call.headers.get(_ETAG, b""))
    stated = call.headers.get(_MTIME)
    if stated is None:
        return Origin(now_us(), etag[1].decode() if etag else "")
    text = stated.decode("latin-1")
    try:
        mtime_us = parse_date(text)
    except (ValueError, OverflowError):
        mtime_us = 0
    if mtime_us <= 0 or "T" not in text:
        raise S3Error(
            "InvalidArgument",
            f"Unable to parse {_MTIME.decode()}: it is a time such as 2026-11-23T05:36:00.123Z",
            ArgumentName=_MTIME.decode(),
            ArgumentValue=text,
        )
    return Origin(mtime_us, etag[1].decode() if etag else "")


def _row(call: "Call", origin: Origin, meta: bytes, checksum: str | None) -> ObjectRow:
    about = (origin.etag, origin.mtime_us, meta, checksum, b"", call.version or "")
    return ObjectRow(call.bucket.tree, call.key, 0, 0, *about, call.writer_id)


def _known(call: "Call", row: ObjectRow) -> ObjectRow:
    """Return the version that is there, if it is what was sent. Raises: VersionConflict."""
    try:
        found = call.engine.head(call.bucket, call.key, row.version)
    except (NoSuchKey, NoSuchVersion):
        raise VersionConflict from None
    size = row.size if row.size or not row.etag else found.size
    if (found.etag, found.size) != (row.etag, size):
        raise VersionConflict
    return found


def _parts_etag(upload: str, wanted: list[tuple[int, str, str | None]]) -> str:
    parts = [PartRow(upload, number, 0, etag, 0, None, b"") for number, etag, _ in wanted]
    try:
        return multipart_etag(parts)
    except ValueError:
        raise InvalidPart(UploadId=upload) from None
