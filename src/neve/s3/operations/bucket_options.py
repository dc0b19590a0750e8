"""GetBucketOptions, PutBucketOptions: Neve's own switches of a bucket, as a JSON object.

`PUT /bucket?neve-options` sets the switches it names and leaves the others; null restores the
default. Only the owner of the bucket may use either.

| switch | meaning | default |
|---|---|---|
| `public_404` | absent keys answer 404 to all who may read them, not only to who may list | false |
"""

from typing import Any

import msgspec

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response

OPTIONS_BYTES_MAX = 4096
DEFAULTS: dict[str, Any] = {"public_404": False}


def get_bucket_options(call: Call) -> Response:
    """Return all switches of the bucket."""
    options = {name: call.bucket.options.get(name, value) for name, value in DEFAULTS.items()}
    headers = [(b"content-type", b"application/json")]
    return Response(200, headers, msgspec.json.encode(options))


async def put_bucket_options(call: Call) -> Response:
    """Set switches of the bucket."""
    body = await call.body(OPTIONS_BYTES_MAX)
    try:
        options = msgspec.json.decode(body, type=dict[str, bool | None])
    except msgspec.DecodeError as error:
        message = "The body must be a JSON object of switches and true, false or null."
        raise S3Error("InvalidArgument", message) from error
    for name in options:
        if name not in DEFAULTS:
            raise S3Error("InvalidArgument", "There is no such switch.", ArgumentName=name)
    for name, value in options.items():
        await call.engine.set_bucket_option(call.bucket.name, name, value)
    return Response(204, [])
