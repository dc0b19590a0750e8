"""Let users sign requests again."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve admin user enable pavics alice
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and users."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("names", metavar="NAME", nargs="+", help="the users")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Enable each; go on after a failure."""
    admin = admin_of(session, options.alias)
    for name in options.names:
        try:
            query = {"accessKey": name, "status": "enabled"}
            admin.call("PUT", "set-user-status", query, doing="enable users", named={"user": name})
            yield AdminDone(admin.alias, "enabled", "user", name)
        except NeveError as error:
            yield failure_of(error, name)
