"""What a bucket answers about settings that it cannot have yet: what AWS says of an unset one.

Clients ask for these on their way to something else (`mc stat`, `mc cp`, rclone, s3fs), and the
honest answer is that nothing is configured. Removing what is not there succeeds, as on AWS; setting
any of them is NotImplemented.
"""

from neve.s3.call import Call
from neve.s3.errors import CODES, S3Error
from neve.s3.response import Response, xml_response

_ABSENT = {
    "GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
}
_EMPTY = {
    "GetBucketRequestPayment": ("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    "GetBucketLogging": ("BucketLoggingStatus", ""),
    "GetBucketNotificationConfiguration": ("NotificationConfiguration", ""),
    "GetBucketAccelerateConfiguration": ("AccelerateConfiguration", ""),
}


def describe(operation: str) -> str:
    """Return the answer to `operation` in words, for the reference."""
    if operation.startswith("Delete"):
        return "204"
    code = _ABSENT.get(operation)
    if code is not None:
        return f"{CODES[code][0]} `{code}`"
    root, inner = _EMPTY[operation]
    return f"200 `{root}` with `{inner}`" if inner else f"200, an empty `{root}`"


def answer(call: Call) -> Response:
    """Say what an unconfigured bucket says."""
    operation = call.route.operation
    if call.route.method == "DELETE":
        return Response(204, [])
    code = _ABSENT.get(operation)
    if code is not None:
        raise S3Error(code, BucketName=call.bucket.name)
    return xml_response(*_EMPTY[operation])
