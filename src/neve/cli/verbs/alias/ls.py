"""Show the aliases: name, URL, access key, and where each comes from; never a secret."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.client.alias import Alias

EXAMPLES = """\
examples:
  neve alias ls
  neve alias ls pavics
  neve alias ls --json | jq -r .alias
"""


@dataclass(frozen=True)
class AliasRow(Result):
    """An alias."""

    kind: ClassVar[str] = "alias"

    alias: Annotated[str, "its name"]
    url: Annotated[str, "the server's URL"]
    access_key: Annotated[str, "the access key, '' when it is anonymous"]
    path: Annotated[str, "bucket in the path: on, off, or auto"]
    region: Annotated[str, "region that is signed for, '' for the usual one"]
    source: Annotated[str, "the file or variable it comes from"]

    def text(self, style: Style) -> str:
        """Three lines."""
        who = self.access_key or "anonymous"
        return f"{style.folder(self.alias)}\n  {self.url}  {who}\n  {style.dim(self.source)}"


RESULTS = (AliasRow, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them."""
    if not options.names and not session.aliases.all():
        session.output.note("There are no aliases yet: neve alias set NAME https://…")
    names = [name.rstrip("/") for name in options.names] or list(session.aliases.all())
    for name in names:
        yield _row(session.aliases.get(name))


def _row(alias: Alias) -> AliasRow:
    return AliasRow(alias.name, alias.url, alias.access_key, alias.path, alias.region, alias.source)
