"""Everything below a name, remote or local, in one order: that of the bytes of whole keys.

`alias/bucket/a` means the object `a` and all below `a/`, never `ab`; with a slash, only what is
below. Names in the rows are relative to that: to `a/`, or, of an object or file itself, its last
component. So two walks can be compared row by row.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob, matcher
from neve.cli.output import failure_of
from neve.cli.rewind import listing_of
from neve.cli.session import Session
from neve.cli.target import Local, Remote, Target
from neve.client import s3
from neve.client.errors import ClientError


class Entry(NamedTuple):
    """An object, a version of one, or a file."""

    name: str
    """Relative to what was walked, with `/` between components."""
    url: str
    """As a verb would take it."""
    size: int
    modified: datetime
    etag: str = ""
    storage_class: str = ""
    version: str = ""
    latest: bool = True
    marker: bool = False


def walk(
    session: Session, target: Target, versions: bool = False, moment: datetime | None = None
) -> Iterator[Entry]:
    """Everything below the target, or of objects what there was at a moment.

    Raises: ClientError when there is nothing of that name.
    """
    if isinstance(target, Local):
        yield from local(session, target.path)
    elif isinstance(target, Remote) and target.bucket:
        yield from remote(session, target, versions, moment)
    elif isinstance(target, Remote):
        for bucket in session.server(target.alias).buckets():
            for entry in remote(session, Remote(target.alias, bucket.name), versions, moment):
                yield entry._replace(name=f"{bucket.name}/{entry.name}")
    else:
        raise UsageError("the standard input holds no files.")


def resolve(session: Session, text: str) -> Target:
    """Return what an argument names; what is no path of this machine must be an alias."""
    target = session.target(text)
    if isinstance(target, Local) and not os.path.lexists(target.path):
        first = text.partition("/")[0]
        if text.startswith(("/", "./", "../", "~")) or os.path.lexists(first):
            raise ClientError(f"there is no file or folder {text}.", "NoSuchFile", text)
        return session.remote(text)
    return target


def remote(
    session: Session, target: Remote, versions: bool = False, moment: datetime | None = None
) -> Iterator[Entry]:
    """Everything of a bucket below the key; a pattern in the key is a pattern."""
    server = session.server(target.alias)
    listing = listing_of(server, moment, versions)
    wanted = target.key
    prefix, matches = wanted, None
    if has_glob(wanted):
        prefix, matches = fixed_part(wanted), matcher(wanted)
    start = prefix if matches is None else ""
    start = prefix[: prefix.rfind("/") + 1] if matches or not wanted.endswith("/") else start
    found = False
    for row in listing(target.bucket, prefix):
        name = row.key
        if matches:
            if name != wanted and not matches(name):
                continue
        elif wanted and not wanted.endswith("/") and name != wanted:
            if not name.startswith(wanted + "/"):
                continue
            start = wanted + "/"
        found = True
        assert isinstance(row, s3.Object)
        yield Entry(
            name.removeprefix(start), str(target.at(name)), row.size, row.modified, row.etag,
            row.storage_class, row.version, row.latest, row.marker,
        )  # fmt: skip
    if wanted and not found:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))


def local(session: Session, path: str) -> Iterator[Entry]:
    """Every file below a folder, or the file itself; what cannot be read is a failure."""
    if not os.path.isdir(path):
        try:
            yield _file(os.path.basename(path), path)
        except OSError as error:
            raise ClientError(f"{path}: {error.strerror}.", "LocalFile", path) from error
        return
    yield from _below(session, path.rstrip("/") or "/", "")


def _below(session: Session, folder: str, prefix: str) -> Iterator[Entry]:
    try:
        found = list(os.scandir(folder))
    except OSError as error:
        failed = ClientError(f"{folder}: {error.strerror}.", "LocalFile", folder)
        session.output.show(failure_of(failed))
        return
    # A folder stands where its keys do: `a/x` comes behind `a-b`.
    rows = [(os.fsencode(item.name) + b"/" * is_folder(item), item) for item in found]
    for _, item in sorted(rows, key=lambda row: row[0]):
        if is_folder(item):
            yield from _below(session, item.path, f"{prefix}{item.name}/")
        elif item.is_file():
            yield _file(prefix + item.name, item.path)


def is_folder(item: "os.DirEntry[str]") -> bool:
    """Whether to go into it; links to folders are not followed, they may lead in circles."""
    return item.is_dir(follow_symlinks=False)


def _file(name: str, path: str) -> Entry:
    state = os.stat(path)
    return Entry(name, path, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))
