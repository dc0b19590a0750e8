"""DeleteObject: removes the object at a key; an absent one is fine.

Supported: If-Match, x-amz-if-match-size, x-amz-if-match-last-modified-time, versionId=null.
Ignored: x-amz-mfa, x-amz-bypass-governance-retention, x-amz-request-payer.
"""

from neve.errors import NoSuchKey
from neve.s3.call import Call
from neve.s3.conditions import delete_conditions
from neve.s3.names import check_version
from neve.s3.response import Headers, Response


async def delete_object(call: Call) -> Response:
    """Delete an object."""
    check_version(call.query.get("versionId"))
    conditions = delete_conditions(call.headers)
    try:
        await call.engine.delete_object(call.bucket, call.key, conditions)
    except NoSuchKey:
        # AWS: size and time are compared with what is there; only If-Match asks that it is.
        if conditions.if_match is not None:
            raise
    headers: Headers = []
    if "versionId" in call.query:
        headers.append((b"x-amz-version-id", b"null"))
    return Response(204, headers)
