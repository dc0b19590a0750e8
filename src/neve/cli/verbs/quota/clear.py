"""Take away the limit of a bucket, a prefix, a user or new buckets; those of its prefixes stay."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.quota._quota import Place, Quota, add_place

EXAMPLES = """\
examples:
  neve quota clear pavics/portail-ing
  neve quota clear pavics --user alice
"""
RESULTS = (Quota, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to free."""
    add_place(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Clear it."""
    place = Place(options, session)
    place.change(None)
    yield place.show()
