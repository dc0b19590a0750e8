"""Settings as the admin API writes them: lines of `group name=value name="a value"`."""

import shlex
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Result, Style, table


@dataclass(frozen=True)
class Settings(Result):
    """The settings of a group."""

    kind: ClassVar[str] = "settings"

    alias: Annotated[str, "the server"]
    group: Annotated[str, "the group, as the server calls it"]
    values: Annotated[dict[str, str], "value by name"]

    def text(self, style: Style) -> str:
        """The group, and a line for each setting."""
        rows = table((f"  {name}", value) for name, value in self.values.items())
        return f"{style.bold(self.group)}\n{rows}" if rows else style.bold(self.group)


def parse_settings(alias: str, text: str) -> list[Settings]:
    """Return the groups in a text; comments and empty lines are left out."""
    found = []
    for line in text.splitlines():
        words = _words(line)
        if words and not line.lstrip().startswith("#"):
            pairs = (word.partition("=") for word in words[1:])
            found.append(Settings(alias, words[0], {name: value for name, _, value in pairs}))
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
