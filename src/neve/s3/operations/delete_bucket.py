"""DeleteBucket: removes an empty bucket and the uploads in progress in it.

MinIO's x-minio-force-delete removes everything in it first, for who has s3:ForceDeleteBucket and
may remove each object or version; not in a bucket with object lock (MethodNotAllowed).
"""

from functools import partial

from neve.engine.emptying import empty_bucket
from neve.errors import BucketNotEmpty
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response

TRIES = 10
"""How often a bucket is emptied again that others go on writing to."""


async def delete_bucket(call: Call) -> Response:
    """Delete an empty bucket, or any bucket by force."""
    if call.headers.get(b"x-minio-force-delete", b"").lower() == b"true":
        await _delete_by_force(call)
    else:
        await call.engine.delete_bucket(call.bucket.name)
    return Response(204, [])


async def _delete_by_force(call: Call) -> None:
    bucket = call.bucket
    call.check("s3:ForceDeleteBucket", bucket)
    if bucket.locks:
        message = "A bucket with object lock is not deleted by force."
        raise S3Error("MethodNotAllowed", message, Method="DELETE", ResourceType="BUCKET")
    for _ in range(TRIES):
        await empty_bucket(call.engine, bucket, partial(_check_one, call))
        try:
            await call.engine.delete_bucket(bucket.name)
        except BucketNotEmpty:
            continue
        return
    raise BucketNotEmpty(BucketName=bucket.name)


def _check_one(call: Call, key: str, version: str | None) -> None:
    """What is forbidden one by one is forbidden at once, too, which MinIO does not look at."""
    if call.bucket.versioning is None:
        call.check("s3:DeleteObject", call.bucket, key)
    else:
        call.check("s3:DeleteObjectVersion", call.bucket, key, version)
