"""Up: a file, or an object of another server, becomes an object. Large ones in parts at once.

Invariants: the server has checked the CRC-32C of what it got, or what it says of it was compared
here; an object whose source changed meanwhile is sent anew; an upload in parts that was interrupted
is gone on with if the source is still the same, and each part that is there is checked again.
"""

import base64
import hashlib
from functools import partial
from typing import NamedTuple

from neve.cli.target import Remote
from neve.cli.transfer.body import (
    Body,
    Bytes,
    Changed,
    Meter,
    combined_crc32c,
    encoded,
)
from neve.cli.transfer.engine import MEMORY_BYTES, Engine, Pair, part_bytes_of
from neve.cli.transfer.multipart import Multipart, Sent
from neve.cli.transfer.pool import Done, Pieces, failed, goes_on
from neve.cli.transfer.replica import Replica
from neve.cli.transfer.results import Copied
from neve.cli.transfer.sources import ObjectSource, Source, source_of
from neve.cli.transfer.verify import plain_md5
from neve.cli.transfer.wire import Request
from neve.client.errors import ClientError, ServerError

TRIES = 3
_CHECKSUM = "x-amz-checksum-crc32c"


class Given(NamedTuple):
    """A checksum that goes with bytes."""

    header: str
    value: str
    name: str
    """As a reader knows it."""


def up(engine: Engine, pair: Pair, done: Done) -> None:
    """Send the source of the pair."""
    _send(engine, pair, done, 1)


def _send(engine: Engine, pair: Pair, done: Done, attempt: int) -> None:
    source = source_of(engine, pair.entry)
    extents = _extents(engine, pair, source)
    if extents:
        _Parts(engine, pair, source, extents, done, attempt).begin()
        return
    try:
        result = _whole(engine, pair, source)
    except Changed:
        if attempt >= TRIES:
            raise
        _send(engine, pair, done, attempt + 1)
        return
    finally:
        source.close()
    done([result])


def _extents(engine: Engine, pair: Pair, source: Source) -> list[tuple[int, int]]:
    """Start and size of the parts in which it is sent; none: whole.

    A version of another server has the parts that it has there.
    """
    most = engine.settings.part_bytes
    if pair.replica and isinstance(source, ObjectSource):
        most = MEMORY_BYTES
        if pair.replica.parts and (found := source.extents(pair.replica.parts)):
            return found
    if source.size <= most:
        return []
    size = part_bytes_of(source.size, engine.settings.part_bytes)
    return [(start, min(size, source.size - start)) for start in range(0, source.size, size)]


def headers_of(engine: Engine, source: Source, replica: Replica | None) -> dict[str, str]:
    """What the object gets: the source's own, then what the flags say."""
    headers = source.headers | engine.settings.headers
    if replica and isinstance(source, ObjectSource):
        headers |= source.kept | replica.headers
    if engine.settings.tags:
        headers["x-amz-tagging"] = engine.settings.tags
    return headers


def _whole(engine: Engine, pair: Pair, source: Source) -> Copied:
    """Send it in one request."""
    target = pair.target
    assert isinstance(target, Remote)
    meter = engine.meter(source.label, source.size, up=True)
    whole = False
    try:
        with source.part(0, source.size) as body:
            source.check()
            headers = headers_of(engine, source, pair.replica)
            query = pair.replica.query if pair.replica else {}
            given = _given(source) if pair.replica else None
            etag, version, verified = put_body(engine, target, body, headers, query, meter, given)
            source.check()
        whole = True
    finally:
        meter.end(done=whole)
    return Copied(source.label, str(target), source.size, version, etag, verified)


def put_body(
    engine: Engine, target: Remote, body: Body, headers: dict[str, str], query: dict[str, str],
    meter: Meter, given: Given | None = None,
) -> tuple[str, str, str]:  # fmt: skip
    """PUT bytes; return ETag, version, and by what it is known that they arrived.

    `given`: the checksum that the object shall have; without it is its CRC-32C.
    """
    given = given or Given(_CHECKSUM, encoded(body.crc32c), "CRC-32C")
    request = Request(
        "PUT", target.bucket, target.key, query, headers | {given.header: given.value}, body,
        "write this object",
    )  # fmt: skip
    try:
        found = engine.wire(target.alias).call(request, lambda reply: reply.headers, meter)
    except ServerError as error:
        # What was summed is not what was sent: the file was written in between.
        if error.code in ("BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"):
            raise Changed(str(target)) from error
        raise
    verified = _verified(found, body, given, str(target))
    return found.get("etag", "").strip('"'), found.get("x-amz-version-id", ""), verified


def _given(source: Source) -> Given | None:
    """The checksum of the whole object that its server has."""
    expected = source.expected if isinstance(source, ObjectSource) else None
    if expected is None or expected.algorithm in ("", "md5"):
        return None
    value = base64.b64encode(expected.digest).decode()
    return Given(f"x-amz-checksum-{expected.algorithm}", value, expected.name)


def _verified(headers: dict[str, str], body: Body, given: Given, target: str) -> str:
    """By what it is known that the server has what was sent. Raises: ClientError."""
    if headers.get(given.header, "").partition("-")[0] == given.value:
        return given.name
    md5 = plain_md5(headers)
    if md5 and isinstance(body, Bytes):
        if hashlib.md5(body.data, usedforsecurity=False).hexdigest() != md5:
            raise ClientError(
                f"{target} arrived damaged: its MD5 is not that of the source.", "Damaged"
            )
        return "MD5"
    return "size"


def _in_order(pieces: list[partial[None]]) -> None:
    for piece in pieces:
        piece()


class _Parts:
    """An upload in parts."""

    def __init__(
        self, engine: Engine, pair: Pair, source: Source, extents: list[tuple[int, int]],
        done: Done, attempt: int,
    ) -> None:  # fmt: skip
        assert isinstance(pair.target, Remote)
        self._engine, self._pair, self._source, self._done = engine, pair, source, done
        self._target = pair.target
        self._attempt = attempt
        self._extents = extents
        self._running = None
        if pair.replica and isinstance(source, ObjectSource) and not pair.replica.parts:
            self._running = source.expected.running()
        self._name = f"{source.label} {pair.target}"
        self._meter = engine.meter(source.label, source.size, up=True)
        self._there: dict[int, Sent] = {}
        self._sent: dict[int, Sent] = {}
        self._crcs: dict[int, int] = {}
        self._transport = engine.session.server(pair.target.alias).transport

    def begin(self) -> None:
        """Go on with an upload, or begin one, and have the parts sent."""
        try:
            self._multipart = self._resumed() or self._created()
        except BaseException:
            self._source.close()
            self._meter.end(done=False)
            raise
        pieces = [partial(self._part, number + 1) for number in range(len(self._extents))]
        if self._running:
            pieces = [partial(_in_order, pieces)]
        label = self._source.label
        Pieces(self._engine.pool, self._finish, self._done, label).spread(pieces)

    def _state(self, multipart: Multipart) -> dict[str, object]:
        return {
            "upload": multipart.upload,
            "full": multipart.full,
            "source": self._source.fingerprint,
            "part_bytes": self._extents[0][1],
            "headers": self._headers(),
        }

    def _created(self) -> Multipart:
        multipart = Multipart.create(
            self._transport, self._target, self._headers(), self._pair.replica
        )
        self._engine.uploads.save(self._name, self._state(multipart))
        return multipart

    def _resumed(self) -> Multipart | None:
        """The upload that an earlier run has left, with the parts that it has sent."""
        saved = self._engine.uploads.load(self._name)
        if saved is None:
            return None
        multipart = Multipart(
            self._transport, self._target, str(saved.get("upload")), bool(saved.get("full"))
        )
        try:
            if {**saved, "name": None} == {**self._state(multipart), "name": None}:
                self._there = multipart.parts()
                return multipart
            multipart.abort()
        except ServerError as error:
            if not error.absent:
                raise
        self._engine.uploads.forget(self._name)
        return None

    def _part(self, number: int) -> None:
        start, size = self._extents[number - 1]
        with self._source.part(start, size) as body:
            crc = body.crc32c
            if self._running and isinstance(body, Bytes):
                self._running.update(body.data)
            there = self._there.get(number)
            if there and there.size == size and there.crc32c == encoded(crc):
                self._meter.skip(size)
                self._sent[number] = there
            else:
                query = {"partNumber": str(number), "uploadId": self._multipart.upload}
                etag, _, verified = put_body(
                    self._engine, self._target, body, {}, query, self._meter
                )
                known = encoded(crc) if verified == "CRC-32C" else ""
                self._sent[number] = Sent(etag, size, known)
        self._crcs[number] = crc

    def _finish(self, error: Exception | None) -> None:
        results = []
        try:
            if error is None:
                self._source.check()
                results = [self._complete()]
        except Exception as problem:  # noqa: BLE001 - it is told as the failure of this object
            error = problem
        self._source.close()
        self._meter.end(done=error is None)
        if error is None:
            self._engine.uploads.forget(self._name)
            self._done(results)
            return
        kept = self._kept(error)
        if isinstance(error, Changed) and self._attempt < TRIES:
            try:
                _send(self._engine, self._pair, self._done, self._attempt + 1)
            except Exception as problem:  # noqa: BLE001 - as above
                self._done([failed(problem, self._source.label)])
            return
        self._done([failed(error, self._source.label, goes_on=kept)])

    def _complete(self) -> Copied:
        crc = 0
        for number in sorted(self._crcs):
            crc = combined_crc32c(crc, self._crcs[number], self._sent[number].size)
        self._check_replica()
        etag, version = self._multipart.complete(self._sent, crc, self._pair.replica)
        checked = all(sent.crc32c for sent in self._sent.values())
        verified = "CRC-32C" if checked else "size"
        return Copied(
            self._source.label, str(self._target), self._source.size, version, etag, verified
        )

    def _check_replica(self) -> None:
        """Compare what was read with what the source says of the whole. Raises: ClientError."""
        source, replica = self._source, self._pair.replica
        if not replica or not isinstance(source, ObjectSource):
            return
        if self._running:
            source.expected.check(self._running.digest(), source.label)
        if len(self._extents) != replica.parts or source.sealed:
            return
        sums = [bytes.fromhex(self._sent[number].etag) for number in sorted(self._sent)]
        md5 = hashlib.md5(b"".join(sums), usedforsecurity=False).hexdigest()
        if replica.etag != f"{md5}-{len(sums)}":
            raise ClientError(f"{source.label} arrived damaged: its ETag is another.", "Damaged")

    def _headers(self) -> dict[str, str]:
        return headers_of(self._engine, self._source, self._pair.replica)

    def _kept(self, error: Exception) -> bool:
        """Keep the upload if the same command can go on with it, else end it."""
        if goes_on(error) or self._engine.pool.stopped:
            return True
        try:
            self._multipart.abort()
        except ClientError:
            return False  # The saved state stays, and the next run ends it.
        self._engine.uploads.forget(self._name)
        return False
