"""Show which users and groups have which policies: all, or those that are asked for."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of

EXAMPLES = """\
examples:
  neve admin policy entities pavics
  neve admin policy entities pavics --user alice
  neve admin policy entities pavics --policy readwrite
"""


@dataclass(frozen=True)
class Holder(Result):
    """Which policies a user or a group has."""

    kind: ClassVar[str] = "policyHolder"

    alias: Annotated[str, "the server"]
    holder: Annotated[str, "`user` or `group`"]
    name: Annotated[str, "its name"]
    policies: Annotated[list[str], "its policies"]

    def text(self, style: Style) -> str:
        """A line."""
        policies = ", ".join(self.policies) or "no policy"
        return f"{self.holder} {style.bold(self.name)}: {policies}"


@dataclass(frozen=True)
class PolicyHolders(Result):
    """Who has a policy."""

    kind: ClassVar[str] = "policyHolders"

    alias: Annotated[str, "the server"]
    policy: Annotated[str, "its name"]
    users: Annotated[list[str], "users that have it"]
    groups: Annotated[list[str], "groups that have it"]

    def text(self, style: Style) -> str:
        """A line."""
        holders = [f"user {name}" for name in self.users]
        holders += [f"group {name}" for name in self.groups]
        return f"{style.bold(self.policy)}: {', '.join(holders)}"


RESULTS = (Holder, PolicyHolders, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server and whom."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    for flag in ("user", "group", "policy"):
        parser.add_argument(f"--{flag}", action="append", default=[], help=f"only of this {flag}")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    query = {"user": options.user, "group": options.group, "policy": options.policy}
    found = admin.call(
        "GET", "idp/builtin/policy-entities", query, doing="read who has which policies"
    )
    for row in found.get("userMappings") or ():
        yield Holder(admin.alias, "user", row["user"], list(row.get("policies") or ()))
    for row in found.get("groupMappings") or ():
        yield Holder(admin.alias, "group", row["group"], list(row.get("policies") or ()))
    for row in found.get("policyMappings") or ():
        users, groups = list(row.get("users") or ()), list(row.get("groups") or ())
        yield PolicyHolders(admin.alias, row["policy"], users, groups)
