"""Show what is known of an access key, its secret aside."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.accesskey._key import AccessKey, key_of

EXAMPLES = """\
examples:
  neve admin accesskey info pavics NIGHTLY
"""
RESULTS = (AccessKey, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and key."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("key", metavar="ACCESS_KEY", help="the access key")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    query = {"accessKey": options.key}
    found = admin.call(
        "GET",
        "info-service-account",
        query,
        doing="read about access keys",
        named={"key": options.key},
    )
    yield key_of(admin.alias, options.key, "", found)
