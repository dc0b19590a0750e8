"""Checksums as the catalog stores them, and as answers show them.

Stored: `algorithm;TYPE;base64` of an object, `algorithm;base64` of a part, `algorithm;TYPE` of an
upload. Shown: `x-amz-checksum-<algorithm>` and `x-amz-checksum-type`, or the XML elements.
"""

from neve.s3.checksums import FULL_OBJECT, encode
from neve.s3.response import Headers

Sum = tuple[str, bytes]
"""Algorithm and raw digest."""

_XML_NAMES = {
    "crc32": "ChecksumCRC32",
    "crc32c": "ChecksumCRC32C",
    "crc64nvme": "ChecksumCRC64NVME",
    "sha1": "ChecksumSHA1",
    "sha256": "ChecksumSHA256",
}
XML_ALGORITHMS = {name: algorithm for algorithm, name in _XML_NAMES.items()}
"""XML element → algorithm."""


def object_checksum(found: Sum | None) -> str | None:
    """Return the stored checksum of an object that came in one piece."""
    return None if found is None else f"{found[0]};{FULL_OBJECT};{encode(found[1])}"


def part_checksum(found: Sum | None) -> str | None:
    """Return the stored checksum of a part."""
    return None if found is None else f"{found[0]};{encode(found[1])}"


def checksum_headers(stored: str | None) -> Headers:
    """Return the fields of an object's checksum, none when it has none."""
    if stored is None:
        return []
    algorithm, type_, value = stored.split(";", 2)
    return [
        (b"x-amz-checksum-" + algorithm.encode(), value.encode()),
        (b"x-amz-checksum-type", type_.encode()),
    ]


def part_checksum_headers(stored: str | None, whole: str | None = None) -> Headers:
    """Return the field of a part's checksum, none when it has none.

    `whole` is the checksum of the object the part has become: its type is shown beside.
    """
    if stored is None:
        return []
    algorithm, value = stored.split(";", 1)
    headers = [(b"x-amz-checksum-" + algorithm.encode(), value.encode())]
    if whole is not None:
        headers.append((b"x-amz-checksum-type", whole.split(";", 2)[1].encode()))
    return headers


def checksum_elements(stored: str | None) -> str:
    """Return the XML elements of an object's checksum."""
    if stored is None:
        return ""
    algorithm, type_, value = stored.split(";", 2)
    name = _XML_NAMES[algorithm]
    return f"<{name}>{value}</{name}><ChecksumType>{type_}</ChecksumType>"


def part_checksum_elements(stored: str | None) -> str:
    """Return the XML element of a part's checksum."""
    if stored is None:
        return ""
    algorithm, value = stored.split(";", 1)
    name = _XML_NAMES[algorithm]
    return f"<{name}>{value}</{name}>"
