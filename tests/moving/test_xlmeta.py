"""Reading `xl.meta` that MinIO wrote, and that is damaged in every way."""

import random
from pathlib import Path

import pytest

from neve.moving.drive import Drive, NoDrive
from neve.moving.xlmeta import Damaged, NotTaken, parse
from neve.testing.drives import change_meta, manifest, unpack_drive

KEY = "minio-drive/results/tas.zarr/tas/c/2/0"


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    return Drive(str(unpack_drive(tmp_path_factory.mktemp("drive"))))


def test_every_version_is_that_of_the_manifest(drive: Drive) -> None:
    for bucket, rows in manifest().items():
        found = {
            (each.key, version.shown_id): version
            for each in drive.keys(bucket)
            for version in drive.versions(each)
        }
        assert found.keys() == {(row["key"], row["version"]) for row in rows}
        for row in rows:
            version = found[row["key"], row["version"]]
            assert version.marker == row.get("delete_marker", False)
            if not version.marker:
                assert (version.size, f'"{version.etag}"') == (row["size"], row["etag"])


def read(data: bytes) -> str:
    """What reading comes to; anything but these exceptions fails the test."""
    try:
        return str(parse(data))
    except (Damaged, NotTaken) as error:
        assert str(error)
        return ""


def test_a_file_cut_off_anywhere_is_damaged(drive: Drive) -> None:
    for key in ("portail-ing/readme.txt", "results/gone", "results/tas.zarr/tas/c/2/0"):
        data = (Path(drive.path) / key / "xl.meta").read_bytes()
        whole = read(data)
        inline = data.rfind(b"\x01\x81", 0, -20)
        for length in range(len(data)):
            # Without inline data the file may well end after its checksum.
            assert read(data[:length]) == "" or length > inline > 0 or read(data[:length]) == whole


def test_no_changed_byte_is_more_than_damage(drive: Drive) -> None:
    draw = random.Random(20261128)
    for key in ("portail-ing/readme.txt", "results/gone", "portail-ing/multi-11m.bin"):
        data = (Path(drive.path) / key / "xl.meta").read_bytes()
        end = 13 + int.from_bytes(data[9:13])
        for at in range(end + 5):
            changed = bytearray(data)
            changed[at] ^= 1 << draw.randrange(8)
            assert read(bytes(changed)) == "", at


def test_fields_that_cannot_be_are_damage_even_with_the_right_checksum(tmp_path: Path) -> None:
    unpack_drive(tmp_path)
    folder = tmp_path / KEY
    original = (folder / "xl.meta").read_bytes()
    for name, value in {
        "Size": -1,
        "PartSizes": [-1],
        "PartNums": [0],
        "PartETags": ["a", "b"],
        "EcBSize": 0,
        "MTime": -5,
        "ID": b"short",
        "DDir": None,
        "MetaUsr": [1],
        "MetaSys": "text",
    }.items():
        (folder / "xl.meta").write_bytes(original)
        change_meta(folder, lambda file: file.versions[0][1]["V2Obj"].update({name: value}))  # noqa: B023
        assert read((folder / "xl.meta").read_bytes()) == "", name
    (folder / "xl.meta").write_bytes(original)
    change_meta(folder, lambda file: file.versions[0][1].update(Type=9))
    assert read((folder / "xl.meta").read_bytes()) == ""


def test_what_is_not_one_whole_drive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoDrive, match="no drive of MinIO"):
        Drive(str(tmp_path))
    system = tmp_path / ".minio.sys"
    system.mkdir()
    for text, match in {
        '{"format":"xl","xl":{"sets":[["a","b","c","d"]]}}': "one of 4 drives",
        '{"format":"xl","xl":{"sets":[["a"],["b"]]}}': "one of 2 drives",
        '{"format":"fs"}': "old format",
        "{": "cannot be read",
        "[]": "cannot be read",
    }.items():
        (system / "format.json").write_text(text)
        with pytest.raises(NoDrive, match=match):
            Drive(str(tmp_path))
