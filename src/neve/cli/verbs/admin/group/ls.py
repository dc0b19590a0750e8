"""List the groups of a server with members and policies."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.group._group import Group, read

EXAMPLES = """\
examples:
  neve admin group ls pavics
"""
RESULTS = (Group, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List them."""
    admin = admin_of(session, options.alias)
    for name in sorted(admin.call("GET", "groups", doing="list groups") or ()):
        yield read(admin, name)
