"""What cp, mv, put and get have in common: from flags to results."""

import argparse
import sys
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Result
from neve.cli.rewind import moment_of, wanted_version
from neve.cli.session import Session
from neve.cli.target import Standard
from neve.cli.transfer.engine import Arrived, Engine, add_transfer_arguments
from neve.cli.transfer.filters import Filter, add_filters
from neve.cli.transfer.plan import pairs_of, plan_of
from neve.cli.transfer.results import TransferSummary
from neve.cli.transfers import Transfers


def add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add sources, target and flags."""
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help="files, objects, folders")
    parser.add_argument("target", metavar="TARGET", help="a new name, or a folder")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with all in them")
    add_filters(parser)
    add_transfer_arguments(parser)


def copy(
    options: argparse.Namespace, session: Session, action: str = "copy", version: str = ""
) -> Iterator[Result]:
    """Copy sources to the target, or move them."""
    with Transfers(session.output) as progress:
        engine = Engine(session, options, progress)
        engine.settings.action = action
        plan = plan_of(
            session, options.sources, options.target, options.recursive, version,
            moment_of(options),
        )  # fmt: skip
        engine.names.several = len(plan.sources) > 1
        arrived: Arrived | None = None
        if action == "move":
            from neve.cli.transfer.moving import remover

            arrived = remover(engine)
        yield from engine.run(pairs_of(engine, plan, Filter(options)), arrived)
        summary = engine.summary()
    if more_than_one(summary):
        yield summary


def more_than_one(summary: TransferSummary) -> bool:
    """Whether a summary says more than the lines before it."""
    told = summary.objects + summary.same + summary.left_out + summary.removed + summary.failures
    return told > 1 or summary.not_tried


def copy_standard(options: argparse.Namespace, session: Session) -> Iterator[Result] | None:
    """Copy from `-` or to `-`; None when neither is asked for."""
    texts = [*options.sources, options.target]
    if "-" not in texts:
        return None
    if len(texts) > 2:
        raise UsageError("'-' goes with one source and one target.")
    if isinstance(session.target(options.target), Standard):
        return _out(options, session)
    from neve.cli.transfer.piping import pipe

    return pipe(options, session, session.remote(options.target, "key"), sys.stdin.buffer)


def _out(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    from neve.cli.transfer.plan import source_target
    from neve.cli.verbs.cat import pieces

    source = source_target(session, options.sources[0])
    version = wanted_version(options, session, source)
    sys.stdout.flush()
    for piece in pieces(source, session, 0, version):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    yield from ()
