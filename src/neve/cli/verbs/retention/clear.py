"""End locks in governance mode, or (--default) the bucket's default. One in compliance mode stays.

Ending a lock takes the right to bypass it; --bypass is implied.
"""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import add_choice
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.retention._retention import (
    DefaultRetention,
    Retention,
    add_target,
    bucket_of,
    write_all,
    write_default,
)

EXAMPLES = """\
examples:
  neve retention clear pavics/records/run-7.nc
  neve retention clear --default pavics/records
"""
RESULTS = (Retention, DefaultRetention, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to unlock."""
    add_target(parser)
    add_choice(parser)
    parser.set_defaults(bypass=True)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Unlock."""
    if options.default:
        target = bucket_of(options, session)
        yield write_default(session.server(target.alias), target, "", "")
    else:
        yield from write_all(options, session, "", None)
