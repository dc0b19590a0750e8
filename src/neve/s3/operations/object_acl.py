"""GetObjectAcl, PutObjectAcl: the one ACL there is, full control for the bucket's owner.

Access is given by policies; ACLs are off, as on AWS with BucketOwnerEnforced.
"""

from neve.s3.call import Call
from neve.s3.names import check_version
from neve.s3.operations.bucket_acl import check_new_acl, owner_acl
from neve.s3.response import Response


def get_object_acl(call: Call) -> Response:
    """Return the ACL of the object."""
    check_version(call.query.get("versionId"))
    call.row()
    return owner_acl(call.bucket.owner)


async def put_object_acl(call: Call) -> Response:
    """Accept the ACL that the object has anyway; refuse any other."""
    check_version(call.query.get("versionId"))
    call.row()
    await check_new_acl(call)
    return Response(200, [])
