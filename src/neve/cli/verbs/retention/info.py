"""Show the lock of objects or versions, or (--default) what a bucket gives new versions."""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import add_choice, choose
from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session
from neve.cli.verbs.retention._retention import (
    DefaultRetention,
    Retention,
    add_target,
    bucket_of,
    read,
    read_default,
)
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve retention info pavics/records/run-7.nc
  neve retention info -r --versions pavics/records/final/
  neve retention info --default pavics/records
"""
RESULTS = (Retention, DefaultRetention, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to show."""
    add_target(parser)
    add_choice(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask; go on after a failure."""
    if options.default:
        target = bucket_of(options, session)
        yield read_default(session.server(target.alias), target)
        return
    for found in choose(options, session):
        try:
            yield read(session.server(found.target.alias), found)
        except NeveError as error:
            yield failure_of(error, str(found.target))
