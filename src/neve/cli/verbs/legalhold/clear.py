"""Take the legal hold off versions."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.legalhold._hold import LegalHold, add_target, write_all

EXAMPLES = """\
examples:
  neve legalhold clear pavics/records/run-7.nc
  neve legalhold clear -r --versions pavics/records/final/
"""
RESULTS = (LegalHold, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what it is about."""
    add_target(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Take it off."""
    yield from write_all(options, session, False)
