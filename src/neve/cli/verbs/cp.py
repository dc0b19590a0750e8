"""Copy files and objects: up, down, on one server, between servers.

As with mc, a folder keeps its name (`cp -r out b/` makes `b/out/…`), one with a slash at its end
gives its contents (`cp -r out/ b/` makes `b/…`). `-` is the standard input or output. What arrives
is checked against the sender's checksum; a file gets its name when it is whole. What is interrupted
goes on where it stopped when the same command is run again, also within objects over 16 MiB.
"""

import argparse
from collections.abc import Iterable

from neve.cli.errors import UsageError
from neve.cli.output import Result
from neve.cli.rewind import add_rewind
from neve.cli.session import Session
from neve.cli.transfer.command import add_copy_arguments, copy, copy_standard
from neve.cli.transfer.results import RESULTS as RESULTS

EXAMPLES = """\
examples:
  neve cp file.txt pavics/portail-ing/file_copy.txt
  neve cp -r folder pavics/portail-ing/
  neve cp pavics/portail-ing/a.nc pavics/portail-ing/b.nc .
  neve cp 'pavics/portail-ing/run1/*.nc' ./run1/
  neve cp -r pavics/portail-ing/run1/ new/archive/run1/
  neve cp -r --exclude '*.tmp' --newer-than 7d out/ pavics/portail-ing/results/
  neve cp -r --rewind yesterday pavics/archive/ ./as-of-yesterday/
  neve cp --attr 'Cache-Control=max-age=60;author=me' --tags 'state=final' a.nc pavics/archive/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to copy, where to, and how."""
    add_copy_arguments(parser)
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version of the object"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterable[Result]:
    """Copy."""
    standard = copy_standard(options, session)
    if standard is not None:
        if options.recursive:
            raise UsageError("'-' is one object: no -r.")
        return standard
    return copy(options, session, version=options.version_id)
