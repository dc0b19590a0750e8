"""Change settings of a group. What the server cannot change while it runs, it says."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone

EXAMPLES = """\
examples:
  neve admin config set pavics quota bytes=500GiB soft=90
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, group and settings."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("group", metavar="GROUP", help="the group, such as `quota`")
    parser.add_argument("pairs", metavar="NAME=VALUE", nargs="+", help="what to set")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set them."""
    admin = admin_of(session, options.alias)
    pairs = []
    for word in options.pairs:
        name, sign, value = word.partition("=")
        if not (name and sign):
            raise UsageError(f"{word!r} is no setting: write name=value.")
        pairs.append(f'{name}="{value}"' if " " in value else word)
    text = " ".join([options.group, *pairs])
    answer = admin.answer(
        "PUT", "set-config-kv", document=text.encode(), sealed=True, doing="change settings"
    )
    later = answer.headers.get("x-minio-config-applied") != "true"
    detail = "changed; it may hold after a restart only" if later else "changed"
    yield AdminDone(admin.alias, detail, "group", options.group)
