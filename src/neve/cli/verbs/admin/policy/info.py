"""Print the document of a policy."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.policy._policy import NamedPolicy

EXAMPLES = """\
examples:
  neve admin policy info pavics readwrite
  neve admin policy info pavics readwrite > mine.json
"""
RESULTS = (NamedPolicy, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and name."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("name", metavar="NAME", help="the policy")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    query = {"name": options.name, "v": "2"}
    found = admin.call(
        "GET", "info-canned-policy", query, doing="read policies", named={"policy": options.name}
    )
    yield NamedPolicy(admin.alias, options.name, found.get("Policy") or found)
