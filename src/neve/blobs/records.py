"""The bytes of a segment: a file header, then records end to end, each starting at a multiple of 8.

    segment header, 48 bytes           little-endian throughout
    0    8  magic "NEVESEG\\n"
    8    4  format, 1
    12   4  zero
    16   8  segment id
    24   8  created, microseconds since 1970
    32   8  salt, random
    40   8  XXH3-64 of bytes 0..40

    record
    0    8  checksum: XXH3-64 of bytes 8..48, seeded with salt xor the offset of the record
    8    4  magic "nREC"
    12   1  kind
    13   1  place: 1 the first record of its group, 2 another, 0 not told
    14   2  zero
    16   4  head length
    20   4  data length
    24   8  seq
    32   8  XXH3-64 of head
    40   8  XXH3-64 of data
    48   …  head, then data, then zeros to the next multiple of 8

A header proves that it is one, of this segment and at this place: a client cannot know the salt, so
no object whose bytes imitate a record is taken for one. That lets a reader look for the next header
behind a damaged stretch. Lengths are proven before they are used.
"""

import struct
from collections.abc import Sequence

from xxhash import xxh3_64_intdigest

from neve.blobs.blobs import FIRST, FOLLOWING, Record

SEGMENT_HEADER_BYTES = 48
RECORD_HEADER_BYTES = 48
HEAD_BYTES_MAX = 1 << 20
DATA_BYTES_MAX = (1 << 32) - 1

MAGIC_OFFSET = 8
MAGIC = b"nREC"

HeaderFields = tuple[int, int, int, int, int, int]
"""kind, head length, data length, seq, head digest, data digest"""

_SEGMENT = struct.Struct("<8sIIQQQ")
_SEGMENT_MAGIC = b"NEVESEG\n"
_FORMAT = 1
_RECORD = struct.Struct("<4sBB2xIIQQQ")
_CHECKSUM = struct.Struct("<Q")
_PADS = tuple(bytes(-length % 8) for length in range(8))


def pack_segment_header(id: int, created_us: int, salt: int) -> bytes:
    """The first bytes of a segment."""
    fields = _SEGMENT.pack(_SEGMENT_MAGIC, _FORMAT, 0, id, created_us, salt)
    return fields + _CHECKSUM.pack(xxh3_64_intdigest(fields))


def unpack_segment_salt(header: bytes, id: int) -> int | None:
    """The salt of segment `id`; None unless `header` is its header, whole."""
    if len(header) != SEGMENT_HEADER_BYTES:
        return None
    magic, form, _, found, _, salt = _SEGMENT.unpack_from(header)
    proven = _CHECKSUM.unpack_from(header, 40)[0] == xxh3_64_intdigest(header[:40])
    return salt if proven and (magic, form, found) == (_SEGMENT_MAGIC, _FORMAT, id) else None


def pack_header(fields: bytes, salt: int, start: int) -> bytes:
    """A record header from its bytes 8..48."""
    return _CHECKSUM.pack(xxh3_64_intdigest(fields, salt ^ start)) + fields


def pack_records(
    records: Sequence[Record], salt: int, offset: int
) -> tuple[list[bytes | memoryview], int, list[int], list[int]]:
    """Lay a group out from `offset` on: buffers, their length, data offsets and header offsets."""
    buffers: list[bytes | memoryview] = []
    offsets: list[int] = []
    starts: list[int] = []
    at, pad, place = offset, b"", FIRST
    for kind, seq, head, data, digest in records:
        assert len(head) <= HEAD_BYTES_MAX and len(data) <= DATA_BYTES_MAX
        fields = _RECORD.pack(
            MAGIC, kind, place, len(head), len(data), seq, xxh3_64_intdigest(head), digest
        )
        place = FOLLOWING
        checksum = _CHECKSUM.pack(xxh3_64_intdigest(fields, salt ^ at))
        buffers.append(b"".join((pad, checksum, fields, head)))
        starts.append(at)
        at += RECORD_HEADER_BYTES + len(head)
        offsets.append(at)
        if data:
            buffers.append(data)
            at += len(data)
        pad = _PADS[at % 8]
        at += len(pad)
    if pad:
        buffers.append(pad)
    return buffers, at - offset, offsets, starts


def amend_header(header: bytes, salt: int, start: int, kind: int, seq: int) -> bytes:
    """The header with another kind and seq."""
    magic, _, place, head, data, _, head_digest, digest = _RECORD.unpack_from(header, MAGIC_OFFSET)
    fields = _RECORD.pack(magic, kind, place, head, data, seq, head_digest, digest)
    return pack_header(fields, salt, start)


def unpack_header(header: bytes, salt: int, start: int) -> HeaderFields | None:
    """The fields of a record header, or None if it is not one."""
    if len(header) != RECORD_HEADER_BYTES or header[8:12] != MAGIC:
        return None
    if _CHECKSUM.unpack_from(header)[0] != xxh3_64_intdigest(header[8:], salt ^ start):
        return None
    _, kind, _, head, data, seq, head_digest, digest = _RECORD.unpack_from(header, MAGIC_OFFSET)
    return kind, head, data, seq, head_digest, digest


def place_of(header: bytes) -> int:
    """The place in its group of the record with this proven header."""
    return header[MAGIC_OFFSET + 5]


def padded(offset: int) -> int:
    """The next multiple of 8."""
    return (offset + 7) & ~7
