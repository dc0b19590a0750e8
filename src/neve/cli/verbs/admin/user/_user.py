"""A user as a result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from neve.cli.output import Result, Style
from neve.client.xml import moment


@dataclass(frozen=True)
class User(Result):
    """A user."""

    kind: ClassVar[str] = "user"

    alias: Annotated[str, "the server"]
    user: Annotated[str, "its name, which is its access key"]
    enabled: Annotated[bool, "whether it may sign requests"]
    policies: Annotated[list[str], "policies attached to the user itself"]
    groups: Annotated[list[str], "the groups it is in, whose policies hold for it too"]
    changed: Annotated[datetime | None, "when it was last changed, null when that is not told"]

    def text(self, style: Style) -> str:
        """A line."""
        state = style.good("enabled ") if self.enabled else style.bad("disabled")
        policies = ", ".join(self.policies) or "no policy"
        groups = f"  (in {', '.join(self.groups)})" if self.groups else ""
        return f"{state}  {style.bold(f'{self.user:<20}')}  {policies}{groups}"


def user_of(alias: str, name: str, found: dict[str, Any]) -> User:
    """Return a user as the admin API describes it."""
    policies = [each for each in str(found.get("policyName") or "").split(",") if each]
    changed = found.get("updatedAt")
    return User(
        alias,
        name,
        found.get("status") == "enabled",
        policies,
        list(found.get("memberOf") or ()),
        moment(changed) if changed else None,
    )
