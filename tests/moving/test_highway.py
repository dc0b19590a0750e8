"""HighwayHash against the sums that MinIO's implementation wrote on a drive."""

from pathlib import Path

import pytest

from neve.moving.drive import SUM_KEY, Blocks, Drive
from neve.moving.highway import HighwayHash
from neve.testing.drives import unpack_drive


def blocks(folder: Path) -> list[tuple[bytes, bytes]]:
    drive = Drive(str(unpack_drive(folder)))
    return [
        block
        for bucket in drive.buckets()
        for found in drive.keys(bucket)
        for version in drive.versions(found)
        for part in version.parts
        for block in Blocks(found.folder, version, None).raw(part)
    ]


def test_every_sum_of_a_drive(tmp_path: Path) -> None:
    found = blocks(tmp_path)
    # Rests after whole packets: none, under 4, multiples of 4, over 16, and both kinds of tails.
    rests = {len(block) % 32 for block, _ in found}
    assert {0, 1, 5, 8, 9, 13, 17, 24, 26} <= rests
    assert max(len(block) for block, _ in found) == 1 << 20
    hash = HighwayHash(SUM_KEY)
    for block, sum in found:
        assert hash.digest(block) == sum, len(block)


@pytest.mark.parametrize("at", [0, 15, 31, 32, 47])
def test_every_byte_counts(at: int) -> None:
    hash = HighwayHash(SUM_KEY)
    data = bytes(range(48))
    changed = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
    assert hash.digest(changed) != hash.digest(data)
    assert HighwayHash(bytes(32)).digest(data) != hash.digest(data)
