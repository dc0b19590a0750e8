"""Make no new versions from now on; those that are there stay."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.version._versioning import Versioning, add_bucket, write

EXAMPLES = """\
examples:
  neve version suspend pavics/archive
"""
RESULTS = (Versioning, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    add_bucket(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Suspend it."""
    target = session.remote(options.target, "bucket")
    yield write(session.server(target.alias), target, "Suspended", [], False)
