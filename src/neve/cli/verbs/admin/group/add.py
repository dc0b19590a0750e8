"""Add users to a group, which is made when it is new."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin group add pavics lab alice bob1
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, group and users."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group")
    parser.add_argument("members", metavar="USER", nargs="*", help="the users to add")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Add them."""
    admin = admin_of(session, options.alias)
    document = {"group": options.group, "members": options.members, "isRemove": False}
    admin.call(
        "PUT",
        "update-group-members",
        document=document,
        doing="change groups",
        named={"group": options.group},
    )
    who = f"with {', '.join(options.members)}" if options.members else ""
    yield AdminDone(admin.alias, "added", "group", options.group, who)
