"""Let the policies of a group hold for its members again."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin group enable pavics lab
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and group."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Do it."""
    admin = admin_of(session, options.alias)
    query = {"group": options.group, "status": "enabled"}
    admin.call(
        "PUT", "set-group-status", query, doing="enable groups", named={"group": options.group}
    )
    yield AdminDone(admin.alias, "enabled", "group", options.group)
