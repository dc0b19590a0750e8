"""Say whether new objects of a bucket are encrypted by the server."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.encrypt._encryption import Encryption, read, told

EXAMPLES = """\
examples:
  neve encrypt info pavics/private
"""
RESULTS = (Encryption, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    yield told(server, lambda: read(server, target))
