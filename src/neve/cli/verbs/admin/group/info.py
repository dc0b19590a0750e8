"""Show members, state and policies of a group."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.group._group import Group, read

EXAMPLES = """\
examples:
  neve admin group info pavics lab
"""
RESULTS = (Group, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and group."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    yield read(admin_of(session, options.alias), options.group)
