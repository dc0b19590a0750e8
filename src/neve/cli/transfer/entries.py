"""What there is to copy: files below folders, objects below prefixes, in the order of their keys.

Names are relative to what was named, with `/`. As with mc, the last component of a source is part
of the name unless it ends with a slash: `cp -r d b/` makes `b/d/…`, `cp -r d/ b/` makes `b/…`.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob, matcher
from neve.cli.output import Failure, Result
from neve.cli.rewind import Listing, listing_of, version_at
from neve.cli.target import Local, Remote
from neve.cli.transfer.landing import is_temporary
from neve.cli.transfer.results import LeftOut
from neve.client import s3
from neve.client.errors import ClientError

Warn = Callable[[Result], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or an object that can be copied."""

    place: Remote | Local
    name: str
    """Below what was named; the name that it gets below a target that is a folder."""
    size: int
    modified: float
    """Seconds of the epoch."""
    etag: str = ""
    version: str = ""

    @property
    def label(self) -> str:
        """As a user would write it."""
        return str(self.place)


def local_entries(path: str, recursive: bool, keep_base: bool, warn: Warn) -> Iterator[Entry]:
    """The file, or the files below the folder. Raises: ClientError, UsageError."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}.", "LocalFile", path) from error
    base = os.path.basename(path.rstrip("/"))
    if not stat.S_ISDIR(state.st_mode):
        if is_temporary(base):
            sentence = f"{path} is what an interrupted download has left, not a whole file."
            raise ClientError(sentence, "NotWhole", path)
        if not stat.S_ISREG(state.st_mode):
            raise ClientError(f"{path} is {_kind(state.st_mode)}, not a file.", "SpecialFile", path)
        yield Entry(Local(path), base, state.st_size, state.st_mtime)
        return
    if not recursive:
        raise UsageError(f"{path} is a folder; with all in it: -r.")
    kept = keep_base and not path.endswith("/") and base not in (".", "..", "")
    seen = {(state.st_dev, state.st_ino)}
    yield from _walk(path.rstrip("/") or "/", f"{base}/" if kept else "", seen, warn)


def _walk(folder: str, prefix: str, above: set[tuple[int, int]], warn: Warn) -> Iterator[Entry]:
    """Files below a folder; `above` are the folders on the way, which links may lead back to."""
    found: list[tuple[bytes, str, os.stat_result]] = []
    try:
        children = list(os.scandir(folder))
    except OSError as error:
        warn(Failure(f"{folder}: {error.strerror}.", "LocalFile", folder))
        return
    for child in children:
        if is_temporary(child.name):
            continue
        try:
            state = child.stat()
        except OSError as error:
            reason = "a broken link" if child.is_symlink() else str(error.strerror)
            warn(LeftOut(child.path, reason))
            continue
        slash = b"/" if stat.S_ISDIR(state.st_mode) else b""
        found.append((os.fsencode(child.name) + slash, child.name, state))
    for raw, name, state in sorted(found, key=lambda row: row[0]):
        path = os.path.join(folder, name)
        if stat.S_ISDIR(state.st_mode):
            identity = (state.st_dev, state.st_ino)
            if identity in above:
                warn(LeftOut(path, "a link to a folder that it is in"))
            else:
                yield from _walk(path, f"{prefix}{name}/", above | {identity}, warn)
        elif not stat.S_ISREG(state.st_mode):
            warn(LeftOut(path, _kind(state.st_mode)))
        elif not _is_text(raw):
            sentence = f"{path}: the file's name is not UTF-8, which keys must be."
            warn(Failure(sentence, "BadName", path))
        else:
            yield Entry(Local(path), prefix + name, state.st_size, state.st_mtime)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"


def remote_entries(
    server: s3.S3, source: Remote, recursive: bool, keep_base: bool, version: str = "",
    moment: datetime | None = None,
) -> Iterator[Entry]:  # fmt: skip
    """The object, or the objects below the prefix or matching the pattern; as of a moment, if any.

    Raises: ClientError when something was named and nothing is there; UsageError.
    """
    key = source.key
    listing = listing_of(server, moment)
    if has_glob(key):
        yield from _matching(listing, source)
        return
    folder = not key or key.endswith("/")
    if not recursive:
        if folder:
            raise UsageError(f"{source} is a folder; with all in it: -r.")
        version = version_at(server, source, moment) if moment else version
        head = server.find(source.bucket, key, version)
        if head is None:
            raise _absent(server, source)
        name = key.rpartition("/")[2]
        yield Entry(source, name, head.size, head.modified.timestamp(), head.etag, version)
        return
    start = _start(source, keep_base)
    found = False
    for row in listing(source.bucket, key):
        assert isinstance(row, s3.Object)
        if folder or (row.key == key and keep_base) or row.key.startswith(key + "/"):
            found = True
            yield entry_of(source, row, start)
    if not found and key:
        raise ClientError(f"there is nothing at {source}.", "NoSuchKey", str(source))


def entry_of(source: Remote, row: s3.Object, start: int) -> Entry:
    """The entry of a row of a listing, whose name begins at `start` of its key.

    A negative start puts the bucket's name before it.
    """
    name = f"{source.bucket}/{row.key}" if start < 0 else row.key[start:]
    return Entry(
        source.at(row.key), name, row.size, row.modified.timestamp(), row.etag, row.version
    )


def _start(source: Remote, keep_base: bool) -> int:
    """Where in their keys the names of entries begin."""
    key = source.key
    if not keep_base:
        return len(key) if not key or key.endswith("/") else len(key) + 1
    return key.rfind("/") + 1 if key else -1


def _matching(listing: Listing, source: Remote) -> Iterator[Entry]:
    fits, fixed = matcher(source.key), fixed_part(source.key)
    start = fixed.rfind("/") + 1
    found = False
    for row in listing(source.bucket, fixed):
        assert isinstance(row, s3.Object)
        if row.key == source.key or fits(row.key):
            found = True
            yield entry_of(source, row, start)
    if not found:
        raise ClientError(f"nothing matches {source}.", "NoSuchKey", str(source))


def _absent(server: s3.S3, source: Remote) -> ClientError:
    below = next(server.objects(source.bucket, source.key + "/", page=1), None)
    if below is not None:
        return UsageError(f"{source} is a folder; with all in it: -r.")
    return ClientError(f"there is no object {source}.", "NoSuchKey", str(source))


def is_folder(entry: Entry) -> bool:
    """Whether an object only says that there is a folder."""
    return isinstance(entry.place, Remote) and entry.place.key.endswith("/") and not entry.size
