"""What an admin verb did, in a sentence: the one result of verbs that only change something."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Result, Style


@dataclass(frozen=True)
class AdminDone(Result):
    """Something was changed on a server."""

    kind: ClassVar[str] = "adminDone"
    quiet: ClassVar[bool] = True

    alias: Annotated[str, "the server"]
    action: Annotated[str, "what was done: `added`, `removed`, `enabled`, `disabled`, …"]
    kind_of: Annotated[str, "what it was done to: `user`, `group`, `policy`, `access key`, …"]
    name: Annotated[str, "which"]
    detail: Annotated[str, "what else is to say, '' for nothing"] = ""

    def text(self, style: Style) -> str:
        """The sentence."""
        name = f" {style.bold(self.name)}" if self.name else ""
        detail = f" {self.detail}" if self.detail else ""
        return f"The {self.kind_of}{name} was {self.action}{detail}."
