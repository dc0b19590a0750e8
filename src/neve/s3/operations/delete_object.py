"""DeleteObject: removes the object at a key; an absent one is fine.

In a bucket with versioning it makes a delete marker, unless a version is named, which then goes for
ever.

Supported: If-Match, x-amz-if-match-size, x-amz-if-match-last-modified-time, versionId,
x-amz-bypass-governance-retention; what MinIO's replication sends: x-amz-replication-status,
x-minio-source-mtime, x-minio-source-deletemarker. Ignored: x-amz-mfa, x-amz-request-payer.
"""

from neve.engine.delete import Deleted
from neve.errors import NoSuchKey
from neve.s3.call import Call
from neve.s3.conditions import delete_conditions
from neve.s3.locks import may_bypass
from neve.s3.replicas import check_asked, is_new_marker, is_replica, put_marker
from neve.s3.response import Headers, Response


async def delete_object(call: Call) -> Response:
    """Delete an object."""
    replica = call.version is not None and is_replica(call)
    if replica:
        check_asked(call)
        if is_new_marker(call):
            return _answer(Deleted(True, (await put_marker(call)).version, True))
    conditions = delete_conditions(call.headers)
    deleted = Deleted(False, call.version)
    try:
        deleted = await call.engine.delete_object(
            call.bucket,
            call.key,
            conditions,
            version=call.version,
            bypass=call.bucket.locks and may_bypass(call, call.key, call.version, asked=replica),
            owner=call.writer_id,
        )
    except NoSuchKey:
        # AWS: size and time are compared with what is there; only If-Match asks that it is.
        if conditions.if_match is not None:
            raise
    return _answer(deleted)


def _answer(deleted: Deleted) -> Response:
    headers: Headers = []
    if deleted.version is not None:
        headers.append((b"x-amz-version-id", deleted.version.encode() or b"null"))
    if deleted.marker:
        headers.append((b"x-amz-delete-marker", b"true"))
    return Response(204, headers)
