"""Put a legal hold on versions: they cannot be removed until it is taken off."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.legalhold._hold import LegalHold, add_target, write_all

EXAMPLES = """\
examples:
  neve legalhold set pavics/records/run-7.nc
  neve legalhold set -r --versions pavics/records/final/
"""
RESULTS = (LegalHold, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it is about."""
    add_target(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Put it on."""
    yield from write_all(options, session, True)
