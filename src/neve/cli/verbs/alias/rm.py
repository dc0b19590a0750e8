"""Forget aliases. Only those of our own file; keys stay valid on the server."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session

EXAMPLES = """\
examples:
  neve alias rm pavics
"""


@dataclass(frozen=True)
class AliasRemoved(Result):
    """An alias is gone."""

    kind: ClassVar[str] = "aliasRemoved"
    quiet: ClassVar[bool] = True

    alias: Annotated[str, "its name"]

    def text(self, style: Style) -> str:
        """The sentence."""
        return f"The alias {style.folder(self.alias)} was removed."


RESULTS = (AliasRemoved, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="the aliases to forget")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Forget each."""
    for name in (name.rstrip("/") for name in options.names):
        session.aliases.remove(name)
        yield AliasRemoved(name)
