"""GetBucketOptions, PutBucketOptions: Neve's own switches of a bucket, as a JSON object.

`PUT /bucket?neve-options` sets the switches it names and leaves the others; null restores the
default. Only the owner of the bucket may use either.

| switch | meaning | default |
|---|---|---|
| `public_404` | absent keys answer 404 to all who may read them, not only to who may list | false |
| `cors` | `"web-viewers"`: scripts of every site may read what their user may read; PutBucketCors \
sets other rules, which show as `"custom"` | null |
"""

from typing import Any

import msgspec

from neve.s3 import cors
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response

OPTIONS_BYTES_MAX = 4096
_PRESETS = {"web-viewers": cors.WEB_VIEWERS}


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """What a request may set; what it leaves out stays."""

    public_404: bool | msgspec.UnsetType | None = msgspec.UNSET
    cors: str | msgspec.UnsetType | None = msgspec.UNSET


def get_bucket_options(call: Call) -> Response:
    """Return all switches of the bucket."""
    options = call.bucket.options
    switches = {
        "public_404": options.get("public_404", False),
        "cors": _name_of(options.get(cors.OPTION)),
    }
    headers = [(b"content-type", b"application/json")]
    return Response(200, headers, msgspec.json.encode(switches))


async def put_bucket_options(call: Call) -> Response:
    """Set switches of the bucket."""
    body = await call.body(OPTIONS_BYTES_MAX)
    try:
        switches = msgspec.json.decode(body, type=Switches)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"The body must be a JSON object of switches: {error}."
        raise S3Error("InvalidArgument", message) from error
    changes: dict[str, Any] = {}
    if switches.public_404 is not msgspec.UNSET:
        changes["public_404"] = switches.public_404
    if switches.cors is not msgspec.UNSET:
        changes[cors.OPTION] = _preset(switches.cors)
    for name, value in changes.items():
        await call.engine.set_bucket_option(call.bucket.name, name, value)
    return Response(204, [])


def _preset(name: str | None) -> cors.Rules | None:
    if name is None:
        return None
    if name not in _PRESETS:
        message = "There are no such rules; PutBucketCors sets rules of your own."
        raise S3Error("InvalidArgument", message, ArgumentName="cors", ArgumentValue=name)
    return _PRESETS[name]


def _name_of(rules: cors.Rules | None) -> str | None:
    if not rules:
        return None
    return next((name for name, preset in _PRESETS.items() if preset == rules), "custom")
