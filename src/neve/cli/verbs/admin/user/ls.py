"""List the users of a server, with their policies and groups. Root is no user."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.user._user import User, user_of

EXAMPLES = """\
examples:
  neve admin user ls pavics
  neve admin user ls --json pavics | jq -r .user
"""
RESULTS = (User, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List them."""
    admin = admin_of(session, options.alias)
    found = admin.call("GET", "list-users", doing="list users")
    for name, user in sorted(found.items()):
        yield user_of(admin.alias, name, user)
