"""What an object is told about itself: user metadata, Content-* fields, storage class, tags, ACL.

Stored as a msgpack map of header name → value, byte for byte as the client sent them: text in UTF-8
or RFC 2047 words come back unchanged. Names are lower-case, as they are on the wire.
"""

import msgspec

from neve.s3.encryption import HEADERS as ENCRYPTION
from neve.s3.encryption import check_encryption
from neve.s3.errors import S3Error
from neve.s3.response import Headers
from neve.s3.tagging import decode_tags, parse_tag_header, tag_count

USER = b"x-amz-meta-"
USER_BYTES_MAX = 2048
"""AWS: the names without their prefix, and the values, together."""

SYSTEM = frozenset(
    (
        b"content-type",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"expires",
    )
)
_OTHERS = frozenset((b"x-amz-storage-class", b"x-amz-website-redirect-location", b"x-amz-tagging"))
_STORED = SYSTEM | _OTHERS

STORAGE_CLASSES = frozenset(
    (
        b"STANDARD",
        b"REDUCED_REDUNDANCY",
        b"STANDARD_IA",
        b"ONEZONE_IA",
        b"INTELLIGENT_TIERING",
        b"GLACIER",
        b"DEEP_ARCHIVE",
        b"GLACIER_IR",
    )
)
DEFAULT_TYPE = b"binary/octet-stream"
TAGGING = "x-amz-tagging"
"""Name of the tags among the metadata, written as in the header."""
ACL = "acl"
"""Name of the packed ACL among the metadata: no header of a request is kept under it."""

# Headers that ask for something nobody here would do: refused, never silently dropped.
_UNSERVED = ENCRYPTION | {b"x-amz-write-offset-bytes"}

_LOCK = "x-amz-object-lock-"
"""Begins the names of an object's lock (`neve.engine.locks`), which not everybody is shown."""

Metadata = dict[str, bytes]

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Metadata).decode


def check_served(headers: dict[bytes, bytes]) -> None:
    """Refuse a write that asks for encryption or an append.

    Raises: S3Error NotImplemented, InvalidRequest, InvalidArgument.
    """
    if _UNSERVED.isdisjoint(headers):
        return
    check_encryption(headers)
    for name in headers:
        if name == b"x-amz-write-offset-bytes":
            raise S3Error("NotImplemented", "Appending is not implemented.", Header=name.decode())


def read_metadata(headers: dict[bytes, bytes]) -> Metadata:
    """Return what the request's headers say about the object to be written.

    Raises: S3Error MetadataTooLarge, InvalidStorageClass, InvalidTag; see also `check_served`.
    """
    check_served(headers)
    metadata: Metadata = {}
    size = 0
    for name, value in headers.items():
        if name in _STORED:
            if value:
                metadata[name.decode()] = value
        elif name.startswith(USER):
            size += len(name) - len(USER) + len(value)
            metadata[name.decode("latin-1")] = value
    if size > USER_BYTES_MAX:
        raise S3Error("MetadataTooLarge", Size=size, MaxSizeAllowed=USER_BYTES_MAX)
    if "content-encoding" in metadata:
        _set_encoding(metadata, headers[b"content-encoding"])
    if not _OTHERS.isdisjoint(headers):
        _check_others(metadata)
    return metadata


def _set_encoding(metadata: Metadata, value: bytes) -> None:
    """`aws-chunked` describes the transfer, not the object; what else is there stays."""
    codings = [coding.strip() for coding in value.split(b",")]
    kept = [coding for coding in codings if coding and coding.lower() != b"aws-chunked"]
    if len(kept) != len(codings):
        metadata["content-encoding"] = b",".join(kept)
    if not kept:
        del metadata["content-encoding"]


def _check_others(metadata: Metadata) -> None:
    storage_class = metadata.get("x-amz-storage-class")
    if storage_class is not None:
        if storage_class not in STORAGE_CLASSES:
            raise S3Error("InvalidStorageClass")
        if storage_class == b"STANDARD":
            del metadata["x-amz-storage-class"]
    tags = metadata.get("x-amz-tagging")
    if tags is not None and not parse_tag_header(tags):
        del metadata["x-amz-tagging"]
    redirect = metadata.get("x-amz-website-redirect-location")
    if redirect is not None and not redirect.startswith((b"/", b"http://", b"https://")):
        raise S3Error(
            "InvalidRedirectLocation",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        )


def pack(metadata: Metadata) -> bytes:
    """Return the stored form; empty when there is nothing to tell."""
    return _pack(metadata) if metadata else b""


def unpack(packed: bytes) -> Metadata:
    """The inverse of `pack`."""
    return _unpack(packed) if packed else {}


def tags_in(packed: bytes) -> dict[str, str]:
    """Return the tags among stored metadata."""
    value = unpack(packed).get(TAGGING)
    return dict(decode_tags(value)) if value else {}


_headers: dict[bytes, Headers] = {b"": [(b"content-type", DEFAULT_TYPE)]}
_HEADERS_MAX = 4096
_HEADERS_BYTES_MAX = 512


def metadata_headers(packed: bytes) -> Headers:
    """Return the fields GET and HEAD show for stored metadata. Shared: not to be changed."""
    headers = _headers.get(packed)
    if headers is None:
        headers = _shown(_unpack(packed))
        if len(packed) <= _HEADERS_BYTES_MAX:
            if len(_headers) >= _HEADERS_MAX:
                _headers.clear()
            _headers[packed] = headers
    return headers


def _shown(metadata: Metadata) -> Headers:
    headers: Headers = []
    if "content-type" not in metadata:
        headers.append((b"content-type", DEFAULT_TYPE))
    for name, value in metadata.items():
        if name == "x-amz-tagging":
            headers.append((b"x-amz-tagging-count", b"%d" % tag_count(value)))
        elif name != ACL and not name.startswith(_LOCK):
            headers.append((name.encode("latin-1"), value))
    return headers
