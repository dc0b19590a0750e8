"""Bringing the objects of a drive into a store: read, compared, written, version for version.

Of every block the sum is compared, in processes of their own because summing is slow, and of every
object whose ETag is an MD5 the MD5. So nothing is published that is not as MinIO wrote it. Versions
of a key go oldest first, one after the other; several keys at a time.
"""

import asyncio
import hashlib
import os
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor

from neve.catalog.catalog import ObjectRow
from neve.engine.adopt import Adopter
from neve.engine.bucket import Bucket
from neve.engine.engine import Engine
from neve.engine.locks import HOLD, MODE, UNTIL, format_date, parse_date
from neve.engine.write import Writer
from neve.errors import DomainError, InvalidKey, NoSuchKey, NoSuchVersion, StoreFault
from neve.moving.drive import SUM_KEY, Blocks, Drive, Found
from neve.moving.highway import HighwayHash
from neve.moving.report import Report
from neve.moving.xlmeta import Damaged, NotTaken, PartMeta, Version
from neve.names import parse_key
from neve.s3 import metadata
from neve.s3.checksums import ALGORITHMS, FULL_OBJECT, Hasher
from neve.s3.errors import S3Error
from neve.s3.tagging import parse_tag_header

KEYS_AT_ONCE = 16
SUMS_AHEAD = 4
"""Blocks of one object that may wait for their sums: each is a mebibyte in memory."""
SUM_HERE_BYTES = 4096
"""A block up to this size is summed at once, which is faster than asking another process."""

_ETAG = re.compile(r"[0-9a-f]{32}(-[1-9][0-9]{0,4})?")
_CHECKSUMS = {2: "sha256", 4: "sha1", 8: "crc32", 16: "crc32c", 256: "crc64nvme"}
_FULL_OBJECT = 512
_CLASS = "x-amz-storage-class"
_USER = metadata.USER.decode()
_KEPT = frozenset(
    (
        *(name.decode() for name in metadata.SYSTEM),
        *(MODE, UNTIL, HOLD, _CLASS, metadata.TAGGING, "x-amz-website-redirect-location"),
    )
)
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]+")
_hash = HighwayHash(SUM_KEY)


def sum_of(block: bytes) -> bytes:
    """The sum of a block; runs in any process."""
    return _hash.digest(block)


class Adoption:
    """Brings the objects of one drive along."""

    def __init__(
        self, drive: Drive, engine: Engine, report: Report, pool: Executor, *, bitrot: bool
    ) -> None:
        """`pool`: processes for sums. `bitrot`: whether sums are compared where an MD5 is, too."""
        self._drive = drive
        self._engine = engine
        self._adopter = Adopter(engine)
        self._report = report
        self._pool = pool
        self._bitrot = bitrot
        self._read = 0

    async def bring(self, name: str) -> None:
        """Bring all objects of a bucket that is there already."""
        bucket = self._engine.bucket(name)
        keys = self._keys(name)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(KEYS_AT_ONCE):
                    group.create_task(self._bring_keys(bucket, keys))
        except ExceptionGroup as errors:  # the store's: one says it as well as all
            raise errors.exceptions[0] from None

    def _keys(self, name: str) -> Iterator[Found]:
        try:
            yield from self._drive.keys(name)
        except OSError as error:
            self._report.miss(name, f"not all of its keys can be listed: {error}")

    async def _bring_keys(self, bucket: Bucket, keys: Iterator[Found]) -> None:
        for found in keys:
            await self._bring_key(bucket, found)

    async def _bring_key(self, bucket: Bucket, found: Found) -> None:
        place = f"{bucket.name}/{found.key}"
        try:
            key = parse_key(os.fsencode(found.key))
            versions = await asyncio.to_thread(self._drive.versions, found)
        except InvalidKey:
            self._report.miss(os.fsencode(place).decode(errors="replace"), "its name is no UTF-8")
            return
        except (Damaged, NotTaken, DomainError, OSError) as error:
            self._report.miss(place, _reason(error))
            return
        for version in versions:
            try:
                await self._bring_version(bucket, key, found.folder, version)
            except (Damaged, NotTaken, DomainError, OSError) as error:
                self._report.miss(f"{place} (version {version.shown_id})", _reason(error))

    async def _bring_version(self, bucket: Bucket, key: str, folder: str, version: Version) -> None:
        if version.refused:
            raise NotTaken(version.refused)
        if self._is_there(bucket, key, version):
            self._report.skipped += 1
            return
        if version.marker:
            row = self._row(bucket, key, version, "", b"", None)
            await self._adopter.adopt_marker(bucket.name, row)
            self._report.markers += 1
            return
        await self._bring_object(bucket, key, folder, version)
        self._report.objects += 1
        self._report.bytes += version.size

    def _is_there(self, bucket: Bucket, key: str, version: Version) -> bool:
        """Whether the store has the same version already."""
        try:
            row = self._engine.head(bucket, key, version.id)
        except (NoSuchKey, NoSuchVersion):
            return False
        same_time = row.mtime_us == version.mtime_ns // 1000
        if version.marker or not _ETAG.fullmatch(version.etag):
            return same_time and row.size == version.size and (not row.etag) == version.marker
        return same_time and (row.size, row.etag) == (version.size, version.etag)

    async def _bring_object(self, bucket: Bucket, key: str, folder: str, version: Version) -> None:
        meta = self._meta(f"{bucket.name}/{key}", version)
        blocks = Blocks(folder, version, None)
        as_parts = len(version.parts) > 1 or "-" in version.etag
        given = _checksum(version)
        hasher = ALGORITHMS[given[0]].new() if given else None
        written: list[tuple[int, str, Writer]] = []
        try:
            for part in version.parts or (PartMeta(1, 0, ""),):
                writer = self._adopter.part_writer() if as_parts else self._engine.writer(part.size)
                written.append((part.number, "", writer))
                etag = await self._copy(blocks, version, part, writer, hasher)
                written[-1] = (part.number, etag, writer)
            etag = self._checked_etag(version, [etag for _, etag, _ in written])
            checksum = self._checked(f"{bucket.name}/{key}", given, hasher)
        except BaseException:
            for _, _, writer in written:
                writer.abort()
            raise
        row = self._row(bucket, key, version, etag, meta, checksum)
        if as_parts:
            await self._adopter.adopt_parts(bucket.name, row, written)
        else:
            await self._adopter.adopt_object(bucket.name, row, written[0][2])

    async def _copy(
        self,
        blocks: Blocks,
        version: Version,
        part: PartMeta,
        writer: Writer,
        hasher: Hasher | None,
    ) -> str:
        """Feed a part to its writer and close it; return the MD5. Raises: Damaged, OSError."""
        loop = asyncio.get_running_loop()
        summed = self._bitrot or not _is_md5(version)
        waiting: deque[tuple[asyncio.Future[bytes], bytes]] = deque()
        md5 = hashlib.md5(usedforsecurity=False)
        raw = blocks.raw(part)
        while (each := await asyncio.to_thread(next, raw, None)) is not None:
            block, wanted = each
            if summed and len(block) <= SUM_HERE_BYTES:
                _compare(sum_of(block), wanted, part)
            elif summed:
                waiting.append((loop.run_in_executor(self._pool, sum_of, block), wanted))
            md5.update(block)
            if hasher is not None:
                hasher.update(block)
            settled = writer.feed(memoryview(block))
            if settled is not None:
                await settled
            while len(waiting) > SUMS_AHEAD:
                future, sum = waiting.popleft()
                _compare(await future, sum, part)
            self._read += len(block)
            self._report.on_progress(self._read, 0)
        for future, sum in waiting:
            _compare(await future, sum, part)
        await writer.close()
        if part.etag and _ETAG.fullmatch(part.etag) and part.etag != md5.hexdigest():
            raise Damaged(f"part {part.number} does not match its MD5")
        return md5.hexdigest()

    def _checked_etag(self, version: Version, md5s: list[str]) -> str:
        """The ETag it is to have, compared with the bytes if it is their MD5. Raises: Damaged."""
        parts = len(md5s)
        etag = md5s[0]
        if parts > 1 or "-" in version.etag:
            joined = b"".join(map(bytes.fromhex, md5s))
            etag = f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{parts}"
        if not _ETAG.fullmatch(version.etag):
            return etag
        # MinIO can be told to make ETags that are no MD5; such end in a dash and a number. What
        # the sums have proved is right even then.
        if etag != version.etag and (_is_md5(version) and not (self._bitrot and "-" in etag)):
            raise Damaged("the bytes do not match the ETag")
        return version.etag

    def _checked(
        self, place: str, given: tuple[str, bytes] | None, hasher: Hasher | None
    ) -> str | None:
        """The checksum as Neve keeps it; one that does not fit the bytes is reported."""
        if given is None or hasher is None:
            return None
        name, value = given
        if hasher.digest() == value:
            return f"{name};{FULL_OBJECT};{b64encode(value).decode()}"
        self._report.miss(f"checksum of {place}", "it does not fit the bytes, which fit their sums")
        return None

    def _row(
        self, bucket: Bucket, key: str, version: Version, etag: str, meta: bytes,
        checksum: str | None,
    ) -> ObjectRow:  # fmt: skip
        mtime_us = version.mtime_ns // 1000
        about = (bucket.tree, key, 0, version.size, etag, mtime_us, meta, checksum, b"")
        return ObjectRow(*about, version.id)

    def _meta(self, place: str, version: Version) -> bytes:
        """The packed metadata; what of it cannot be kept is reported. Raises: Damaged."""
        kept: metadata.Metadata = {}
        for name, text in version.fields.items():
            if not text or (name not in _KEPT and not name.startswith(_USER)):
                continue
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
                self._report.miss(f"metadata of {place}", f"{name!r} can be no header")
                continue
            value = text.encode()
            if name == UNTIL:
                value = _date(text)
            if name == metadata.TAGGING:
                try:
                    parse_tag_header(value)
                except S3Error as error:
                    self._report.miss(f"tags of {place}", str(error))
                    continue
            if name != _CLASS or value in metadata.STORAGE_CLASSES - {b"STANDARD"}:
                kept[name] = value
        if (MODE in kept) != (UNTIL in kept):
            raise Damaged("its retention is only half there")
        return metadata.pack(kept)


def _date(text: str) -> bytes:
    try:
        return format_date(parse_date(text)).encode()
    except (ValueError, OverflowError) as error:
        raise Damaged(f"its retention ends at {text[:40]!r}, which is no time") from error


def _is_md5(version: Version) -> bool:
    """Whether the ETag should be the MD5 of the bytes, or that of the MD5s of the parts."""
    found = _ETAG.fullmatch(version.etag)
    if not found:
        return False
    return found[1] == f"-{len(version.parts)}" if found[1] else len(version.parts) <= 1


def _compare(sum: bytes, wanted: bytes, part: PartMeta) -> None:
    if sum != wanted:
        raise Damaged(f"a block of part {part.number} does not match its sum")


def _checksum(version: Version) -> tuple[str, bytes] | None:
    """Name and value of the checksum that the client gave, when it is one over all the bytes."""
    data = version.internal.get("crc", b"")
    kind = at = 0
    for at, byte in enumerate(data[:5]):
        kind |= (byte & 127) << (7 * at)
        if byte < 128:
            break
    name = _CHECKSUMS.get(kind & ~(1 | _FULL_OBJECT))
    value = data[at + 1 :]
    if name is None or len(value) != ALGORITHMS[name].size or len(version.parts) > 1:
        return None
    return name, value


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, StoreFault):
        return f"it cannot be read: {os.strerror(error.errno or 0)}"
    return str(error)
