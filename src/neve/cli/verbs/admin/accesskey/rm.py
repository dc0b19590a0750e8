"""Remove access keys: what is signed with them is refused from now on."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve admin accesskey rm pavics NIGHTLY
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and keys."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("keys", metavar="ACCESS_KEY", nargs="+", help="the access keys")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove each; go on after a failure."""
    admin = admin_of(session, options.alias)
    for key in options.keys:
        try:
            query = {"accessKey": key}
            admin.call(
                "DELETE",
                "delete-service-account",
                query,
                doing="remove access keys",
                named={"key": key},
            )
            yield AdminDone(admin.alias, "removed", "access key", key)
        except NeveError as error:
            yield failure_of(error, key)
