"""DeleteBucket: removes an empty bucket and the uploads in progress in it."""

from neve.s3.call import Call
from neve.s3.response import Response


async def delete_bucket(call: Call) -> Response:
    """Delete an empty bucket."""
    await call.engine.delete_bucket(call.bucket.name)
    return Response(204, [])
