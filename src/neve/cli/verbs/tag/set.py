"""Give an object, a version, all objects under a prefix, or a bucket tags, in place of the old."""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import add_choice
from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session
from neve.cli.verbs.tag._tags import Tags, chosen, parse_tags, write
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve tag set pavics/results/tas.nc project=ouranos state=final
  neve tag set pavics/results 'project=ouranos&cost=k12'      # the bucket
  neve tag set -r pavics/results/raw/ state=raw
"""
RESULTS = (Tags, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target and the tags."""
    parser.add_argument("target", metavar="TARGET", help="a bucket or an object")
    parser.add_argument("tags", metavar="NAME=VALUE", nargs="+", help="the tags it is to have")
    add_choice(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set them; go on after a failure."""
    tags = parse_tags(options.tags)
    for found in chosen(options, session):
        try:
            yield write(session.server(found.target.alias), found, tags)
        except NeveError as error:
            yield failure_of(error, str(found.target))
