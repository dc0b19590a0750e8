"""Make an access key for yourself, or for USER, and show its secret: this once.

Without --policy it may do what its user may.
"""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin.accesskey._key import (
    AccessKeyMade,
    add_key_flags,
    end_of,
    expiry_of,
    policy_of,
)

EXAMPLES = """\
examples:
  neve admin accesskey create pavics --name nightly --expiry-duration 30d
  neve admin accesskey create pavics alice --policy upload-only.json
  neve admin accesskey create pavics --json | jq -r .secretKey > secret
"""
RESULTS = (AccessKeyMade, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, user and what the key is to be."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("user", metavar="USER", nargs="?", default="", help="whose it is to be")
    parser.add_argument("--access-key", metavar="KEY", default="", help="default: one is made")
    parser.add_argument("--secret-key", metavar="SECRET", default="", help="default: one is made")
    add_key_flags(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make it."""
    admin = admin_of(session, options.alias)
    wanted = {
        "targetUser": options.user,
        "accessKey": options.access_key,
        "secretKey": options.secret_key,
        "name": options.name,
        "description": options.description,
        "expiration": expiry_of(options),
        "policy": policy_of(options.policy),
    }
    document = {name: value for name, value in wanted.items() if value}
    found = admin.call(
        "PUT", "add-service-account", document=document, sealed=True, doing="make access keys",
        named={"user": options.user},
    )["credentials"]  # fmt: skip
    ends = end_of(found.get("expiration"))
    yield AccessKeyMade(admin.alias, found["accessKey"], found["secretKey"], ends)
