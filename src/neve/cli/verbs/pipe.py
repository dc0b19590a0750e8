"""Write the standard input to an object.

The length need not be known. Nothing appears under the name before the input has ended; when it
breaks off, nothing of it stays.
"""

import argparse
import sys
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.transfer.engine import add_transfer_arguments
from neve.cli.transfer.piping import pipe
from neve.cli.transfer.results import Copied, Planned

EXAMPLES = """\
examples:
  tar c out | neve pipe pavics/archive/out.tar
  date | neve pipe --attr 'Content-Type=text/plain' pavics/archive/today
"""
RESULTS = (Copied, Planned, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target and flags."""
    parser.add_argument("target", metavar="TARGET", help="alias/bucket/key")
    add_transfer_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Write the object."""
    target = session.remote(options.target, "key")
    if target.key.endswith("/"):
        raise UsageError(f"{target} ends with a slash; name an object.")
    yield from pipe(options, session, target, sys.stdin.buffer)
