"""Names that requests carry beside bucket and key: version ids and copy sources."""

import re
from typing import NamedTuple

from neve.names import parse_key
from neve.s3.errors import S3Error
from neve.s3.request import bucket_name, unescape

NULL = "null"
"""How requests and answers name the version that has no id."""
_VERSION = re.compile(r"[A-Za-z0-9._~-]{1,64}")


def parse_version(version: str | None) -> str | None:
    """Return the version id that a request names, empty for `null`. Raises: S3Error."""
    if version is None:
        return None
    if version == NULL:
        return ""
    if _VERSION.fullmatch(version):
        return version
    if not version:
        raise S3Error(
            "InvalidArgument",
            "Version id cannot be the empty string",
            ArgumentName="versionId",
            ArgumentValue=version,
        )
    raise S3Error(
        "InvalidArgument",
        "Invalid version id specified",
        ArgumentName="versionId",
        ArgumentValue=version,
    )


class Source(NamedTuple):
    """What a copy copies."""

    bucket: str
    key: str
    version: str | None
    """As `parse_version` returns it."""


def parse_copy_source(value: bytes) -> Source:
    """Return the source of `x-amz-copy-source`: `[/]bucket/key[?versionId=v]`, percent-encoded.

    Raises: S3Error InvalidArgument.
    """
    path, question, version = value.partition(b"?versionId=")
    name, slash, raw_key = path.removeprefix(b"/").partition(b"/")
    if not slash:
        # Some clients encode the slash between bucket and key too.
        name, slash, raw_key = unescape(path).removeprefix(b"/").partition(b"/")
    else:
        raw_key = unescape(raw_key)
    if not name or not raw_key:
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=value.decode("utf-8", "replace"),
        )
    text = unescape(version).decode("latin-1") if question else None
    return Source(bucket_name(name), parse_key(raw_key), parse_version(text))
