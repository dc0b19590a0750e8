"""Names that requests carry beside bucket and key: version ids and copy sources."""

from typing import NamedTuple

from neve.names import parse_key
from neve.s3.errors import S3Error
from neve.s3.request import bucket_name, unescape


def check_version(version: str | None) -> None:
    """Raise S3Error unless the version is absent or the only one there is: `null`."""
    if version is None or version == "null":
        return
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
    text = version.decode("latin-1") if question else None
    return Source(bucket_name(name), parse_key(raw_key), text)
