"""Print the URLs of objects that everybody may read; with -r also those in folders below."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.client import anonymous, s3

EXAMPLES = """\
examples:
  neve anonymous links -r pavics/portail-ing/public/
  neve anonymous links -r pavics/portail-ing | xargs -n 1 curl -fsSO
"""


@dataclass(frozen=True)
class Link(Result):
    """An object that everybody may read."""

    kind: ClassVar[str] = "link"

    url: Annotated[str, "where"]
    key: Annotated[str, "its key"]

    def text(self, style: Style) -> str:
        """The URL alone."""
        return self.url


RESULTS = (Link, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target."""
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="where to look")
    parser.add_argument("-r", "--recursive", action="store_true", help="also in folders below")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List what a rule lets everybody read."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    rules = anonymous.read(server, target.bucket).rules
    readable = tuple(prefix for prefix, actions in rules.items() if actions >= anonymous.READ)
    if not readable:
        return
    for row in server.objects(target.bucket, target.key, "" if options.recursive else "/"):
        if isinstance(row, s3.Object) and row.key.startswith(readable):
            yield Link(server.transport.url(target.bucket, row.key), row.key)
