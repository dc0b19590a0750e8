"""Lock versions for a time, or (--default) let a bucket lock all new ones.

A lock can be made longer by everybody who may set one. To shorten one in governance mode takes
--bypass and the right to it; one in compliance mode cannot be shortened by anybody.
"""

import argparse
from collections.abc import Iterator

from neve.cli.chosen import add_choice
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.retention._retention import (
    MODES,
    DefaultRetention,
    Retention,
    add_bypass,
    add_target,
    bucket_of,
    until_of,
    write_all,
    write_default,
)

EXAMPLES = """\
examples:
  neve retention set governance 30d pavics/records/run-7.nc
  neve retention set governance 1y -r --versions pavics/records/final/
  neve retention set --default compliance 1y pavics/records
"""
RESULTS = (Retention, DefaultRetention, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add mode, time and what to lock."""
    parser.add_argument(
        "mode", metavar="MODE", choices=MODES, type=str.lower, help=" or ".join(MODES)
    )
    parser.add_argument("validity", metavar="TIME", help="how long: 30d, 1y")
    add_target(parser)
    add_bypass(parser)
    add_choice(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Lock."""
    if options.default:
        target = bucket_of(options, session)
        server = session.server(target.alias)
        yield write_default(server, target, options.mode, options.validity)
    else:
        yield from write_all(options, session, options.mode, until_of(options.validity))
