"""List buckets, objects, versions of objects, or uploads that were not ended.

A name without a slash at its end lists the object of that name and what lies below it. A pattern
(quote it) lists what matches: `*` stops at a slash, `**` does not. Local folders are listed too.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob, matcher
from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.rewind import add_rewind, listing_of, moment_of
from neve.cli.session import Session
from neve.cli.target import Local, Remote
from neve.cli.units import format_size, format_time
from neve.client import s3
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve ls                                   # the aliases
  neve ls pavics                            # the buckets of a server
  neve ls pavics/portail-ing/results/
  neve ls -r --summarize pavics/portail-ing
  neve ls 'pavics/portail-ing/**/*.nc'
  neve ls --versions pavics/portail-ing/results/tas.nc
  neve ls -r --rewind 7d pavics/archive
  neve ls --incomplete pavics/portail-ing
  neve ls -r --json pavics/portail-ing | jq -r .key
"""


@dataclass(frozen=True)
class Bucket(Result):
    """A bucket."""

    kind: ClassVar[str] = "bucket"

    key: Annotated[str, "its name"]
    last_modified: Annotated[datetime, "when it was made"]
    url: Annotated[str, "as a verb would take it: alias/bucket"]

    def text(self, style: Style) -> str:
        """Time and name."""
        return _line(style, self.last_modified, "", style.folder(self.key + "/"))


@dataclass(frozen=True)
class Prefix(Result):
    """A prefix that keys have in common up to a slash, or a local folder."""

    kind: ClassVar[str] = "prefix"

    key: Annotated[str, "the prefix below the one that was asked for, with its slash"]
    url: Annotated[str, "as a verb would take it"]

    def text(self, style: Style) -> str:
        """The name alone."""
        return _line(style, None, "", style.folder(self.key))


@dataclass(frozen=True)
class Object(Result):
    """An object, a version of one, or a delete marker; or a local file."""

    kind: ClassVar[str] = "object"

    key: Annotated[str, "the key below the prefix that was asked for"]
    size: Annotated[int, "bytes"]
    last_modified: Annotated[datetime, "when it was written"]
    etag: Annotated[str, "ETag without quotes, '' for local files"]
    storage_class: Annotated[str, "storage class, '' for local files"]
    version_id: Annotated[str | None, "id of the version, with --versions"]
    is_latest: Annotated[bool, "whether it is the current version"]
    is_delete_marker: Annotated[bool, "whether it only marks the object as deleted"]
    url: Annotated[str, "as a verb would take it"]

    def text(self, style: Style) -> str:
        """Time, size, version and name."""
        size = "deleted" if self.is_delete_marker else format_size(self.size)
        name = style.bad(self.key) if self.is_delete_marker else self.key
        if self.version_id is not None:
            name = f"{style.dim(self.version_id)} {'*' if self.is_latest else ' '} {name}"
        return _line(style, self.last_modified, size, name)


@dataclass(frozen=True)
class Upload(Result):
    """A multipart upload that was begun and not ended."""

    kind: ClassVar[str] = "upload"

    key: Annotated[str, "the key it is for, below the prefix that was asked for"]
    upload_id: Annotated[str, "its id"]
    initiated: Annotated[datetime, "when it was begun"]
    url: Annotated[str, "as a verb would take it"]

    def text(self, style: Style) -> str:
        """Time, id and name."""
        return _line(style, self.initiated, "", f"{self.key}  {style.dim(self.upload_id)}")


@dataclass(frozen=True)
class Summary(Result):
    """With --summarize: what the listing was in all."""

    kind: ClassVar[str] = "summary"

    total_objects: Annotated[int, "objects, or versions, that were listed"]
    total_size: Annotated[int, "their bytes"]

    def text(self, style: Style) -> str:
        """Both figures."""
        return f"\n{format_size(self.total_size)} in {self.total_objects:,} objects"


@dataclass(frozen=True)
class AliasName(Result):
    """A server, when nothing was said to list."""

    kind: ClassVar[str] = "server"

    alias: Annotated[str, "its name"]
    url: Annotated[str, "its URL"]

    def text(self, style: Style) -> str:
        """Name and URL."""
        return f"{style.folder(self.alias)}  {style.dim(self.url)}"


RESULTS = (Bucket, Prefix, Object, Upload, Summary, AliasName, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to list and how."""
    parser.add_argument(
        "targets", metavar="TARGET", nargs="*", help="alias, bucket, prefix, folder"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="all keys, not one level")
    parser.add_argument("--versions", action="store_true", help="every version and delete marker")
    parser.add_argument(
        "-I", "--incomplete", action="store_true", help="uploads that were begun and not ended"
    )
    add_rewind(parser)
    parser.add_argument("--summarize", action="store_true", help="end with number and size")
    parser.add_argument(
        "--storage-class", metavar="CLASS", help="only objects of this storage class"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List."""
    if options.versions and options.incomplete:
        raise UsageError("--versions and --incomplete do not go together.")
    moment_of(options)
    count = size = 0
    for result in _all(options, session):
        if isinstance(result, Object):
            if options.storage_class and result.storage_class != options.storage_class:
                continue
            count, size = count + 1, size + result.size
        yield result
    if options.summarize:
        yield Summary(count, size)


def _all(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    if not options.targets:
        if not session.aliases.all():
            session.output.note("There are no aliases yet: neve alias set NAME https://…")
        for alias in session.aliases.all().values():
            yield AliasName(alias.name, alias.url)
    for text in options.targets:
        target = session.target(text)
        if isinstance(target, Local) and not os.path.lexists(target.path):
            target = session.remote(text)
        if isinstance(target, Local):
            yield from _local(session, target.path, options.recursive)
        elif not isinstance(target, Remote):
            raise UsageError("the standard input cannot be listed.")
        elif target.bucket:
            yield from _remote(target, options, session.server(target.alias))
        else:
            yield from _server(target, options, session.server(target.alias))


def _server(target: Remote, options: argparse.Namespace, server: s3.S3) -> Iterator[Result]:
    deep = options.recursive or options.versions or options.incomplete
    for bucket in server.buckets():
        if not deep:
            yield Bucket(bucket.name, bucket.created, f"{target}/{bucket.name}")
            continue
        for result in _remote(Remote(target.alias, bucket.name), options, server):
            yield _below(result, bucket.name)


def _below(result: Result, bucket: str) -> Result:
    """A row of a bucket as a row of the server."""
    assert isinstance(result, Object | Prefix | Upload)
    return replace(result, key=f"{bucket}/{result.key}")


def _remote(target: Remote, options: argparse.Namespace, server: s3.S3) -> Iterator[Result]:
    """The rows of a bucket. Raises: ClientError when something was named and nothing is there."""
    rows = _uploads if options.incomplete else _rows
    found = False
    for row in rows(target, options, server):
        found = True
        yield row
    if target.key and not found and not options.incomplete:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))


def _uploads(target: Remote, options: argparse.Namespace, server: s3.S3) -> Iterator[Result]:
    fits = _fits(target.key)
    for row in server.uploads(target.bucket, fixed_part(target.key)):
        if fits(row.key):
            name = row.key.removeprefix(_start(target.key))
            yield Upload(name, row.upload, row.begun, str(target.at(row.key)))


def _rows(target: Remote, options: argparse.Namespace, server: s3.S3) -> Iterator[Result]:
    fits, start = _fits(target.key), _start(target.key)
    flat = options.recursive or has_glob(target.key)
    listing = listing_of(server, moment_of(options), options.versions)
    for row in listing(target.bucket, fixed_part(target.key), "" if flat else "/"):
        if not fits(row.key):
            continue
        if isinstance(row, s3.Object):
            yield _object(row, target, start, options.versions)
        elif target.key and not target.key.endswith("/") and row.key == target.key + "/":
            # A name without its slash: what lies below it is meant.
            yield from _rows(target.at(row.key), options, server)
        else:
            yield Prefix(row.key.removeprefix(start), str(target.at(row.key)))


def _fits(wanted: str) -> Callable[[str], bool]:
    """Whether a key is what was named, lies below it, or matches its pattern."""
    if has_glob(wanted):
        matches = matcher(wanted)
        # The signs of a pattern may stand in a key: the text itself is meant, too.
        return lambda key: key == wanted or matches(key)
    if not wanted or wanted.endswith("/"):
        return lambda key: True
    return lambda key: key == wanted or key.startswith(wanted + "/")


def _start(wanted: str) -> str:
    """What keys are shown without: all up to the last slash of what was named."""
    return wanted[: fixed_part(wanted).rfind("/") + 1]


def _object(row: s3.Object, target: Remote, start: str, versions: bool) -> Object:
    return Object(
        # An object with the name of the folder itself, which some programs make to keep it.
        row.key.removeprefix(start) or "./",
        row.size,
        row.modified,
        row.etag,
        row.storage_class,
        (row.version or "null") if versions else None,
        row.latest,
        row.marker,
        str(target.at(row.key)),
    )


def _local(
    session: Session, path: str, recursive: bool, above: str = ""
) -> Iterator[Object | Prefix]:
    """The rows of a folder; links to folders are not gone into, they may lead in circles."""
    if not os.path.isdir(path):
        yield _file(path, os.path.basename(path))
        return
    try:
        entries = sorted(os.scandir(path), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        failed = ClientError(f"{path}: {error.strerror}.", "LocalFile", path)
        session.output.show(failure_of(failed))
        return
    for entry in entries:
        if not entry.is_dir():
            yield _file(entry.path, above + entry.name)
        elif recursive and not entry.is_symlink():
            yield from _local(session, entry.path, True, f"{above}{entry.name}/")
        else:
            yield Prefix(f"{above}{entry.name}/", entry.path + "/")


def _file(path: str, name: str) -> Object:
    state = os.lstat(path)
    moment = datetime.fromtimestamp(state.st_mtime, UTC)
    return Object(name, state.st_size, moment, "", "", None, True, False, path)


def _line(style: Style, moment: datetime | None, size: str, name: str) -> str:
    when = style.dim(f"{format_time(moment) if moment else '':23}")
    return f"{when}  {style.size(f'{size:>10}')}  {name}"
