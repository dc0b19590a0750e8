"""Limit what a bucket, a prefix, a user (--user) or a new bucket (--default) may hold.

What is not named stays; 0 takes that limit away. A quota below what is there lets nothing grow. The
soft level is a percentage of a limit from which on the server warns.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.quota._quota import Place, Quota, add_place
from neve.client.units import parse_size

EXAMPLES = """\
examples:
  neve quota set pavics/portail-ing --size 2TiB
  neve quota set pavics/portail-ing/raw/ --size 500GiB --objects 1000000
  neve quota set pavics --user alice --size 1TiB --soft 90
  neve quota set pavics --default --size 100GiB
"""
RESULTS = (Quota, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to limit and how far."""
    add_place(parser)
    parser.add_argument("--size", metavar="SIZE", help="bytes: 500GB, 2TiB")
    parser.add_argument("--objects", metavar="NUMBER", type=int, help="objects and old versions")
    parser.add_argument("--soft", metavar="PERCENT", type=int, help="warn from here on")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set it."""
    size = None if options.size is None else parse_size(options.size)
    given = {"bytes": size, "objects": options.objects, "soft": options.soft}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise UsageError("give --size, --objects or --soft.")
    if min(changes.values()) < 0:
        raise UsageError("a limit is not negative; 0 takes it away.")
    place = Place(options, session)
    place.change(changes)
    yield place.show()
