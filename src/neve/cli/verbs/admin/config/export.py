"""Print all settings as the server writes them, for neve admin config import."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of

EXAMPLES = """\
examples:
  neve admin config export pavics > settings.txt
"""


@dataclass(frozen=True)
class SettingsText(Result):
    """All settings of a server."""

    kind: ClassVar[str] = "settingsText"
    verbatim: ClassVar[bool] = True

    alias: Annotated[str, "the server"]
    settings: Annotated[str, "as the server writes them"]

    def text(self, style: Style) -> str:
        """The text alone."""
        return self.settings.rstrip("\n")


RESULTS = (SettingsText, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Print them."""
    admin = admin_of(session, options.alias)
    text = admin.opened(admin.answer("GET", "config", doing="read settings")).decode()
    yield SettingsText(admin.alias, text)
