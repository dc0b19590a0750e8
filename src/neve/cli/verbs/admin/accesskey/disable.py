"""Refuse requests signed with access keys, without removing them."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result, failure_of
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve admin accesskey disable pavics NIGHTLY
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and keys."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("keys", metavar="ACCESS_KEY", nargs="+", help="the access keys")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Disable each; go on after a failure."""
    admin = admin_of(session, options.alias)
    for key in options.keys:
        try:
            admin.call(
                "POST", "update-service-account", {"accessKey": key}, {"newStatus": "off"},
                sealed=True, doing="disable access keys", named={"key": key},
            )  # fmt: skip
            yield AdminDone(admin.alias, "disabled", "access key", key)
        except NeveError as error:
            yield failure_of(error, key)
