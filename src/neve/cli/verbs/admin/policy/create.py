"""Make or replace a policy from a JSON document: the grammar of AWS, without Principal."""

import argparse
from collections.abc import Iterator

from neve.cli.files import read_document
from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin policy create pavics home home.json
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, name and document."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("name", metavar="NAME", help="the policy's name")
    parser.add_argument("file", metavar="FILE", help="the document, - for the standard input")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make it."""
    admin = admin_of(session, options.alias)
    body = read_document(options.file)
    admin.call(
        "PUT",
        "add-canned-policy",
        {"name": options.name},
        body,
        doing="make policies",
        named={"policy": options.name},
    )
    yield AdminDone(admin.alias, "created", "policy", options.name)
