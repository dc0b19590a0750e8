"""Take users out of a group; without users, remove the group, which must be empty."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin group rm pavics lab bob1
  neve admin group rm pavics empty
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, group and users."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group")
    parser.add_argument("members", metavar="USER", nargs="*", help="the users to take out")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove them."""
    admin = admin_of(session, options.alias)
    document = {"group": options.group, "members": options.members, "isRemove": True}
    admin.call(
        "PUT",
        "update-group-members",
        document=document,
        doing="change groups",
        named={"group": options.group},
    )
    if options.members:
        who = f"by {', '.join(options.members)}"
        yield AdminDone(admin.alias, "left", "group", options.group, who)
    else:
        yield AdminDone(admin.alias, "removed", "group", options.group)
