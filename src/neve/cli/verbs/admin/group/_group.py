"""A group as a result."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Result, Style
from neve.client.admin import Admin


@dataclass(frozen=True)
class Group(Result):
    """A group of users."""

    kind: ClassVar[str] = "group"

    alias: Annotated[str, "the server"]
    group: Annotated[str, "its name"]
    enabled: Annotated[bool, "whether its policies hold"]
    members: Annotated[list[str], "the users in it"]
    policies: Annotated[list[str], "policies attached to it"]

    def text(self, style: Style) -> str:
        """A line."""
        state = style.good("enabled ") if self.enabled else style.bad("disabled")
        policies = ", ".join(self.policies) or "no policy"
        members = ", ".join(self.members) or "nobody"
        return f"{state}  {style.bold(f'{self.group:<20}')}  {policies}  (members: {members})"


def read(admin: Admin, name: str) -> Group:
    """Ask for a group."""
    found = admin.call(
        "GET", "group", {"group": name}, doing="read about groups", named={"group": name}
    )
    policies = [each for each in str(found.get("policy") or "").split(",") if each]
    enabled = found.get("status") == "enabled"
    return Group(admin.alias, name, enabled, list(found.get("members") or ()), policies)
