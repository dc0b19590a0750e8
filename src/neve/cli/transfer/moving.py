"""What mv does when an object has arrived: look at it there, then remove it here.

Invariants: nothing is removed whose copy was not seen whole at the target; a source that was
written since it was read stays.
"""

import os
from collections.abc import Iterable

from neve.cli.output import Result
from neve.cli.target import Local, Remote
from neve.cli.transfer.engine import Arrived, Engine, Pair
from neve.cli.transfer.entries import Entry
from neve.cli.transfer.pool import failed
from neve.cli.transfer.results import Copied
from neve.cli.transfer.wire import Request
from neve.client.errors import ClientError, ServerError


def remover(engine: Engine) -> Arrived:
    """Return what removes a source."""

    def remove(pair: Pair, copied: Copied) -> Iterable[Result]:
        try:
            _check(engine, pair, copied)
            _remove(engine, pair.entry)
        except (ClientError, OSError) as error:
            return [failed(error, pair.entry.label)]
        return []

    return remove


def _check(engine: Engine, pair: Pair, copied: Copied) -> None:
    """Raises: ClientError when the target is not what was sent."""
    target = pair.target
    if isinstance(target, Local):
        size = os.stat(target.path).st_size if not copied.target.endswith("/") else 0
        etag = copied.etag
    else:
        query = {"versionId": copied.version_id} if copied.version_id else {}
        request = Request("HEAD", target.bucket, target.key, query, doing="read this object")
        found = engine.wire(target.alias).head(request) or {}
        size = int(found.get("content-length", -1))
        etag = found.get("etag", "").strip('"')
    if size != copied.size or etag != copied.etag:
        raise ClientError(
            f"{pair.entry.label} was copied and stays, since {target} is not what was sent.",
            "NotVerified",
            pair.entry.label,
        )


def _remove(engine: Engine, entry: Entry) -> None:
    """Remove a source that is still what was copied. Raises: ClientError."""
    place = entry.place
    if isinstance(place, Local):
        now = os.stat(place.path)
        if (now.st_size, now.st_mtime) != (entry.size, entry.modified):
            raise _stays(entry)
        os.unlink(place.path)
        return
    headers = {"if-match": f'"{entry.etag}"'} if entry.etag else {}
    try:
        _, etag = _state(engine, place)
        if entry.etag and etag != entry.etag:
            raise _stays(entry)
        request = Request(
            "DELETE", place.bucket, place.key, {}, headers, doing="delete this object"
        )
        engine.wire(place.alias).call(request, lambda reply: reply.read())
    except ServerError as error:
        if error.status == 412:
            raise _stays(entry) from error
        raise


def _state(engine: Engine, place: Remote) -> tuple[int, str]:
    request = Request("HEAD", place.bucket, place.key, doing="read this object")
    found = engine.wire(place.alias).head(request) or {}
    return int(found.get("content-length", -1)), found.get("etag", "").strip('"')


def _stays(entry: Entry) -> ClientError:
    return ClientError(
        f"{entry.label} was copied and stays, since it changed meanwhile.", "Changed"
    )


def remove_empty_folders(path: str) -> None:
    """Remove the folder and those in it that have nothing in them any more."""
    for folder, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass  # There is something in it.
