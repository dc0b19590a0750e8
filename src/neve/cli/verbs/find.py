"""Find objects and files by name, path, size, age, or kind; print them or do something with each.

All conditions must hold. --name and --path take patterns: in --name `*` is anything, in --path it
stops at a slash and `**` does not; what is compared by --path and --regex is the name below TARGET.
--metadata and --tags ask for each object that fits otherwise, a request or two each.

--print and --exec fill in: {} the full name, {base} its last component, {dir} what is before it,
{size}, {time}, {version}, and {url}, a link that anyone can read for seven days. --exec runs a
program without a shell; its failure makes the exit status 1.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.globs import matcher
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.units import format_size, iso_time, parse_time
from neve.cli.walk import Entry, resolve, walk
from neve.client.errors import ServerError
from neve.client.units import parse_size

EXAMPLES = """\
examples:
  neve find pavics/portail-ing --name '*.nc'
  neve find pavics/portail-ing --larger 1MiB --older-than 30d
  neve find pavics/portail-ing --path 'results/**/tas*' --newer-than 2026-11-01
  neve find pavics/portail-ing --tags 'state=^final$' --metadata 'author=lab|me'
  neve find pavics/archive --versions --type marker
  neve find pavics/portail-ing --name '*.nc' --print '{size} {base}'
  neve find pavics/portail-ing --name '*.txt' --exec 'neve cat {}'
"""
LINK_S = 604_800
_FIELD = re.compile(r"\{(|base|dir|size|time|url|version)\}")

Test = Callable[[Entry], bool]


@dataclass(frozen=True)
class Found(Result):
    """An object or file that fits."""

    kind: ClassVar[str] = "found"

    key: Annotated[str, "its name below what was searched"]
    size: Annotated[int, "bytes"]
    last_modified: Annotated[datetime, "when it was written"]
    etag: Annotated[str, "ETag without quotes, '' for local files"]
    storage_class: Annotated[str, "storage class, '' for local files"]
    version_id: Annotated[str | None, "id of the version, with --versions"]
    is_delete_marker: Annotated[bool, "whether it only marks the object as deleted"]
    url: Annotated[str, "as a verb would take it"]
    printed: Annotated[str | None, "what --print makes of it"]

    def text(self, style: Style) -> str:
        """The full name, or what --print makes of it."""
        if self.printed is not None:
            return self.printed
        return self.url + (f"  {style.dim(self.version_id)}" if self.version_id else "")


RESULTS = (Found, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to look, for what, and what to do with it."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="server, bucket, folder")
    parser.add_argument("--name", metavar="PATTERN", help="the last component fits")
    parser.add_argument("--path", metavar="PATTERN", help="the name below TARGET fits")
    parser.add_argument("--regex", metavar="REGEX", help="is found in the name below TARGET")
    parser.add_argument("--ignore", metavar="PATTERN", help="the last component does not fit")
    parser.add_argument("--larger", metavar="SIZE", help="more bytes than this")
    parser.add_argument("--smaller", metavar="SIZE", help="fewer bytes than this")
    parser.add_argument("--older-than", metavar="WHEN", help="written before: 7d, 2026-11-01")
    parser.add_argument("--newer-than", metavar="WHEN", help="written since: 7d, 2026-11-01")
    parser.add_argument("--storage-class", metavar="CLASS", help="of this storage class")
    parser.add_argument(
        "--metadata", metavar="KEY=REGEX", action="append", default=[],
        help="metadata, or a header such as content-type, in which it is found",
    )  # fmt: skip
    parser.add_argument(
        "--tags",
        metavar="KEY=REGEX",
        action="append",
        default=[],
        help="a tag in which it is found",
    )
    parser.add_argument(
        "--type", choices=["object", "marker"], help="objects, or delete markers of --versions"
    )
    parser.add_argument("--maxdepth", type=int, metavar="N", help="at most so many components")
    parser.add_argument("--versions", action="store_true", help="look at every version")
    parser.add_argument("--print", dest="shown", metavar="FORMAT", help="what to print for each")
    parser.add_argument("--exec", metavar="COMMAND", help="what to run for each")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Search each target."""
    tests = [*_tests(options), *_described(options, session)]
    command = _words(options.exec) if options.exec else []
    for text in options.targets:
        target = resolve(session, text)
        for entry in walk(session, target, options.versions):
            if not all(test(entry) for test in tests):
                continue
            if command:
                failure = _execute([_fill(word, entry, session) for word in command], entry)
                if failure:
                    yield failure
                continue
            shown = _fill(options.shown, entry, session) if options.shown else None
            version = (entry.version or "null") if options.versions else None
            yield Found(
                entry.name, entry.size, entry.modified, entry.etag, entry.storage_class, version,
                entry.marker, entry.url, shown,
            )  # fmt: skip


def _tests(options: argparse.Namespace) -> Iterator[Test]:
    """One function for each condition; patterns of --name know no slash, so `*` is anything."""
    if options.name:
        name = matcher(options.name)
        yield lambda entry: name(_base(entry))
    if options.path:
        path = matcher(options.path)
        yield lambda entry: path(entry.name)
    if options.ignore:
        ignored = matcher(options.ignore)
        yield lambda entry: not ignored(_base(entry))
    if options.regex:
        pattern = _regex(options.regex)
        yield lambda entry: pattern.search(entry.name) is not None
    if options.larger:
        least = parse_size(options.larger)
        yield lambda entry: entry.size > least
    if options.smaller:
        most = parse_size(options.smaller)
        yield lambda entry: entry.size < most
    if options.older_than:
        before = parse_time(options.older_than)
        yield lambda entry: entry.modified < before
    if options.newer_than:
        since = parse_time(options.newer_than)
        yield lambda entry: entry.modified >= since
    if options.storage_class:
        yield lambda entry: entry.storage_class == options.storage_class
    if options.maxdepth is not None:
        yield lambda entry: entry.name.count("/") < options.maxdepth
    yield lambda entry: entry.marker == (options.type == "marker")


def _described(options: argparse.Namespace, session: Session) -> Iterator[Test]:
    """The conditions for which each object must be asked; local files have none of it."""
    metadata = [_pair(text, "--metadata") for text in options.metadata]
    tags = [_pair(text, "--tags") for text in options.tags]
    if not metadata and not tags:
        return
    from neve.cli.verbs.stat import object_stat

    def test(entry: Entry) -> bool:
        target = session.target(entry.url)
        if not isinstance(target, Remote):
            return False
        try:
            found = object_stat(session, session.remote(entry.url, "key"), entry.version)
        except ServerError as error:
            if error.absent:
                return False  # Removed meanwhile.
            raise
        headers = {"content-type": found.content_type} | found.headers | found.metadata
        return _fits(metadata, headers) and _fits(tags, found.tags or {})

    yield test


def _fits(wanted: list[tuple[str, re.Pattern[str]]], values: dict[str, str]) -> bool:
    return all(name in values and pattern.search(values[name]) for name, pattern in wanted)


def _pair(text: str, flag: str) -> tuple[str, re.Pattern[str]]:
    name, equals, pattern = text.partition("=")
    if not name or not equals:
        raise UsageError(f"{flag} {text!r}: write KEY=REGEX.")
    if flag == "--metadata":
        name = name.lower().removeprefix("x-amz-meta-")
    return name, _regex(pattern)


def _base(entry: Entry) -> str:
    return entry.name.rstrip("/").rpartition("/")[2]


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}.") from error


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{command!r} is no command: {error}.") from error


def _fill(text: str, entry: Entry, session: Session) -> str:
    """Put what is known of the entry into a text, in one pass: names may have braces, too."""

    def value(match: re.Match[str]) -> str:
        folder, _, base = entry.url.rpartition("/")
        values = {
            "": lambda: entry.url,
            "base": lambda: base,
            "dir": lambda: folder,
            "size": lambda: format_size(entry.size),
            "time": lambda: iso_time(entry.modified),
            "version": lambda: entry.version,
            "url": lambda: _link(entry, session),
        }
        return values[match[1]]()

    return _FIELD.sub(value, text)


def _link(entry: Entry, session: Session) -> str:
    target = session.target(entry.url)
    if not isinstance(target, Remote):
        raise UsageError("a local file has no link: {url} is for objects.")
    query = {"versionId": entry.version} if entry.version else None
    server = session.server(target.alias)
    return server.presign("GET", target.bucket, target.key, LINK_S, query)


def _execute(command: list[str], entry: Entry) -> Failure | None:
    sys.stdout.flush()
    try:
        # The user's own command, word by word: no shell reads the names of objects.
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UsageError(f"cannot run {command[0]!r}: {error.strerror}.") from error
    if status == 0:
        return None
    return Failure(f"{command[0]} ended with {status} for {entry.url}.", "ExecFailed", entry.url)
