"""Value types and the naming rules of S3: buckets, keys, byte ranges. Imports nothing but errors.

A key is text whose UTF-8 bytes the client sent, untouched (no normalisation, no slash folding);
order is that of its UTF-8 bytes.
"""

import re
from typing import NamedTuple

from neve.errors import InvalidBucketName, InvalidKey, KeyTooLong

KEY_BYTES_MAX = 1024

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_BUCKET_RESERVED = ("minio", "neve")
"""First path components of what the server answers itself."""


class ByteRange(NamedTuple):
    """Half-open range of byte offsets `[start, stop)`."""

    start: int
    stop: int


def check_bucket_name(name: str) -> None:
    """Raise InvalidBucketName unless `name` may be given to a new bucket."""
    if (
        not _BUCKET.fullmatch(name)
        or ".." in name
        or _IPV4.fullmatch(name)
        or name.startswith(_BUCKET_PREFIXES)
        or name.endswith(_BUCKET_SUFFIXES)
        or name in _BUCKET_RESERVED
    ):
        raise InvalidBucketName(BucketName=name)


def parse_key(raw: bytes) -> str:
    """Return the key whose percent-decoded bytes are `raw`.

    Raises: InvalidKey (empty or not UTF-8), KeyTooLong.
    """
    if not raw:
        raise InvalidKey()
    if len(raw) > KEY_BYTES_MAX:
        raise KeyTooLong(Size=len(raw), MaxSizeAllowed=KEY_BYTES_MAX)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidKey() from error


def prefix_end(prefix: str) -> str | None:
    """The first string after every string that starts with `prefix`, in UTF-8 byte order.

    None when there is no such string (nothing but U+10FFFF).
    """
    for index in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[index])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix[:index] + chr(following)
    return None
