"""Show the tags of an object, a version, all objects under a prefix, or a bucket."""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import add_choice
from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session
from neve.cli.verbs.tag._tags import Tags, chosen, read
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve tag ls pavics/results/tas.nc
  neve tag ls pavics/results
  neve tag ls -r --json pavics/results/raw/ | jq -c .tags
"""
RESULTS = (Tags, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target."""
    parser.add_argument("target", metavar="TARGET", help="a bucket or an object")
    add_choice(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them; go on after a failure."""
    for found in chosen(options, session):
        try:
            yield read(session.server(found.target.alias), found)
        except NeveError as error:
            yield failure_of(error, str(found.target))
