"""Move files and objects: copy them, look at the copies, and remove the originals.

Nothing is removed before its copy was seen whole at the target, nor when it was written meanwhile.
Slashes mean what they mean to `neve cp`.
"""

import argparse
from collections.abc import Iterator

from neve.cli.output import Result
from neve.cli.session import Session
from neve.cli.target import Local
from neve.cli.transfer.command import add_copy_arguments, copy
from neve.cli.transfer.moving import remove_empty_folders
from neve.cli.transfer.plan import source_target
from neve.cli.transfer.results import RESULTS as RESULTS

EXAMPLES = """\
examples:
  neve mv pavics/portail-ing/draft.nc pavics/portail-ing/final.nc
  neve mv -r out/ pavics/portail-ing/results/
  neve mv -r --older-than 30d pavics/portail-ing/ pavics/archive/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to move and where to."""
    add_copy_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Move."""
    sources = [source_target(session, text) for text in options.sources]
    yield from copy(options, session, "move")
    for source in sources:
        if isinstance(source, Local) and options.recursive and not options.dry_run:
            remove_empty_folders(source.path)
