"""Download objects: as `neve cp`, for those who want to be sure of the direction.

Prefixes need -r. A file gets its name when it is whole and checked, and the object's time.
"""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Result
from neve.cli.rewind import add_rewind
from neve.cli.session import Session
from neve.cli.target import Local
from neve.cli.transfer.command import add_copy_arguments, copy
from neve.cli.transfer.results import RESULTS as RESULTS

EXAMPLES = """\
examples:
  neve get pavics/portail-ing/a.nc .
  neve get -r pavics/portail-ing/results ./
  neve get --version-id 7f3c pavics/archive/readme.txt old.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add objects, target and flags."""
    add_copy_arguments(parser)
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version of the object"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Download."""
    for text in options.sources:
        session.remote(text, "bucket")
    if not isinstance(session.target(options.target), Local):
        raise UsageError(f"{options.target} is no local place; neve cp copies to servers.")
    yield from copy(options, session, version=options.version_id)
