"""Tags of an object: the query form of the `x-amz-tagging` header and its limits."""

from urllib.parse import unquote_plus

from neve.s3.errors import S3Error

TAGS_MAX = 10
TAG_KEY_MAX = 128
TAG_VALUE_MAX = 256


def parse_tag_header(value: bytes) -> list[tuple[str, str]]:
    """Return the tags of `key=value&key=value`, percent-decoded.

    Raises: S3Error InvalidArgument (not UTF-8), InvalidTag, BadRequest (too many).
    """
    try:
        pairs = [pair for pair in value.decode().split("&") if pair]
        tags = [_decode_pair(pair) for pair in pairs]
    except UnicodeDecodeError as error:
        raise S3Error(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query"
            " parameters without tag name duplicates.",
        ) from error
    check_tags(tags)
    return tags


def _decode_pair(pair: str) -> tuple[str, str]:
    key, _, value = pair.partition("=")
    return unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict")


def check_tags(tags: list[tuple[str, str]]) -> None:
    """Raise S3Error unless the tags keep S3's limits."""
    if len(tags) > TAGS_MAX:
        raise S3Error("BadRequest", "Object tags cannot be greater than 10")
    if len({key for key, _ in tags}) != len(tags):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags:
        if not 1 <= len(key) <= TAG_KEY_MAX:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE_MAX:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)


def tag_count(value: bytes) -> int:
    """Return how many tags a stored header holds."""
    return sum(1 for pair in value.split(b"&") if pair)
