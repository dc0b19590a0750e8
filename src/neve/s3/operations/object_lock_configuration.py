"""GetObjectLockConfiguration, PutObjectLockConfiguration: locks of a bucket and their default.

Enabled when the bucket is made, or later when its versioning is enabled; for ever. The default
retention, in days or years, is given to versions that are written from then on without their own.
Ignored: x-amz-bucket-object-lock-token, x-amz-request-payer.
"""

from neve.engine.locks import Default, default_of, option_of
from neve.engine.versions import LOCK
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.locks import MODES
from neve.s3.response import Response, xml_response
from neve.s3.xml import Element, parse_xml

DOCUMENT_BYTES_MAX = 64 << 10
YEARS_MAX = 100


def get_object_lock_configuration(call: Call) -> Response:
    """Return whether the bucket has object lock, and its default retention."""
    if not call.bucket.locks:
        raise S3Error("ObjectLockConfigurationNotFoundError", BucketName=call.bucket.name)
    inner = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    default = default_of(call.bucket.options)
    if default is not None:
        if default.days is not None:
            period = f"<Days>{default.days}</Days>"
        else:
            period = f"<Years>{default.years}</Years>"
        inner += (
            f"<Rule><DefaultRetention><Mode>{default.mode}</Mode>{period}</DefaultRetention></Rule>"
        )
    return xml_response("ObjectLockConfiguration", inner)


async def put_object_lock_configuration(call: Call) -> Response:
    """Enable object lock, and set or remove the default retention."""
    root = parse_xml(await call.body(DOCUMENT_BYTES_MAX), "ObjectLockConfiguration")
    if root.value("ObjectLockEnabled") != "Enabled":
        raise S3Error("MalformedXML")
    rule = root.find("Rule")
    default = None if rule is None else _parse(rule)
    await call.engine.set_bucket_options(call.bucket.name, {LOCK: option_of(default)})
    return Response(200, [])


def _parse(rule: Element) -> Default:
    """Raises: S3Error MalformedXML, InvalidRetentionPeriod."""
    retention = rule.find("DefaultRetention")
    if retention is None:
        raise S3Error("MalformedXML")
    mode, days, years = (retention.value(name) for name in ("Mode", "Days", "Years"))
    if mode not in MODES or (days is None) == (years is None):
        raise S3Error("MalformedXML")
    return Default(
        mode,
        None if days is None else _period(days, YEARS_MAX * 365),
        None if years is None else _period(years, YEARS_MAX),
    )


def _period(text: str, limit: int) -> int:
    try:
        number = int(text) if text.isascii() and len(text) < 12 else 0
    except ValueError:
        raise S3Error("MalformedXML") from None
    if not 1 <= number <= limit:
        raise S3Error("InvalidRetentionPeriod")
    return number
