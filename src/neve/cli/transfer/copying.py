"""Across on one server: the server copies by itself, with metadata and tags.

Objects over 5 GiB, which CopyObject does not take, are copied in parts (UploadPartCopy).
"""

from functools import partial
from urllib.parse import quote

from neve.cli.target import Remote
from neve.cli.transfer.attributes import kept
from neve.cli.transfer.engine import Engine, Pair
from neve.cli.transfer.multipart import Multipart, Sent, check_document
from neve.cli.transfer.pool import Done, Pieces, failed
from neve.cli.transfer.results import Copied
from neve.cli.transfer.sources import tags_of
from neve.cli.transfer.wire import Reply, Request
from neve.client.errors import ClientError
from neve.client.xml import parse

COPY_BYTES_MAX = 5 << 30
COPY_PART_BYTES = 1 << 30


def across(engine: Engine, pair: Pair, done: Done) -> None:
    """Have the server copy the object of the pair."""
    if pair.entry.size > COPY_BYTES_MAX:
        _Parts(engine, pair, done).begin()
        return
    source, target = _ends(pair)
    same = (source.bucket, source.key) == (target.bucket, target.key)
    if same and not (pair.entry.version or engine.settings.headers or engine.settings.tags):
        raise ClientError(f"{source} and {target} are the same object.", "SameFile", str(source))
    meter = engine.meter(pair.entry.label, pair.entry.size, up=True)
    whole = False
    try:
        headers = _source_header(pair) | _directives(engine, pair)
        request = Request(
            "PUT", target.bucket, target.key, {}, headers, doing=f"copy {source} to this object"
        )
        etag, version = engine.wire(target.alias).call(request, partial(_answer, target))
        meter(pair.entry.size)
        whole = True
    finally:
        meter.end(done=whole)
    done([_copied(pair, etag, version)])


def _answer(target: Remote, reply: Reply) -> tuple[str, str]:
    root = parse(reply.read())
    check_document(root.name, root.text("Code"), root.text("Message"), str(target))
    return root.text("ETag").strip('"'), reply.headers.get("x-amz-version-id", "")


def _copied(pair: Pair, etag: str, version: str) -> Copied:
    size = pair.entry.size
    return Copied(pair.entry.label, str(pair.target), size, version, etag, "server")


def _ends(pair: Pair) -> tuple[Remote, Remote]:
    assert isinstance(pair.entry.place, Remote)
    assert isinstance(pair.target, Remote)
    return pair.entry.place, pair.target


def _source_header(pair: Pair) -> dict[str, str]:
    source, _ = _ends(pair)
    text = quote(f"/{source.bucket}/{source.key}", safe="/~")
    version = f"?versionId={quote(pair.entry.version)}" if pair.entry.version else ""
    return {"x-amz-copy-source": text + version}


def _directives(engine: Engine, pair: Pair) -> dict[str, str]:
    """What the copy shall have that the object has not."""
    settings, headers = engine.settings, {}
    if settings.headers:
        headers = kept(_head(engine, pair)) | settings.headers
        headers["x-amz-metadata-directive"] = "REPLACE"
    if settings.tags:
        headers |= {"x-amz-tagging": settings.tags, "x-amz-tagging-directive": "REPLACE"}
    return headers


def _head(engine: Engine, pair: Pair) -> dict[str, str]:
    source, _ = _ends(pair)
    request = Request("HEAD", source.bucket, source.key, _version(pair), doing="read this object")
    return engine.wire(source.alias).call(request, lambda reply: reply.headers)


def _version(pair: Pair) -> dict[str, str]:
    return {"versionId": pair.entry.version} if pair.entry.version else {}


class _Parts:
    """A copy in parts."""

    def __init__(self, engine: Engine, pair: Pair, done: Done) -> None:
        self._engine, self._pair, self._done = engine, pair, done
        self._meter = engine.meter(pair.entry.label, pair.entry.size, up=True)
        self._sent: dict[int, Sent] = {}
        self._etag = ""

    def begin(self) -> None:
        """Begin an upload that has what the object has, and have the parts copied."""
        engine, pair = self._engine, self._pair
        source, target = _ends(pair)
        try:
            found = _head(engine, pair)
            self._etag = found.get("etag", "")
            headers = kept(found) | engine.settings.headers
            if engine.settings.tags:
                headers["x-amz-tagging"] = engine.settings.tags
            elif int(found.get("x-amz-tagging-count", 0)):
                headers["x-amz-tagging"] = tags_of(engine, source, _version(pair))
            transport = engine.session.server(target.alias).transport
            self._multipart = Multipart.create(transport, target, headers)
        except BaseException:
            self._meter.end(done=False)
            raise
        size = int(found["content-length"])
        starts = range(0, size, COPY_PART_BYTES)
        pieces = [
            partial(self._copy, number, start, min(start + COPY_PART_BYTES, size))
            for number, start in enumerate(starts, 1)
        ]
        Pieces(engine.pool, self._finish, self._done, pair.entry.label).spread(pieces)

    def _copy(self, number: int, start: int, stop: int) -> None:
        _, target = _ends(self._pair)
        query = {"partNumber": str(number), "uploadId": self._multipart.upload}
        headers = _source_header(self._pair) | {
            "x-amz-copy-source-range": f"bytes={start}-{stop - 1}",
            "x-amz-copy-source-if-match": self._etag,
        }
        request = Request(
            "PUT", target.bucket, target.key, query, headers, doing="copy a part of this object"
        )
        crc = ""

        def take(reply: Reply) -> str:
            nonlocal crc
            root = parse(reply.read())
            check_document(root.name, root.text("Code"), root.text("Message"), str(target))
            crc = root.text("ChecksumCRC32C")
            return root.text("ETag").strip('"')

        etag = self._engine.wire(target.alias).call(request, take)
        self._sent[number] = Sent(etag, stop - start, crc)
        self._meter(stop - start)

    def _finish(self, error: Exception | None) -> None:
        try:
            if error is None:
                etag, version = self._multipart.complete(self._sent, None)
                self._meter.end(done=True)
                self._done([_copied(self._pair, etag, version)])
                return
            self._multipart.abort()
        except ClientError as problem:
            error = error or problem
        self._meter.end(done=False)
        self._done([failed(error or ClientError("not copied."), self._pair.entry.label)])
