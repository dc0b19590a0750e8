"""The one call that restarts, stops, freezes and unfreezes."""

import argparse

from neve.cli.prompts import confirm
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone


def add_service(parser: argparse.ArgumentParser, asks: bool) -> None:
    """Add the server, and --yes for what is asked about."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    if asks:
        parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def act(options: argparse.Namespace, session: Session, action: str, done: str) -> AdminDone:
    """Ask if need be, and do it. Raises: UsageError, ClientError."""
    admin = admin_of(session, options.alias)
    if "yes" in options:
        confirm(f"{action.capitalize()} the server {admin.alias}?", options.yes)
    admin.call("POST", "service", {"action": action, "type": "2"}, doing=f"{action} the server")
    return AdminDone(admin.alias, done, "server", admin.alias)
