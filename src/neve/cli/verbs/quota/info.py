"""Show limits and what is used of them: of a bucket with its prefixes, a prefix, a user, or all."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.quota._quota import Place, Quota, add_place, of_prefixes, of_store

EXAMPLES = """\
examples:
  neve quota info pavics/portail-ing
  neve quota info pavics --user alice
  neve quota info pavics                    # every bucket and user (root)
"""
RESULTS = (Quota, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to show."""
    add_place(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target)
    if not (target.bucket or options.user or options.default):
        yield from of_store(session.server(target.alias))
        return
    place = Place(options, session)
    yield place.show()
    yield from of_prefixes(place)
