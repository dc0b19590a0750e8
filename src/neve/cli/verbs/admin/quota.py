"""Show what every bucket and user holds, and their limits. Set them with neve quota."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.quota._quota import Quota, of_store

EXAMPLES = """\
examples:
  neve admin quota pavics
  neve admin quota pavics --json | jq -r 'select(.warning) | .target'
"""
RESULTS = (Quota, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    name = options.alias.rstrip("/")
    if "/" in name:
        raise UsageError(f"one bucket is shown, and limited, by neve quota info {name}.")
    yield from of_store(session.server(name))
