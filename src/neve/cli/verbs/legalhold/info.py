"""Say whether versions are under a legal hold."""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import choose
from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session
from neve.cli.verbs.legalhold._hold import LegalHold, add_target, read
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve legalhold info pavics/records/run-7.nc
  neve legalhold info -r --versions pavics/records/final/
"""
RESULTS = (LegalHold, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it is about."""
    add_target(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask; go on after a failure."""
    for found in choose(options, session):
        try:
            yield read(session.server(found.target.alias), found)
        except NeveError as error:
            yield failure_of(error, str(found.target))
