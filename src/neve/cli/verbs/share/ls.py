"""Show the links and uploads that were shared from here and still hold."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.share import _shares
from neve.cli.verbs.share._shares import Share

EXAMPLES = """\
examples:
  neve share ls
  neve share ls download --json | jq -r .url
"""
RESULTS = (Share, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which."""
    parser.add_argument(
        "direction", metavar="DIRECTION", nargs="?", choices=["download", "upload"],
        help="only `download` or `upload`",
    )  # fmt: skip


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them."""
    for share in _shares.load(session.aliases.folder):
        if options.direction in (None, share.direction):
            yield share
