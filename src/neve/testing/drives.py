"""Drives of MinIO for tests: one that MinIO wrote, its manifest, and changes to a copy of it."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from neve.moving.drive import SUM_KEY
from neve.moving.highway import HighwayHash

DATA = Path(__file__).resolve().parents[3] / "tests" / "data" / "minio"
ROOT_USER, ROOT_PASSWORD = "rootuser", "rootsecret123"


def unpack_drive(folder: Path) -> Path:
    """Return a drive of one's own in `folder`."""
    with tarfile.open(DATA / "minio-drive.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "minio-drive"


def manifest() -> dict[str, list[dict[str, Any]]]:
    """Bucket → every version of every object, as MinIO showed them."""
    document: dict[str, Any] = json.loads((DATA / "minio-manifest.json").read_bytes())
    return document


class MetaFile:
    """An `xl.meta`, taken apart and put together again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "xl.meta"
        data = self.path.read_bytes()
        assert data[8] == 0xC6
        end = 13 + int.from_bytes(data[9:13])
        meta = data[13:end]
        self.numbers, at = meta[:3], 3
        self.versions: list[tuple[list[Any], dict[str, Any]]] = []
        for _ in range(meta[2]):
            header, at = _taken(meta, at)
            body, at = _taken(meta, at)
            self.versions.append((header, body))
        self.inline: dict[str, bytes] = {}
        if data[end + 6 :]:
            self.inline = msgspec.msgpack.decode(data[end + 6 :])

    def write(self) -> None:
        """Write it with a checksum that is right."""
        encode = msgspec.msgpack.encode
        meta = self.numbers[:2] + bytes((len(self.versions),))
        for header, body in self.versions:
            meta += encode(encode(header)) + encode(encode(body))
        total = b"\xc6" + len(meta).to_bytes(4) + meta
        check = (xxhash.xxh64_intdigest(meta) & 0xFFFFFFFF).to_bytes(4)
        inline = encode(self.inline) if self.inline else b""
        self.path.write_bytes(b"XL2 \x01\0\x03\0" + total + b"\xce" + check + b"\x01" + inline)


def change_meta(folder: Path, change: Callable[[MetaFile], None]) -> None:
    """Change an `xl.meta` in place."""
    file = MetaFile(folder)
    change(file)
    file.write()


def set_inline(folder: Path, data: bytes) -> None:
    """Give the one inline version of a key other bytes, with the sum and the size that fit."""

    def put(file: MetaFile) -> None:
        (name,) = file.inline
        file.inline[name] = HighwayHash(SUM_KEY).digest(data) + data
        fields = file.versions[0][1]["V2Obj"]
        fields["Size"] = len(data)
        fields["PartSizes"] = fields["PartASizes"] = [len(data)]

    change_meta(folder, put)


def _taken(meta: bytes, at: int) -> tuple[Any, int]:
    width = {0xC4: 1, 0xC5: 2, 0xC6: 4}[meta[at]]
    start = at + 1 + width
    end = start + int.from_bytes(meta[at + 1 : start])
    return msgspec.msgpack.decode(meta[start:end]), end
