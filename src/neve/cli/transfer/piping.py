"""A stream of unknown length becomes an object: in one request if it is short, else in parts.

Invariant: nothing appears under the key before the stream has ended; when it breaks, the parts that
were sent are given up.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from typing import IO

from neve.cli.output import Result
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.transfer.attributes import content_type_of
from neve.cli.transfer.body import Bytes, combined_crc32c, encoded
from neve.cli.transfer.engine import PARTS_MAX, Engine, FileMeter
from neve.cli.transfer.multipart import Multipart, Sent
from neve.cli.transfer.pool import Done, Job
from neve.cli.transfer.results import Copied, Planned
from neve.cli.transfer.upload import put_body
from neve.cli.transfers import Transfers
from neve.client.errors import ClientError

SMALL_PARTS = 2_000
LARGE_PART_BYTES = 64 << 20
"""From the 2,000th part on: an object of 32 GB is likely to be one of several hundred."""


def pipe(
    options: argparse.Namespace, session: Session, target: Remote, stream: IO[bytes]
) -> Iterator[Result]:
    """Write the stream to the target."""
    with Transfers(session.output) as progress:
        engine = Engine(session, options, progress)
        headers = {"content-type": content_type_of(target.key)} | engine.settings.headers
        if engine.settings.tags:
            headers["x-amz-tagging"] = engine.settings.tags
        if engine.settings.dry_run:
            yield Planned("copy", "-", str(target), 0)
            return
        piping = _Piping(engine, target, stream, headers)
        try:
            yield from engine.do(piping.jobs())
        except BaseException:
            piping.give_up()
            raise
        yield from piping.end()


class _Piping:
    """One stream. Each part is a job, so that several are sent at once."""

    def __init__(
        self, engine: Engine, target: Remote, stream: IO[bytes], headers: dict[str, str]
    ) -> None:
        self._engine, self._target, self._stream = engine, target, stream
        self._headers = headers
        self._transport = engine.session.server(target.alias).transport
        self._meter: FileMeter = engine.meter(str(target), 0, up=True)
        self._multipart: Multipart | None = None
        self._sent: dict[int, tuple[Sent, int]] = {}
        self._size = self._count = 0
        self._result: Copied | None = None

    def jobs(self) -> Iterator[Job]:
        """Read the stream; a job for each part."""
        first = self._read(self._engine.settings.part_bytes)
        if len(first) < self._engine.settings.part_bytes:
            self._count, self._size = 1, len(first)
            yield Job(str(self._target), partial(self._whole, first))
            return
        self._multipart = Multipart.create(self._transport, self._target, self._headers)
        data = first
        while data:
            self._count += 1
            if self._count > PARTS_MAX:
                raise ClientError("the stream is longer than an object may be: use --part-size.")
            self._size += len(data)
            yield Job(str(self._target), partial(self._part, self._count, data))
            large = self._count >= SMALL_PARTS
            size = self._engine.settings.part_bytes
            data = self._read(max(size, LARGE_PART_BYTES) if large else size)

    def end(self) -> Iterator[Result]:
        """Make the object of the parts, or give them up; say what was done."""
        multipart = self._multipart
        if multipart and len(self._sent) == self._count:
            crc, parts = 0, {}
            for number in sorted(self._sent):
                parts[number], value = self._sent[number]
                crc = combined_crc32c(crc, value, parts[number].size)
            try:
                etag, version = multipart.complete(parts, crc)
            except ClientError:
                self.give_up()
                raise
            verified = "CRC-32C" if all(part.crc32c for part in parts.values()) else "size"
            self._result = Copied("-", str(self._target), self._size, version, etag, verified)
        elif multipart:
            self.give_up()
        self._meter.end(done=self._result is not None)
        if self._result:
            yield self._result

    def give_up(self) -> None:
        """Nothing of the stream stays at the server."""
        if self._multipart:
            try:
                self._multipart.abort()
            except ClientError:
                pass  # The server is gone: its own rules end the upload.
            self._multipart = None

    def _read(self, size: int) -> memoryview:
        """The next bytes, held against the memory that all parts share."""
        pool = self._engine.pool
        self._engine.memory.take(size, lambda: pool.stopped or pool.hopeless is not None)
        data = bytearray()
        while len(data) < size and (piece := self._stream.read(min(1 << 20, size - len(data)))):
            data += piece
        self._engine.memory.give(size - len(data))
        return memoryview(data)

    def _whole(self, data: memoryview, done: Done) -> None:
        etag, version, verified = put_body(
            self._engine, self._target, Bytes(data), self._headers, {}, self._meter
        )
        self._result = Copied("-", str(self._target), len(data), version, etag, verified)
        done([])

    def _part(self, number: int, data: memoryview, done: Done) -> None:
        assert self._multipart
        query = {"partNumber": str(number), "uploadId": self._multipart.upload}
        body = Bytes(data)
        try:
            etag, _, verified = put_body(self._engine, self._target, body, {}, query, self._meter)
        finally:
            self._engine.memory.give(len(data))
        crc = body.crc32c
        known = encoded(crc) if verified == "CRC-32C" else ""
        self._sent[number] = (Sent(etag, len(data), known), crc)
        done([])
