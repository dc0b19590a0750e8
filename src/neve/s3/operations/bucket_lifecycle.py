"""GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration, DeleteBucketLifecycle: the end
of objects, versions and uploads, by rules.

Supported: Expiration (Days, Date, ExpiredObjectDeleteMarker), NoncurrentVersionExpiration,
AbortIncompleteMultipartUpload, filters by prefix, tags and size; MinIO's ExpiredObjectAllVersions,
DelMarkerExpiration and AllVersionsExpiration. Refused: Transition, NoncurrentVersionTransition
(NotImplemented).
Ignored: x-amz-transition-default-minimum-object-size.
"""

from datetime import UTC, datetime

from neve.clock import now_us
from neve.engine.lifecycle import OPTION
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.lifecycle import DOCUMENT_BYTES_MAX, lifecycle_xml, parse_lifecycle
from neve.s3.response import Headers, Response, xml_response


def get_bucket_lifecycle_configuration(call: Call) -> Response:
    """Return the rules of the bucket."""
    told = call.bucket.options.get(OPTION)
    if not told:
        raise S3Error("NoSuchLifecycleConfiguration", BucketName=call.bucket.name)
    headers: Headers = []
    if call.query.get("withUpdatedAt") == "true":
        # Asked by mc, which shows it.
        moment = datetime.fromtimestamp(told["updated_us"] // 1_000_000, UTC)
        value = moment.strftime("%Y%m%dT%H%M%SZ").encode()
        headers.append((b"x-minio-lifecycleconfig-updatedat", value))
    return xml_response("LifecycleConfiguration", lifecycle_xml(told["rules"]), headers)


async def put_bucket_lifecycle_configuration(call: Call) -> Response:
    """Replace the rules of the bucket."""
    rules = parse_lifecycle(await call.body(DOCUMENT_BYTES_MAX))
    told = {"rules": rules, "updated_us": now_us()}
    await call.engine.set_bucket_option(call.bucket.name, OPTION, told)
    return Response(200, [])


async def delete_bucket_lifecycle(call: Call) -> Response:
    """Remove the rules of the bucket, if there are any."""
    await call.engine.set_bucket_option(call.bucket.name, OPTION, None)
    return Response(204, [])
