"""Remove users with their access keys and memberships; their buckets stay."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve admin user rm pavics alice
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and users."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("names", metavar="NAME", nargs="+", help="the users")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove each; go on after a failure."""
    admin = admin_of(session, options.alias)
    for name in options.names:
        try:
            admin.call(
                "DELETE",
                "remove-user",
                {"accessKey": name},
                doing="remove users",
                named={"user": name},
            )
            yield AdminDone(admin.alias, "removed", "user", name)
        except NeveError as error:
            yield failure_of(error, name)
