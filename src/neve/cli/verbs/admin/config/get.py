"""Show the settings of a server: all, or those of a GROUP."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.config._settings import Settings, parse_settings

EXAMPLES = """\
examples:
  neve admin config get pavics
  neve admin config get pavics limits
  neve admin config get --json pavics | jq .values
"""
RESULTS = (Settings, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and group."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", nargs="?", default="", help="only this group")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    path, query = ("get-config-kv", {"key": options.group}) if options.group else ("config", None)
    answer = admin.answer("GET", path, query, doing="read settings")
    yield from parse_settings(admin.alias, admin.opened(answer).decode())
