"""What is uploaded: a file of this machine, or an object of another server.

A source is opened for one upload; its parts can be asked for in any order, by several threads, and
more than once. `check` tells whether it is still what it was when it was opened.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Protocol
from urllib.parse import urlencode

from neve.cli.target import Local, Remote
from neve.cli.transfer.attributes import MC_ATTRS, attributes_of, content_type_of, kept
from neve.cli.transfer.body import Body, Bytes, Changed, Slice
from neve.cli.transfer.engine import Engine, open_source, quiet_meter
from neve.cli.transfer.entries import Entry
from neve.cli.transfer.verify import expected_of
from neve.cli.transfer.wire import Reply, Request
from neve.client.errors import ClientError, ServerError

IN_MEMORY_BYTES = 1 << 20
"""Files up to this size are read at once and signed as a whole."""
LOCKS = (
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
)  # fmt: skip


class Source(Protocol):
    """Something to upload."""

    label: str
    size: int
    fingerprint: str
    """Of this state of the source: parts that were sent hold as long as it is the same."""

    @property
    def headers(self) -> dict[str, str]:
        """What the object shall have beside its bytes."""

    def part(self, start: int, size: int) -> AbstractContextManager[Body]:
        """The bytes from `start` on, as a context; they are let go at its end."""

    def check(self) -> None:
        """Raises: Changed."""

    def close(self) -> None:
        """Let go of it."""


class FileSource:
    """A file."""

    def __init__(self, engine: Engine, entry: Entry) -> None:
        assert isinstance(entry.place, Local)
        self.label = entry.label
        self._path = entry.place.path
        self._preserve = engine.settings.preserve
        self._file = open_source(self._path)
        self._state = os.fstat(self._file)
        self.size = self._state.st_size
        self.fingerprint = f"{self._state.st_ino} {self.size} {self._state.st_mtime_ns}"

    @property
    def headers(self) -> dict[str, str]:
        """Content type by extension, and the file's attributes if they shall be kept."""
        headers = {"content-type": content_type_of(self._path)}
        if self._preserve:
            headers[MC_ATTRS] = attributes_of(self._state)
        return headers

    @contextmanager
    def part(self, start: int, size: int) -> Iterator[Body]:
        """Bytes of the file: of a small one in memory, else sent by the kernel."""
        if size > IN_MEMORY_BYTES:
            yield Slice(self._file, start, size, self.label)
            return
        data = os.pread(self._file, size, start)
        if len(data) != size:
            raise Changed(self.label)
        yield Bytes(data)

    def check(self) -> None:
        """Raises: Changed when the file was written meanwhile."""
        now = os.fstat(self._file)
        if (now.st_size, now.st_mtime_ns) != (self.size, self._state.st_mtime_ns):
            raise Changed(self.label)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class ObjectSource:
    """An object of another server, held in memory part by part."""

    def __init__(self, engine: Engine, entry: Entry) -> None:
        assert isinstance(entry.place, Remote)
        self.label = entry.label
        self._engine, self._place = engine, entry.place
        self._wire = engine.wire(entry.place.alias)
        self._query = {"versionId": entry.version} if entry.version else {}
        asked = {"x-amz-checksum-mode": "ENABLED"}
        request = self._request("HEAD", asked)
        self._found = self._wire.call(request, lambda reply: reply.headers)
        self.size = int(self._found["content-length"])
        self._etag = self._found.get("etag", "")
        self.fingerprint = f"{self._etag} {self.size} {self._found.get('last-modified', '')}"
        self.expected = expected_of(self._found)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The object's own metadata and tags."""
        headers = kept(self._found)
        if int(self._found.get("x-amz-tagging-count", 0)):
            headers["x-amz-tagging"] = tags_of(self._engine, self._place, self._query)
        return headers

    @property
    def kept(self) -> dict[str, str]:
        """What a version of it keeps on top: storage class and locks."""
        found = {name: self._found[name] for name in LOCKS if self._found.get(name, "OFF") != "OFF"}
        if self._found.get("x-amz-storage-class") == "REDUCED_REDUNDANCY":
            found["x-amz-storage-class"] = "REDUCED_REDUNDANCY"
        return found

    @property
    def sealed(self) -> bool:
        """Whether it is encrypted there: then an ETag is no sum of its bytes."""
        return any(name.startswith("x-amz-server-side-encryption") for name in self._found)

    def extents(self, count: int) -> list[tuple[int, int]]:
        """Start and size of its parts; none when the server does not tell them apart."""
        found: list[tuple[int, int]] = []
        start = 0
        for number in range(1, count + 1):
            size = self._part_size(number)
            found.append((start, size))
            start += size
        return found if start == self.size else []

    def _part_size(self, number: int) -> int:
        request = self._request("HEAD", {})
        request = request._replace(query=self._query | {"partNumber": str(number)})
        return int(self._wire.call(request, lambda reply: reply.headers)["content-length"])

    @contextmanager
    def part(self, start: int, size: int) -> Iterator[Body]:
        """Bytes of the object as it was when it was opened."""
        pool = self._engine.pool
        self._engine.memory.take(size, lambda: pool.stopped)
        try:
            yield Bytes(self._read(start, size))
        finally:
            self._engine.memory.give(size)

    def _read(self, start: int, size: int) -> memoryview:
        if not size:
            return memoryview(b"")
        headers = {"if-match": self._etag} if self._etag else {}
        if size < self.size:
            headers["range"] = f"bytes={start}-{start + size - 1}"
        data = memoryview(bytearray(size))
        meter = quiet_meter(self._engine)

        def take(reply: Reply) -> None:
            if reply.size != size:
                raise ClientError("the server does not answer with ranges of objects.", "NoRanges")
            done = 0
            while done < size:
                count = reply.read_into(data[done : done + (1 << 20)])
                done += count
                meter(count)

        try:
            self._wire.call(self._request("GET", headers), take)
        except ServerError as error:
            if error.status in (412, 404):
                raise Changed(self.label) from error
            raise
        if size == self.size and (running := self.expected.running()):
            running.update(data)
            self.expected.check(running.digest(), self.label)
        return data

    def _request(self, method: str, headers: dict[str, str]) -> Request:
        place = self._place
        return Request(
            method, place.bucket, place.key, self._query, headers, doing="read this object"
        )

    def check(self) -> None:
        """Nothing to do: each part was asked for as of the state that was opened."""

    def close(self) -> None:
        """Nothing to let go."""


def source_of(engine: Engine, entry: Entry) -> Source:
    """Open the entry."""
    if isinstance(entry.place, Local):
        return FileSource(engine, entry)
    return ObjectSource(engine, entry)


def tags_of(engine: Engine, place: Remote, query: dict[str, str]) -> str:
    """Return an object's tags as the header of a PUT wants them."""
    from neve.client.xml import parse

    transport = engine.session.server(place.alias).transport
    answer = transport.request(
        "GET", place.bucket, place.key, {"tagging": ""} | query, doing="read the tags"
    )
    root = parse(answer.body).find("TagSet")
    rows = [node.texts() for node in root.all("Tag")] if root else []
    return urlencode([(row["Key"], row.get("Value", "")) for row in rows])
