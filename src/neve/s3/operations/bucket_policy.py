"""GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus: bucket policies.

Supported: documents of up to 20 KiB, kept and returned byte for byte.
Ignored: x-amz-confirm-remove-self-bucket-access (root can always change a policy).
"""

from neve.errors import NoSuchBucketPolicy
from neve.iam.documents import BODY_BYTES_MAX
from neve.iam.policies import parse_policy
from neve.s3.acls import BLOCK_POLICY, is_blocked
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response


def get_bucket_policy(call: Call) -> Response:
    """Return the policy of the bucket, as it was put."""
    document = call.bucket.policy_document
    if document is None:
        raise NoSuchBucketPolicy(BucketName=call.bucket.name)
    return Response(200, [(b"content-type", b"application/json")], document)


async def put_bucket_policy(call: Call) -> Response:
    """Replace the policy of the bucket."""
    document = await call.body(BODY_BYTES_MAX)
    policy = parse_policy(document, call.bucket.name)
    if policy.is_public and is_blocked(call.bucket, BLOCK_POLICY):
        raise S3Error("AccessDenied")
    await call.engine.set_bucket_policy(call.bucket.name, document)
    return Response(204, [])


async def delete_bucket_policy(call: Call) -> Response:
    """Remove the policy of the bucket, if there is one."""
    await call.engine.set_bucket_policy(call.bucket.name, None)
    return Response(204, [])


def get_bucket_policy_status(call: Call) -> Response:
    """Say whether the policy makes the bucket public."""
    # A bucket without a policy is not public (s3-tests: test_get_bucket_policy_status).
    policy = call.bucket.policy
    public = "true" if policy is not None and policy.is_public else "false"
    return xml_response("PolicyStatus", f"<IsPublic>{public}</IsPublic>")
