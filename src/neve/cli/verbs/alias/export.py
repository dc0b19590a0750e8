"""Write an alias as JSON, in mc's form: with its secret, so mind where it goes."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session

EXAMPLES = """\
examples:
  neve alias export pavics > credentials.json
  neve alias export pavics | mc alias import pavics -
"""


@dataclass(frozen=True)
class AliasExport(Result):
    """An alias with its secret."""

    kind: ClassVar[str] = "aliasExport"

    alias: Annotated[str, "its name"]
    entry: Annotated[dict[str, str], "as it stands in the file of aliases"]

    def text(self, style: Style) -> str:
        """The entry alone, as JSON."""
        return json.dumps(self.entry, indent=2)


RESULTS = (AliasExport, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which."""
    parser.add_argument("name", metavar="NAME", help="the alias to write")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Write it."""
    alias = session.aliases.get(options.name.rstrip("/"))
    yield AliasExport(alias.name, alias.entry())
