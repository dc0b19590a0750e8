"""Change an access key: what is not named stays."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.cli.verbs.admin.accesskey._key import add_key_flags, expiry_of, policy_of

EXAMPLES = """\
examples:
  neve admin accesskey edit pavics NIGHTLY --description "nightly upload" --expiry 2030-01-01
  neve admin accesskey edit pavics NIGHTLY --policy upload-only.json
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, key and changes."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("key", metavar="ACCESS_KEY", help="the access key")
    parser.add_argument("--secret-key", metavar="SECRET", help="another secret")
    add_key_flags(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Change it."""
    wanted = {
        "newSecretKey": options.secret_key,
        "newName": options.name,
        "newDescription": options.description,
        "newExpiration": expiry_of(options) or None,
        "newPolicy": policy_of(options.policy),
    }
    document = {name: value for name, value in wanted.items() if value is not None}
    if not document:
        raise UsageError("say what to change: --name, --description, --expiry, --policy, …")
    admin = admin_of(session, options.alias)
    admin.call(
        "POST", "update-service-account", {"accessKey": options.key}, document, sealed=True,
        doing="change access keys", named={"key": options.key},
    )  # fmt: skip
    yield AdminDone(admin.alias, "changed", "access key", options.key)
