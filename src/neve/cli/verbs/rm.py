"""Remove objects, versions of objects, or uploads that were not ended.

What lies below a prefix, and patterns (quote them), need --recursive and --force. In a bucket with
versions the current one is only marked as deleted, which `neve undo` takes back; with --versions
all of them go for good, with --non-current all but the current ones.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob, matcher
from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.transfer.command import more_than_one
from neve.cli.transfer.deleting import Doomed, delete_jobs
from neve.cli.transfer.engine import Engine
from neve.cli.transfer.filters import Filter, add_filters
from neve.cli.transfer.pool import Done, Job
from neve.cli.transfer.results import Planned, Removed, TransferSummary
from neve.cli.transfers import Transfers
from neve.client import s3
from neve.client.errors import ClientError, ServerError

EXAMPLES = """\
examples:
  neve rm pavics/portail-ing/a.nc pavics/portail-ing/b.nc
  neve rm -r --dry-run 'pavics/portail-ing/run*/**.tmp'
  neve rm -r --force pavics/portail-ing/run1/
  neve rm -r --force --older-than 30d --exclude '*.md' pavics/scratch
  neve rm --version-id 7f3c pavics/archive/readme.txt
  neve rm -r --force --versions pavics/portail-ing/run2/
  neve rm -r --force --non-current --older-than 30d pavics/archive
  neve rm -r --force --incomplete pavics/portail-ing
  neve find pavics/scratch --name '*.tmp' | neve rm --force --stdin
"""
RESULTS = (Removed, Planned, TransferSummary, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to remove and how."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="objects, prefixes, patterns")
    parser.add_argument("-r", "--recursive", action="store_true", help="all that lies below")
    parser.add_argument("--force", action="store_true", help="needed for more than named objects")
    parser.add_argument(
        "--dangerous", action="store_true", help="needed for all buckets of a server (ALIAS alone)"
    )
    parser.add_argument("--versions", action="store_true", help="every version, for good")
    parser.add_argument(
        "--non-current", action="store_true", help="old versions, for good; the current one stays"
    )
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version, for good"
    )
    parser.add_argument(
        "-I", "--incomplete", action="store_true", help="uploads that were begun and not ended"
    )
    parser.add_argument(
        "--bypass", action="store_true", help="also what governance retention protects"
    )
    parser.add_argument("--stdin", action="store_true", help="names from the input, one per line")
    parser.add_argument(
        "--dry-run", "--fake", action="store_true", help="only say what would be removed"
    )
    add_filters(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove."""
    _check(options)
    with Transfers(session.output) as progress:
        engine = Engine.plain(session, progress)
        if options.stdin:
            lines = (line.rstrip("\r\n") for line in sys.stdin)
            yield from engine.do(_named(options, engine, filter(None, lines)))
        else:
            yield from engine.do(_jobs(options, engine))
        summary = engine.summary()
    if more_than_one(summary):
        yield summary


def _check(options: argparse.Namespace) -> None:
    options.versions = options.versions or options.non_current
    if not options.targets and not options.stdin:
        raise UsageError("say what to remove: alias/bucket/key.")
    if options.targets and options.stdin:
        raise UsageError("--stdin goes without names on the command line.")
    if options.recursive and not (options.force or options.dry_run):
        raise UsageError("-r removes all that lies below; add --force (or --dry-run to see it).")
    if options.version_id and (len(options.targets) != 1 or options.recursive or options.versions):
        raise UsageError("--version-id goes with one object.")
    if options.versions and options.incomplete:
        flag = "--non-current" if options.non_current else "--versions"
        raise UsageError(f"{flag} and --incomplete do not go together.")


def _jobs(options: argparse.Namespace, engine: Engine) -> Iterator[Job]:
    """The jobs of the command line: named objects in one go, then what lies below."""
    targets = [engine.session.remote(text) for text in options.targets]
    if not options.recursive:
        for target in targets:
            _check_one(target)
        yield from _named(options, engine, options.targets)
        return
    for target in targets:
        for place in _buckets(options, engine, target):
            if options.incomplete:
                yield from _uploads(options, engine, place)
            else:
                rows = _below(options, engine, place)
                yield from delete_jobs(engine, rows, bypass=options.bypass, dry_run=options.dry_run)


def _check_one(target: Remote) -> None:
    if target.folder or has_glob(target.key):
        raise UsageError(f"{target} is more than one object; remove all of it: -r --force.")


def _buckets(options: argparse.Namespace, engine: Engine, target: Remote) -> Iterator[Remote]:
    if target.bucket:
        yield target
    elif options.dangerous:
        for bucket in engine.session.server(target.alias).buckets():
            yield Remote(target.alias, bucket.name)
    else:
        raise UsageError(f"{target} is a server; all that its buckets hold: --dangerous.")


def _named(options: argparse.Namespace, engine: Engine, texts: Iterable[str]) -> Iterator[Job]:
    """Objects that were named one by one; those of a bucket that follow each other together."""

    def places() -> Iterator[Remote]:
        for text in texts:
            try:
                target = engine.session.remote(text, "key")
                if options.version_id and not options.force:
                    _check_version(engine, target, options.version_id)
                elif not options.stdin and not options.force:
                    _check_present(engine, target)
                yield target
            except UsageError:
                raise
            except ClientError as error:
                engine.warn(failure_of(error, text))

    for _, group in groupby(places(), key=lambda place: (place.alias, place.bucket)):
        if options.versions:
            doomed: Iterator[Doomed] = (
                row for place in group for row in _versions_of(options, engine, place)
            )
        else:
            doomed = (Doomed(place, options.version_id) for place in group)
        yield from delete_jobs(engine, doomed, bypass=options.bypass, dry_run=options.dry_run)


def _check_present(engine: Engine, target: Remote) -> None:
    """Raises: ClientError when there is no such object; a deletion would not say so."""
    server = engine.session.server(target.alias)
    if server.find(target.bucket, target.key) is not None:
        return
    below = next(server.objects(target.bucket, target.key + "/", page=1), None)
    if below is not None:
        raise UsageError(f"{target} is a folder; remove all in it: -r --force.")
    raise ClientError(f"there is no object {target}.", "NoSuchKey", str(target))


def _check_version(engine: Engine, target: Remote, version: str) -> None:
    """Raises: ClientError when there is no such version; a deletion would not say so."""
    try:
        if engine.session.server(target.alias).find(target.bucket, target.key, version) is not None:
            return
    except ServerError as error:
        if error.code == "NoSuchBucket":
            raise
        if error.status != 400:
            return  # A delete marker cannot be read, and some may only delete.
    sentence = f"{target} has no version {version}; see neve ls --versions."
    raise ClientError(sentence, "NoSuchVersion", str(target))


def _versions_of(options: argparse.Namespace, engine: Engine, place: Remote) -> Iterator[Doomed]:
    for row in engine.session.server(place.alias).versions(place.bucket, place.key):
        if not isinstance(row, s3.Object) or row.key != place.key:
            continue
        if not (options.non_current and row.latest):
            yield Doomed(place, row.version or "null", row.size)


def _below(options: argparse.Namespace, engine: Engine, target: Remote) -> Iterator[Doomed]:
    """What lies below a prefix or matches a pattern."""
    chosen = Filter(options)
    server = engine.session.server(target.alias)
    key = target.key
    pattern = matcher(key) if has_glob(key) else None
    start = len(key) if key.endswith("/") else key.rfind("/") + 1
    listing = server.versions if options.versions else server.objects
    found = False
    for row in listing(target.bucket, fixed_part(key) if pattern else key):
        assert isinstance(row, s3.Object)
        if pattern:
            inside = pattern(row.key)
        else:
            inside = not key or key.endswith("/") or row.key == key or row.key.startswith(f"{key}/")
        if not inside:
            continue
        found = True
        if options.non_current and row.latest:
            continue
        if chosen.takes(row.key[0 if pattern else start :], row.modified.timestamp()):
            version = (row.version or "null") if options.versions else ""
            yield Doomed(target.at(row.key), version, row.size)
    if key and not found and not options.force:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))


def _uploads(options: argparse.Namespace, engine: Engine, target: Remote) -> Iterator[Job]:
    chosen = Filter(options)
    server = engine.session.server(target.alias)
    for row in server.uploads(target.bucket, target.key):
        if not chosen.takes(row.key, row.begun.timestamp()):
            continue
        place = target.at(row.key)
        if options.dry_run:
            planned = Planned("remove", "", f"{place} ({row.upload})", 0)
            yield Job(str(place), partial(_tell, planned))
        else:
            yield Job(str(place), partial(_give_up, server, place, row.upload))


def _give_up(server: s3.S3, place: Remote, upload: str, done: Done) -> None:
    server.transport.request(
        "DELETE", place.bucket, place.key, {"uploadId": upload}, doing="give up this upload"
    )
    done([Removed(str(place), upload_id=upload)])


def _tell(result: Result, done: Done) -> None:
    done([result])
