"""Say whether a bucket keeps old versions."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.version._versioning import Versioning, add_bucket, read

EXAMPLES = """\
examples:
  neve version info pavics/archive
"""
RESULTS = (Versioning, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    add_bucket(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target, "bucket")
    yield read(session.server(target.alias), target)
