"""Give a group of settings its defaults again."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin config reset pavics quota
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and group."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Reset it."""
    admin = admin_of(session, options.alias)
    admin.answer(
        "DELETE", "del-config-kv", document=options.group.encode(), sealed=True,
        doing="change settings",
    )  # fmt: skip
    yield AdminDone(admin.alias, "reset", "group", options.group)
