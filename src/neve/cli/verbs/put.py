"""Upload files: as `neve cp`, for those who want to be sure of the direction.

Folders need -r. The target is remote: a new name, a bucket, or a prefix with its slash.
"""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Result
from neve.cli.session import Session
from neve.cli.target import Local
from neve.cli.transfer.command import add_copy_arguments, copy
from neve.cli.transfer.plan import source_target
from neve.cli.transfer.results import RESULTS as RESULTS

EXAMPLES = """\
examples:
  neve put file.nc pavics/portail-ing/
  neve put --part-size 64MiB --max-workers 8 file.nc pavics/portail-ing/big.nc
  neve put -r out pavics/portail-ing/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add files, target and flags."""
    add_copy_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Upload."""
    for text in options.sources:
        if not isinstance(source_target(session, text), Local):
            raise UsageError(f"{text} is remote; it is fetched with neve get, copied with neve cp.")
    session.remote(options.target, "bucket")
    yield from copy(options, session)
