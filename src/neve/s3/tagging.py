"""Tags of objects and buckets: their two written forms and their limits.

An object's tags are stored, and sent in `x-amz-tagging`, as a query: `key=value&key=value`. The
operations on tags, and the forms of browsers, carry them as a `Tagging` document.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_plus

from neve.s3.errors import S3Error
from neve.s3.xml import escape, parse_xml

TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
TAG_KEY_MAX = 128
TAG_VALUE_MAX = 256
DOCUMENT_BYTES_MAX = 128 << 10

Tags = list[tuple[str, str]]

# AWS: letters, digits and spaces of every script, and + - = . _ : / @
_IS_TEXT = re.compile(r"[\w\s+\-=.:/@]*+").fullmatch
_RESERVED = "aws:"


def parse_tag_header(value: bytes) -> Tags:
    """Return the tags of `key=value&key=value`, percent-decoded.

    Raises: S3Error InvalidArgument (not UTF-8), InvalidTag, BadRequest (too many).
    """
    try:
        tags = decode_tags(value)
    except UnicodeDecodeError as error:
        raise S3Error(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query"
            " parameters without tag name duplicates.",
        ) from error
    check_tags(tags)
    return tags


def decode_tags(value: bytes) -> Tags:
    """Return the tags of a header that is stored, hence was checked before."""
    return [_decode_pair(pair) for pair in value.decode().split("&") if pair]


def encode_tags(tags: Tags) -> bytes:
    """The inverse of `decode_tags`."""
    return "&".join(
        f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in tags
    ).encode()


def _decode_pair(pair: str) -> tuple[str, str]:
    key, _, value = pair.partition("=")
    return unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict")


def parse_tag_document(body: bytes, limit: int = TAGS_MAX) -> Tags:
    """Return the tags of a `Tagging` document, of which there may be `limit`.

    Raises: S3Error MalformedXML, InvalidTag, BadRequest.
    """
    tag_set = parse_xml(body, "Tagging").find("TagSet")
    if tag_set is None:
        raise S3Error("MalformedXML")
    tags: Tags = []
    for element in tag_set.children:
        key, value = element.find("Key"), element.find("Value")
        if element.name != "Tag" or key is None or value is None or len(element.children) != 2:
            raise S3Error("MalformedXML")
        tags.append((key.text, value.text))
    check_tags(tags, limit)
    return tags


def tag_set_xml(tags: Iterable[tuple[str, str]]) -> str:
    """Return the element of the tags, in the order of their keys."""
    inner = "".join(
        f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>"
        for key, value in sorted(tags)
    )
    return f"<TagSet>{inner}</TagSet>"


def check_tags(tags: Tags, limit: int = TAGS_MAX) -> None:
    """Raise S3Error unless the tags keep S3's limits."""
    if len(tags) > limit:
        kind = "Object" if limit == TAGS_MAX else "Bucket"
        raise S3Error("BadRequest", f"{kind} tags cannot be greater than {limit}")
    if len({key for key, _ in tags}) != len(tags):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags:
        if not 1 <= len(key) <= TAG_KEY_MAX or not _IS_TEXT(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE_MAX or not _IS_TEXT(value):
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
        if key.lower().startswith(_RESERVED):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester")


def tag_count(value: bytes) -> int:
    """Return how many tags a stored header holds."""
    return sum(1 for pair in value.split(b"&") if pair)
