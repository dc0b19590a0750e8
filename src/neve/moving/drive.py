"""A single-drive folder of MinIO, read only: its buckets, its keys, the bytes of its objects.

    DRIVE/.minio.sys/format.json             one drive: `xl-single`, or one set of one drive
    DRIVE/.minio.sys/buckets/BUCKET/.metadata.bin/xl.meta
    DRIVE/.minio.sys/config/…                settings, users
    DRIVE/.minio.sys/multipart/…             unfinished uploads
    DRIVE/BUCKET/KEY/xl.meta                 a key that ends in `/` is a folder KEY__XLDIR__
    DRIVE/BUCKET/KEY/<uuid>/part.N           blocks, each after its sum

No link is followed: a key that is one is reported as damaged.
"""

import json
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from neve.errors import NeveError
from neve.moving.highway import HASH_BYTES, HighwayHash
from neve.moving.xlmeta import META_BYTES_MAX, Damaged, PartMeta, Version, parse

SYSTEM = ".minio.sys"
META = "xl.meta"
_FOLDER_KEY = "__XLDIR__"
_NOT_BUCKETS = frozenset({SYSTEM, "lost+found"})
SUM_KEY = bytes.fromhex("4be734fa8e238acd263e83e6bb968552040f935da39f441497e09d1322de36a0")
"""The key of every sum that MinIO makes: itself a sum of digits of pi."""
SYSTEM_BYTES_MAX = 64 << 20


class NoDrive(NeveError):
    """The folder is not a drive that can be read: one sentence."""


class Found(NamedTuple):
    """A key of a bucket, and where it lies."""

    key: str
    folder: str


class Drive:
    """A drive."""

    def __init__(self, path: str) -> None:
        """Look whether it can be read. Raises: NoDrive."""
        self.path = os.path.abspath(path)
        file = os.path.join(self.path, SYSTEM, "format.json")
        try:
            with open(file, "rb") as stream:
                written = json.loads(stream.read(SYSTEM_BYTES_MAX))
            kind, sets = str(written["format"]), written.get("xl", {}).get("sets", [])
            drives = sum(len(each) for each in sets)
        except FileNotFoundError:
            raise NoDrive(
                f"{path} is no drive of MinIO: {SYSTEM}/format.json is missing."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoDrive(f"{file} cannot be read: {error}.") from error
        if kind == "fs":
            raise NoDrive(
                f"{path} was written by a MinIO of before 2022 in its old format `fs`, which keeps"
                " objects as plain files: copy it over S3."
            )
        if kind not in ("xl-single", "xl") or drives != 1:
            raise NoDrive(
                f"{path} is one of {drives} drives of a MinIO server ({kind}): each holds a part of"
                " every object only, so copy such a server over S3."
            )

    def buckets(self) -> list[str]:
        """All buckets in name order."""
        with os.scandir(self.path) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name not in _NOT_BUCKETS and entry.is_dir(follow_symlinks=False)
            )

    def keys(self, bucket: str) -> Iterator[Found]:
        """Every key of a bucket, in no order that matters."""
        yield from self._walk(os.path.join(self.path, bucket), "")

    def _walk(self, folder: str, prefix: str) -> Iterator[Found]:
        waiting = [(folder, prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            with os.scandir(folder) as listed:
                entries = list(listed)
            above = os.path.dirname(folder)
            if any(entry.name.startswith("part.") and entry.is_file() for entry in entries):
                if prefix and not os.path.lexists(os.path.join(above, META)):
                    # Bytes whose xl.meta is gone: no longer a key, but not to be passed over.
                    yield Found(prefix.rstrip("/").rpartition("/")[0], above)
                continue
            below = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) or entry.is_symlink()
            )
            for name in below:
                path = os.path.join(folder, name)
                if os.path.lexists(os.path.join(path, META)):
                    yield Found(prefix + _key_of(name), path)
                if not os.path.islink(path):
                    waiting.append((path, f"{prefix}{name}/"))

    def versions(self, found: Found) -> list[Version]:
        """The versions of a key, oldest first. Raises: Damaged, NotTaken, OSError."""
        _refuse_link(found.folder)
        return parse(_read_file(os.path.join(found.folder, META), META_BYTES_MAX))

    def system(self, name: str) -> bytes | None:
        """A file of MinIO's own; None when it is not there. Raises: Damaged, NotTaken."""
        folder = os.path.join(self.path, SYSTEM, *name.split("/"))
        if not os.path.exists(os.path.join(folder, META)):
            return None
        versions = self.versions(Found(name, folder))
        if not versions or versions[-1].marker:
            return None
        version = versions[-1]
        if version.refused:
            raise Damaged(version.refused)
        if version.size > SYSTEM_BYTES_MAX:
            raise Damaged("it is larger than any setting")
        blocks = Blocks(folder, version, HighwayHash(SUM_KEY))
        return b"".join(block for part in version.parts for block in blocks.of(part))

    def system_names(self, folder: str) -> list[str]:
        """The names in a folder of MinIO's own."""
        path = os.path.join(self.path, SYSTEM, *folder.split("/"))
        try:
            with os.scandir(path) as entries:
                return sorted(
                    entry.name for entry in entries if entry.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []

    def uploads(self) -> int:
        """How many uploads were never finished."""
        return sum(
            len(self.system_names(f"multipart/{key}")) for key in self.system_names("multipart")
        )


class Blocks:
    """The bytes of a version, block for block, each compared with its sum."""

    def __init__(self, folder: str, version: Version, sums: HighwayHash | None) -> None:
        self._folder = folder
        self._version = version
        self._sums = sums

    def of(self, part: PartMeta) -> Iterator[bytes]:
        """The blocks of a part. Raises: Damaged, OSError."""
        for block, wanted in self.raw(part):
            if self._sums is not None and self._sums.digest(block) != wanted:
                raise Damaged(f"a block of part {part.number} does not match its sum")
            yield block

    def raw(self, part: PartMeta) -> Iterator[tuple[bytes, bytes]]:
        """Blocks and their sums, not compared. Raises: Damaged, OSError."""
        version = self._version
        if not part.size:
            return
        if version.inline is not None:
            yield from _split(version.inline, part, version.block_bytes)
            return
        _refuse_link(os.path.join(self._folder, version.folder))
        path = os.path.join(self._folder, version.folder, f"part.{part.number}")
        fd = _open(path, f"the file of part {part.number} is missing")
        with open(fd, "rb", buffering=0) as stream:
            blocks = -(-part.size // version.block_bytes)
            if os.fstat(fd).st_size != part.size + blocks * HASH_BYTES:
                raise Damaged(f"the file of part {part.number} has another size than it should")
            left = part.size
            while left:
                length = min(left, version.block_bytes)
                data = stream.read(HASH_BYTES + length)
                if len(data) != HASH_BYTES + length:
                    raise Damaged(f"the file of part {part.number} is cut off")
                yield data[HASH_BYTES:], data[:HASH_BYTES]
                left -= length


def _split(data: bytes, part: PartMeta, block_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """The blocks of inline data."""
    blocks = -(-part.size // block_bytes)
    if len(data) != part.size + blocks * HASH_BYTES:
        raise Damaged("the inline data have another size than they should")
    for start in range(0, len(data), HASH_BYTES + block_bytes):
        middle = start + HASH_BYTES
        yield data[middle : middle + block_bytes], data[start:middle]


def _key_of(name: str) -> str:
    return name.removesuffix(_FOLDER_KEY) + "/" if name.endswith(_FOLDER_KEY) else name


def _refuse_link(path: str) -> None:
    if os.path.islink(path):
        raise Damaged("it is a link, which MinIO never makes")


def _open(path: str, missing: str) -> int:
    """Open a file for reading; never waits for one that is none. Raises: Damaged, OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Damaged(missing) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Damaged(f"{os.path.basename(path)} is no file")
    return fd


def _read_file(path: str, limit: int) -> bytes:
    with open(_open(path, "xl.meta is missing"), "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise Damaged("xl.meta is larger than it can be")
    return data
