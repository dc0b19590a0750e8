"""Make a folder, a bucket or a whole server the same as another: one way, resumable.

What is at the target already is not sent again. What differs there is replaced with --overwrite
only, what the source does not have is removed with --remove only. An interrupted mirror goes on
when it is run again. --watch goes on by itself: both sides are compared again every few seconds
(they are listed: no notifications are needed, neither of the file system nor of the server).
"""

import argparse
import time
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.target import Local, Remote
from neve.cli.transfer.engine import Engine, add_transfer_arguments
from neve.cli.transfer.filters import Filter, add_filters
from neve.cli.transfer.histories import history_jobs, keep_versions
from neve.cli.transfer.journal import MirrorJournal
from neve.cli.transfer.mirroring import Mirroring, ends_of, make_target
from neve.cli.transfer.pool import Job
from neve.cli.transfer.results import RESULTS as RESULTS
from neve.cli.transfer.results import TransferSummary
from neve.cli.transfers import Transfers
from neve.cli.units import parse_duration

EXAMPLES = """\
examples:
  neve mirror out pavics/results
  neve mirror --overwrite --remove out/ pavics/portail-ing/results/
  neve mirror pavics/portail-ing ./portail-ing
  neve mirror --overwrite --exclude '*.tmp' pavics/portail-ing new/portail-copy
  neve mirror --dry-run pavics/ ./all
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add both ends and how."""
    parser.add_argument("source", metavar="SOURCE", help="folder, bucket, prefix, or server")
    parser.add_argument("target", metavar="TARGET", help="folder, bucket, prefix, or server")
    parser.add_argument("--overwrite", action="store_true", help="replace what differs")
    parser.add_argument("--remove", action="store_true", help="remove what the source has not")
    parser.add_argument(
        "--versions", action="store_true", help="every version, oldest first (between servers)"
    )
    parser.add_argument(
        "-w", "--watch", action="store_true", help="go on until Ctrl-C; replaces what differs"
    )
    parser.add_argument(
        "--interval", metavar="TIME", default="2s", help="how often --watch compares"
    )
    add_filters(parser)
    add_transfer_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Mirror, once or until Ctrl-C."""
    source, target = _end(session, options.source), _end(session, options.target)
    _check(options, source, target)
    interval = parse_duration(options.interval)
    yield from _pass(options, session, source, target, again=False)
    told: set[tuple[str, str]] = set()
    while options.watch:
        time.sleep(interval)
        now: set[tuple[str, str]] = set()
        for result in _pass(options, session, source, target, again=True):
            if isinstance(result, Failure):
                now.add((result.target, result.code))
                if (result.target, result.code) in told:
                    continue
            if isinstance(result, TransferSummary) and not (result.objects or result.removed):
                continue
            yield result
        told = now


def _pass(
    options: argparse.Namespace, session: Session, source: Local | Remote, target: Local | Remote,
    *, again: bool,
) -> Iterator[Result]:  # fmt: skip
    journal = MirrorJournal(session.aliases.folder, _name(source), _name(target))
    whole = False
    try:
        with Transfers(session.output) as progress:
            engine = Engine(session, options, progress)
            if journal.begun and not again:
                session.output.note(f"Going on with a mirror that was interrupted: {target}")
            yield from engine.do(_jobs(options, engine, journal, source, target))
            summary = engine.summary()
        whole = not engine.failed
    finally:
        journal.close(whole)
    yield summary


def _jobs(
    options: argparse.Namespace, engine: Engine, journal: MirrorJournal, source: Local | Remote,
    target: Local | Remote,
) -> Iterator[Job]:  # fmt: skip
    chosen = Filter(options)
    for ends in ends_of(engine, source, target):
        make_target(engine, ends.target)
        if options.versions:
            assert isinstance(ends.source, Remote)
            assert isinstance(ends.target, Remote)
            if not options.dry_run:
                keep_versions(engine, ends.source, ends.target)
            yield from history_jobs(engine, ends.source, ends.target, chosen)
            continue
        mirroring = Mirroring(
            engine, chosen, journal, overwrite=options.overwrite or options.watch,
            remove=options.remove,
        )  # fmt: skip
        yield from mirroring.jobs(ends)
    engine.progress.expect(0, 0, counted=True)


def _end(session: Session, text: str) -> Local | Remote:
    found = session.target(text)
    if not isinstance(found, Local | Remote):
        raise UsageError("'-' cannot be mirrored.")
    if isinstance(found, Remote) and found.key and not found.key.endswith("/"):
        return found.at(found.key + "/")
    return found


def _check(options: argparse.Namespace, source: Local | Remote, target: Local | Remote) -> None:
    if isinstance(source, Local) and isinstance(target, Remote) and not target.bucket:
        raise UsageError(f"{target} is a server; name a bucket: {target}/bucket.")
    remote = isinstance(source, Remote) and isinstance(target, Remote)
    if options.versions and not remote:
        raise UsageError("--versions is for mirrors between servers: files have no versions.")
    if options.versions and (options.remove or options.older_than or options.newer_than):
        raise UsageError("--versions goes without --remove, --older-than and --newer-than.")
    if isinstance(source, Remote) and isinstance(target, Remote):
        same = (source.alias, source.bucket) == (target.alias, target.bucket)
        nested = target.key.startswith(source.key) or source.key.startswith(target.key)
        if same and nested:
            raise UsageError(f"{source} and {target} are in each other.")


def _name(place: Local | Remote) -> str:
    import os

    return os.path.abspath(place.path) if isinstance(place, Local) else str(place)
