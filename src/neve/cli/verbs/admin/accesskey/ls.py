"""List access keys: your own, those of USERs, or (--all) everybody's."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.accesskey._key import AccessKey, key_of

EXAMPLES = """\
examples:
  neve admin accesskey ls pavics
  neve admin accesskey ls pavics alice
  neve admin accesskey ls pavics --all
"""
RESULTS = (AccessKey, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and users."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("users", metavar="USER", nargs="*", help="of these users")
    parser.add_argument("--all", action="store_true", help="of everybody")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List them."""
    admin = admin_of(session, options.alias)
    query: dict[str, str | list[str]] = {"listType": "svcacc-only"}
    if options.all:
        query["all"] = "true"
    elif options.users:
        query["users"] = options.users
    found = admin.call("GET", "list-access-keys-bulk", query, doing="list access keys")
    for user, keys in sorted((found or {}).items()):
        for key in keys.get("serviceAccounts") or ():
            yield key_of(admin.alias, key["accessKey"], user, key)
