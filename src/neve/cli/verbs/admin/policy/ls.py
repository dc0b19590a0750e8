"""List the policies of a server."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of

EXAMPLES = """\
examples:
  neve admin policy ls pavics
"""


@dataclass(frozen=True)
class PolicyRow(Result):
    """A policy of a server."""

    kind: ClassVar[str] = "policyRow"

    alias: Annotated[str, "the server"]
    name: Annotated[str, "its name"]
    actions: Annotated[list[str], "every action that its statements name"]

    def text(self, style: Style) -> str:
        """Name, and the beginning of the actions."""
        shown = ", ".join(self.actions[:4]) + (", …" if len(self.actions) > 4 else "")
        return f"{style.bold(f'{self.name:<20}')}  {style.dim(shown)}"


RESULTS = (PolicyRow, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """List them."""
    admin = admin_of(session, options.alias)
    found = admin.call("GET", "list-canned-policies", doing="list policies")
    for name, policy in sorted(found.items()):
        actions = {str(each) for row in _rows(policy) for each in _texts(row.get("Action"))}
        yield PolicyRow(admin.alias, name, sorted(actions))


def _rows(policy: dict[str, Any]) -> list[dict[str, Any]]:
    rows = policy.get("Statement") or []
    return [rows] if isinstance(rows, dict) else list(rows)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
