"""Accept requests signed with access keys again."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve admin accesskey enable pavics NIGHTLY
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and keys."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("keys", metavar="ACCESS_KEY", nargs="+", help="the access keys")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Enable each; go on after a failure."""
    admin = admin_of(session, options.alias)
    for key in options.keys:
        try:
            admin.call(
                "POST", "update-service-account", {"accessKey": key}, {"newStatus": "on"},
                sealed=True, doing="enable access keys", named={"key": key},
            )  # fmt: skip
            yield AdminDone(admin.alias, "enabled", "access key", key)
        except NeveError as error:
            yield failure_of(error, key)
