"""Say what everybody may do without keys at a bucket or prefix."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.anonymous._rule import Rule, prefix_of, rule_of
from neve.client import anonymous

EXAMPLES = """\
examples:
  neve anonymous get pavics/portail-ing
  neve anonymous get pavics/portail-ing/public/
"""
RESULTS = (Rule, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target."""
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="where")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target, "bucket")
    grants = anonymous.read(session.server(target.alias), target.bucket)
    yield rule_of(target, grants, prefix_of(target))
