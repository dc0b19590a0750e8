"""PutObject: writes an object in one request.

Supported: Content-MD5, x-amz-checksum-* in headers and trailers, If-None-Match, If-Match, user
metadata, Cache-Control, Content-*, Expires, x-amz-website-redirect-location, x-amz-tagging,
x-amz-storage-class (kept and shown; every class is stored alike), x-amz-acl, x-amz-grant-*.
x-amz-object-lock-*, in a bucket with object lock. What MinIO's replication sends: versionId,
x-amz-replication-status, x-minio-source-*.
Refused: server-side encryption and appending (NotImplemented).
Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.acl_requests import new_object_acl
from neve.s3.call import Call, written_headers
from neve.s3.conditions import write_conditions
from neve.s3.integrity import checksum_headers, object_checksum
from neve.s3.lifecycle import expiration_headers
from neve.s3.locks import set_default, set_lock
from neve.s3.metadata import ACL, pack, read_metadata
from neve.s3.payload import receive_body
from neve.s3.replicas import is_replica, put_replica, replica_metadata
from neve.s3.response import Headers, Response

OBJECT_BYTES_MAX = 5 << 30
"""AWS: 5 GiB in one request; larger objects come in parts."""


async def put_object(call: Call) -> Response:
    """Write an object."""
    if call.version is not None and is_replica(call):
        return await _put_replica(call)
    metadata = read_metadata(call.headers)
    acl = new_object_acl(call, call.headers)
    if acl is not None:
        metadata[ACL] = acl
    set_lock(call, call.headers, metadata)
    conditions = write_conditions(call.headers)
    received = await receive_body(call, OBJECT_BYTES_MAX, admit=_admit)
    if call.bucket.locks:
        set_default(call.bucket, metadata)
    row = await call.engine.put_object(
        call.bucket,
        call.key,
        received.writer,
        etag=received.md5,
        meta=pack(metadata),
        checksum=object_checksum(received.checksum),
        conditions=conditions,
        owner=call.writer_id,
    )
    return _written(call, row)


async def _put_replica(call: Call) -> Response:
    """Write a version of another server, as it is there."""
    metadata = replica_metadata(call)
    received = await receive_body(call, OBJECT_BYTES_MAX, admit=_admit)
    return _written(call, await put_replica(call, metadata, received))


def _written(call: Call, row: ObjectRow) -> Response:
    headers: Headers = [
        (b"etag", b'"%b"' % row.etag.encode()),
        *written_headers(row),
    ]
    if row.checksum is not None:
        headers += checksum_headers(row.checksum)
    if call.bucket.lifecycle is not None:
        headers += expiration_headers(call.bucket, row)
    return Response(200, headers)


def _admit(call: Call, size: int) -> None:
    """Refuse what a quota will refuse, before the client has sent it. Raises: QuotaExceeded."""
    call.engine.quotas.check_write(call.bucket, call.key, size, call.writer_id)
