"""GetBucketAcl, PutBucketAcl: who may list, write and re-share a bucket besides its policy.

Supported: x-amz-acl, x-amz-grant-*, AccessControlPolicy documents with canonical users and the
groups AllUsers and AuthenticatedUsers; the owner stays what it is. Refused: e-mail grantees
(UnresolvableGrantByEmailAddress), log delivery (NotImplemented), everything while the bucket's
ownership is BucketOwnerEnforced (AccessControlListNotSupported).
"""

from neve.s3.acl_requests import acl_response, packed_or_none, replacing_acl
from neve.s3.acls import BUCKET_ACL, bucket_acl
from neve.s3.call import Call
from neve.s3.response import Response


def get_bucket_acl(call: Call) -> Response:
    """Return the ACL of the bucket."""
    return acl_response(bucket_acl(call.bucket))


async def put_bucket_acl(call: Call) -> Response:
    """Replace the ACL of the bucket."""
    bucket = call.bucket
    acl = await replacing_acl(call, "bucket", bucket_acl(bucket).owner)
    packed = packed_or_none(acl, bucket.owner)
    await call.engine.set_bucket_option(bucket.name, BUCKET_ACL, packed)
    return Response(200, [])
