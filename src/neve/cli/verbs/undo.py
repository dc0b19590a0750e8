"""Take back the last changes of objects, in buckets that keep versions.

The newest version of a key, or its delete marker, is removed for good, so that what was before it
is current again; an object that was new is gone. With --last N that is done for the last N changes.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import groupby

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.transfer.command import more_than_one
from neve.cli.transfer.deleting import Doomed, delete_jobs
from neve.cli.transfer.engine import Engine
from neve.cli.transfer.filters import Filter, add_filters
from neve.cli.transfer.results import Planned, Removed, TransferSummary
from neve.cli.transfers import Transfers
from neve.client import s3
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve undo --last 3 --dry-run pavics/archive/readme.txt
  neve undo -r --force --action DELETE pavics/archive/
  neve undo pavics/archive/readme.txt
"""
RESULTS = (Removed, Planned, TransferSummary, Failure)
_ACTIONS = ("PUT", "DELETE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to take back."""
    parser.add_argument("target", metavar="TARGET", help="an object, or a prefix with -r")
    parser.add_argument("--last", metavar="N", type=int, default=1, help="so many changes")
    parser.add_argument(
        "--action", type=str.upper, choices=_ACTIONS, help="only if the change was of this kind"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="all that lies below")
    parser.add_argument("--force", action="store_true", help="needed with -r")
    parser.add_argument(
        "--bypass", action="store_true", help="also what governance retention protects"
    )
    parser.add_argument(
        "--dry-run", "--fake", action="store_true", help="only say what would be removed"
    )
    add_filters(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Take back."""
    target = session.remote(options.target, "bucket" if options.recursive else "key")
    if options.last < 1:
        raise UsageError("--last is 1 or more.")
    if options.recursive and not (options.force or options.dry_run):
        raise UsageError("-r takes back changes of all that lies below; add --force.")
    _check_versions(session, target)
    with Transfers(session.output) as progress:
        engine = Engine.plain(session, progress)
        doomed = _doomed(options, session, target)
        jobs = partial(delete_jobs, engine, doomed, bypass=options.bypass, dry_run=options.dry_run)
        yield from engine.do(jobs())
        summary = engine.summary()
    if more_than_one(summary):
        yield summary


def _check_versions(session: Session, target: Remote) -> None:
    """Raises: ClientError when the bucket never kept versions: the object itself would go."""
    server = session.server(target.alias)
    setting = server.get_setting(target.bucket, "versioning", "see whether it keeps versions")
    if not setting or b"<Status>" not in setting:
        raise ClientError(
            f"the bucket {target.alias}/{target.bucket} keeps no versions: nothing can be undone.",
            "NoVersions",
            str(target),
        )


def _doomed(options: argparse.Namespace, session: Session, target: Remote) -> Iterator[Doomed]:
    """The newest versions of each key."""
    chosen = Filter(options)
    found = False
    listing = session.server(target.alias).versions(target.bucket, target.key)
    rows = (row for row in listing if isinstance(row, s3.Object))
    start = target.key.rfind("/") + 1
    for key, group in groupby(rows, key=lambda row: row.key):
        if not _meant(key, target.key, options.recursive):
            continue
        found = True
        versions = list(group)
        if not chosen.takes(key[start:], versions[0].modified.timestamp()):
            continue
        for row in versions[: options.last]:
            if options.action and row.marker != (options.action == "DELETE"):
                break
            yield Doomed(target.at(key), row.version or "null", row.size)
    if not found:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))


def _meant(key: str, wanted: str, recursive: bool) -> bool:
    if key == wanted:
        return True
    if not recursive:
        return False
    return not wanted or wanted.endswith("/") or key.startswith(f"{wanted}/")
