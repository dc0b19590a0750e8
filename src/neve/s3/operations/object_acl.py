"""GetObjectAcl, PutObjectAcl: who may read and re-share an object besides the bucket's policy.

Supported: what PutBucketAcl supports; versionId. An ACL changes nothing else of the object:
neither its bytes nor its ETag nor its time. Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.acl_requests import acl_response, packed_or_none, replacing_acl
from neve.s3.acls import object_acl
from neve.s3.call import Call, version_headers
from neve.s3.errors import S3Error
from neve.s3.metadata import ACL, pack, unpack
from neve.s3.response import Response


def get_object_acl(call: Call) -> Response:
    """Return the ACL of the object."""
    row = call.row()
    return acl_response(object_acl(call.bucket, row.meta), version_headers(call, row.version))


async def put_object_acl(call: Call) -> Response:
    """Replace the ACL of the object."""
    bucket, row = call.bucket, call.row()
    before = object_acl(bucket, row.meta)
    acl = await replacing_acl(call, "object", before.owner)
    packed = packed_or_none(acl, bucket.owner)

    def change(now: ObjectRow) -> bytes:
        # The right to change it came from the ACL it had, unless a policy gave it.
        if call.granted is not None and object_acl(bucket, now.meta) != before:
            raise S3Error("AccessDenied")
        metadata = unpack(now.meta)
        metadata.pop(ACL, None)
        if packed is not None:
            metadata[ACL] = packed
        return pack(metadata)

    row = await call.engine.set_object_meta(bucket, call.key, change, call.version)
    return Response(200, version_headers(call, row.version))
