"""AbortMultipartUpload: forgets an upload and its parts.

Ignored: x-amz-request-payer, x-amz-if-match-initiated-time.
"""

from neve.s3.call import Call
from neve.s3.response import Response


async def abort_multipart_upload(call: Call) -> Response:
    """Abort an upload."""
    await call.engine.abort_upload(call.bucket, call.key, call.query["uploadId"])
    return Response(204, [])
