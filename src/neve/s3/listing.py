"""Pages of keys as XML: what ListObjects, ListObjectsV2 and ListObjectVersions share.

A page of 1,000 keys is one list of formatted strings, made in one loop without a call per key; keys
are escaped one by one only on pages that hold a character that needs it.
"""

import base64
import zlib
from typing import NamedTuple
from urllib.parse import quote

from neve.catalog.catalog import ListRow
from neve.iam.principals import root_principal
from neve.s3.errors import S3Error
from neve.s3.request import integer
from neve.s3.xml import STAMPS, escape, stamp

KEYS_MAX = 1000
_ROOT = root_principal("").canonical_id

_XML_SAFE = bytes(code for code in range(0x20, 0x7F) if code not in b"&<>\"'")
_URL_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"


class Listing(NamedTuple):
    """What every listing asks for."""

    prefix: str
    delimiter: str
    limit: int
    url: bool
    """encoding-type=url: names in the answer are percent-encoded."""

    def text(self, name: str) -> str:
        """Return a key or prefix as the answer shows it."""
        return encoded(name, self.url)

    def head(self, bucket: str, prefix: str) -> str:
        """Return the elements that repeat the question; `prefix` as it is to be shown."""
        head = f"<Name>{bucket}</Name><Prefix>{prefix}</Prefix><MaxKeys>{self.limit}</MaxKeys>"
        if self.delimiter:
            head += f"<Delimiter>{self.text(self.delimiter)}</Delimiter>"
        return head + "<EncodingType>url</EncodingType>" if self.url else head


def encoded(name: str, url: bool) -> str:
    """Return a key or prefix as XML text, percent-encoded if `url`."""
    return quote(name, safe="/") if url else escape(name)


def parse_listing(query: dict[str, str]) -> Listing:
    """Raises: S3Error InvalidArgument."""
    return Listing(
        query.get("prefix", ""),
        query.get("delimiter", ""),
        integer(query, "max-keys", KEYS_MAX, 0, KEYS_MAX),
        parse_encoding(query),
    )


def parse_encoding(query: dict[str, str]) -> bool:
    """Say whether names are to be percent-encoded. Raises: S3Error InvalidArgument."""
    encoding = query.get("encoding-type")
    if not encoding:
        return False
    if encoding != "url":
        raise S3Error(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=encoding,
        )
    return True


def owner_xml(canonical_id: str, element: str = "Owner") -> str:
    """Return the element of an owner."""
    name = display_name(canonical_id)
    return f"<{element}><ID>{canonical_id}</ID><DisplayName>{name}</DisplayName></{element}>"


def display_name(canonical_id: str) -> str:
    """Return the name shown beside a canonical id."""
    return "root" if canonical_id == _ROOT else canonical_id


def _plain(names: list[str], safe: bytes) -> bool:
    """Say whether no name holds anything but `safe` characters."""
    return not "".join(names).encode("utf-8", "surrogatepass").translate(None, safe)


_SUMS: dict[str, str] = {}
_SUMS_MAX = 256


def checksum_xml(checksum: str) -> str:
    """Return the elements of a stored checksum's algorithm and type; its value is not listed."""
    kind = checksum[: checksum.rfind(";")]
    text = _SUMS.get(kind)
    if text is None:
        if len(_SUMS) >= _SUMS_MAX:
            _SUMS.clear()
        algorithm, _, type_ = kind.partition(";")
        text = _SUMS[kind] = (
            f"<ChecksumAlgorithm>{algorithm.upper()}</ChecksumAlgorithm>"
            f"<ChecksumType>{type_}</ChecksumType>"
        )
    return text


def contents_xml(
    entries: list[ListRow | str],
    listing: Listing,
    *,
    element: str = "Contents",
    after_key: str = "",
    tail: str = "",
) -> str:
    """Return the rows as `element`s, then the common prefixes.

    `after_key` and `tail` are elements every row has, behind its key and at its end.
    """
    rows = [entry for entry in entries if type(entry) is tuple]
    keys = [row[0] for row in rows]
    prefixes = [entry for entry in entries if type(entry) is str]
    if not _plain(keys, _URL_SAFE if listing.url else _XML_SAFE):
        keys = [listing.text(key) for key in keys]
    if not _plain(prefixes, _URL_SAFE if listing.url else _XML_SAFE):
        prefixes = [listing.text(prefix) for prefix in prefixes]
    close = f"<StorageClass>STANDARD</StorageClass>{tail}</{element}>"
    start = f"<{element}><Key>"
    parts = []
    # Neighbours were mostly written within the same second, with the same kind of checksum.
    last_second, when = -1, ""
    kind, sums = "\0", ""
    for key, (_, size, etag, mtime_us, checksum) in zip(keys, rows):
        second = mtime_us // 1_000_000
        if second != last_second:
            last_second = second
            when = STAMPS.get(second) or stamp(second)
        if checksum is None:
            kind, sums = "\0", ""
        elif not checksum.startswith(kind):
            kind, sums = checksum[: checksum.rfind(";") + 1], checksum_xml(checksum)
        parts.append(
            f"{start}{key}</Key>{after_key}<LastModified>{when}</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag>{sums}<Size>{size}</Size>{close}"
        )
    parts += [f"<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>" for prefix in prefixes]
    return "".join(parts)


def truncated_xml(truncated: bool) -> str:
    return f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>"


def encode_token(after: str) -> str:
    """Return an opaque text to continue after `after` with."""
    raw = after.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(zlib.crc32(raw).to_bytes(4, "big") + raw).decode()


def decode_token(token: str) -> str:
    """The inverse of `encode_token`. Raises: S3Error InvalidArgument."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        if len(raw) < 4 or zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
            raise ValueError("not a token of ours")
        return raw[4:].decode("utf-8", "surrogatepass")
    except ValueError as error:
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        ) from error
