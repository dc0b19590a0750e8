"""A folder, or what was selected of one, as a zip file that is made while it is downloaded.

It is read from S3 as the visitor, one object after the other. What may not be read is named in
`_missing.txt` at its end; when an object breaks off in the middle, so does the download.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from neve.client.errors import ServerError
from neve.client.s3 import S3, Object
from neve.panel.formtext import key_of, keys_of
from neve.panel.pages.objects import names
from neve.panel.routing import get, post
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit
from neve.panel.zipping import MISSING, Names, Zip

PIECE = 1 << 18
MISSING_MAX = 1000
"""Objects that are named; of more only the number is told."""


def folder(visit: Visit) -> Response:
    """Everything in a folder."""
    bucket, prefix = names.bucket_of(visit), visit.query("prefix")
    prefix = prefix[: prefix.rfind("/") + 1]
    visit.s3.page(bucket, prefix, limit=1)  # says now what a stream could not say any more
    return _answer(visit, bucket, prefix, [], [prefix])


def selection(visit: Visit) -> Response:
    """Objects and folders that were selected in a folder."""
    bucket = names.bucket_of(visit)
    base = key_of(visit, "folder")
    keys, prefixes = keys_of(visit, "key"), keys_of(visit, "prefix")
    chosen = [each for each in (*keys, *prefixes) if each.startswith(base)]
    if not chosen or len(chosen) < len(keys) + len(prefixes):
        raise Refused(400, visit._("Select at least one object or folder."))
    asks = [Ask("s3:GetObject", bucket, key) for key in keys]
    if not prefixes and not any(visit.may_all(asks)):
        raise Refused(403, visit._("Your policies do not allow this."))
    return _answer(visit, bucket, base, keys, prefixes)


class _Stream(StreamingResponse):
    """An answer that closes its source when the browser has it, or has left."""

    def __init__(self, pieces: Generator[bytes, None, None], headers: dict[str, str]) -> None:
        super().__init__(pieces, headers=headers, media_type="application/zip")
        self._pieces = pieces
        self.ended: Callable[[], object] | None = None
        """Called when it is over."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()
            if self.ended is not None:
                self.ended()


def _answer(visit: Visit, bucket: str, base: str, keys: list[str], prefixes: list[str]) -> Response:
    name = names.last_name(base) if base else bucket
    headers = {"content-disposition": names.disposition(f"{name}.zip")}
    stream = _Stream(_archive(visit, bucket, base, keys, prefixes), headers)
    stream.ended = visit.panel.downloads.begin(stream, visit.user, visit.address)
    if stream.ended is None:
        message = visit._("You are downloading several archives already: let one of them end.")
        raise Refused(429, message)
    return stream


def _archive(
    visit: Visit, bucket: str, base: str, keys: list[str], prefixes: list[str]
) -> Generator[bytes, None, None]:
    missing: list[str] = []
    lost = 0
    given = Names()
    with contextlib.closing(Zip()) as zip:
        for key in _keys(visit.s3, bucket, keys, prefixes):
            try:
                source = visit.s3.get(bucket, key)
            except ServerError as error:
                lost += 1
                if len(missing) < MISSING_MAX:
                    missing.append(f"{names.visible(key)}: {visit.sentence(error)}")
                yield b""  # here it can be ended when the browser has left
                continue
            with source:
                size = source.size
                name = given.of(key[len(base) :], empty=not size)
                pieces = iter(lambda: source.read(PIECE), b"")  # noqa: B023  # used up here
                yield from zip.add(name, size, _modified(source.headers), pieces)
        if lost:
            head = visit.language.ngettext(
                "%(count)s object is not in this archive:",
                "%(count)s objects are not in this archive:",
                lost,
            )
            text = ("\n".join([head, *missing]) + "\n").encode("utf-8", "replace")
            yield from zip.add(MISSING, len(text), datetime.now(UTC), [text])
        yield from zip.end()


def _modified(headers: dict[str, str]) -> datetime:
    said = headers.get("last-modified")
    return parsedate_to_datetime(said) if said else datetime.now(UTC)


def _keys(s3: S3, bucket: str, keys: list[str], prefixes: list[str]) -> Iterator[str]:
    """Every key once, in order: objects and folders that were selected do not overlap."""
    objects, folders = set(keys), set(prefixes)
    for chosen in sorted(objects | folders, key=str.encode):
        if chosen in objects:
            yield chosen
        if chosen in folders:
            rows = s3.objects(bucket, chosen)
            yield from (row.key for row in rows if isinstance(row, Object))


ROUTES = [
    get("/zip/{bucket}", folder, public=True),
    post("/zip/{bucket}", selection, public=True),
]
