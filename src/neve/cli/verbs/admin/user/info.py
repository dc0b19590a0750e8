"""Show a user: its state, policies and groups. Users may ask about themselves."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.user._user import User, user_of

EXAMPLES = """\
examples:
  neve admin user info pavics alice
"""
RESULTS = (User, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and name."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("name", metavar="NAME", help="the user")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    query = {"accessKey": options.name}
    found = admin.call(
        "GET", "user-info", query, doing="read about users", named={"user": options.name}
    )
    yield user_of(admin.alias, options.name, found)
