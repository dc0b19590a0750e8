"""Make a user, or give one that exists another secret.

Without SECRET it is asked for, twice; when the standard input is no terminal, it is its first line.
A new user may nothing until a policy is attached: neve admin policy attach.
"""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.prompts import ask_secret
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin user add pavics alice ALICES_SECRET
  echo "$SECRET" | neve admin user add pavics alice
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, name and secret."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("name", metavar="NAME", help="the user")
    parser.add_argument("secret", metavar="SECRET", nargs="?", help="its secret key")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make it."""
    admin = admin_of(session, options.alias)
    secret = options.secret or ask_secret(f"Secret key of {options.name}: ")
    admin.call(
        "PUT", "add-user", {"accessKey": options.name},
        {"secretKey": secret, "status": "enabled"}, sealed=True, doing="add users",
    )  # fmt: skip
    yield AdminDone(admin.alias, "added", "user", options.name)
