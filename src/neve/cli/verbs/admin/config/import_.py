"""Set what a file says, in the form of neve admin config export."""

import argparse
from collections.abc import Iterator

from neve.cli.files import read_document
from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin config import pavics settings.txt
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and file."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("file", metavar="FILE", help="the settings, - for the standard input")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set them."""
    admin = admin_of(session, options.alias)
    body = read_document(options.file)
    admin.answer("PUT", "config", document=body, sealed=True, doing="change settings")
    yield AdminDone(admin.alias, "changed", "configuration", "")
