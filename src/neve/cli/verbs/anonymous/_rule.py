"""What everybody may do at a place: the result of the verbs, and which prefix a name means."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Result, Style
from neve.cli.target import Remote
from neve.client.anonymous import Grants, permission_of

_SENTENCES = {
    "none": "nobody without keys may do anything at {place}.",
    "download": "everybody may {listing}read {place}.",
    "upload": "everybody may write and delete {place}.",
    "public": "everybody may {listing}read, write and delete {place}.",
    "custom": "what everybody may do at {place} is told in statements of its own: "
    "neve anonymous get-json",
}


@dataclass(frozen=True)
class Rule(Result):
    """What everybody may do without keys at a bucket or prefix."""

    kind: ClassVar[str] = "anonymous"

    target: Annotated[str, "alias/bucket/prefix"]
    permission: Annotated[str, "`none`, `download`, `upload`, `public` or `custom`"]
    listing: Annotated[bool, "whether keys may be listed"]
    custom: Annotated[bool, "whether other statements, too, allow everybody something"]

    def text(self, style: Style) -> str:
        """The sentence."""
        listing = "list and " if self.listing and self.permission == "download" else ""
        listing = "list, " if self.listing and self.permission == "public" else listing
        place = style.folder(self.target)
        sentence = _SENTENCES[self.permission].format(place=place, listing=listing)
        if self.custom and self.permission != "custom":
            sentence += " Other statements of the policy allow more: neve anonymous get-json"
        return sentence[0].upper() + sentence[1:]


def prefix_of(target: Remote) -> str:
    """Return the prefix that a name means: a folder, unless it ends in a star."""
    key = target.key
    if not key or key.endswith("/"):
        return key
    return key[:-1] if key.endswith("*") else f"{key}/"


def rule_of(target: Remote, grants: Grants, prefix: str) -> Rule:
    """Return what holds at the prefix: the rules of all that it lies under."""
    actions: set[str] = set()
    for each, allowed in grants.rules.items():
        if prefix.startswith(each):
            actions |= allowed
    permission, listing = permission_of(actions)
    if permission == "none" and grants.custom:
        permission = "custom"
    star = "" if not prefix or prefix.endswith("/") else "*"
    place = f"{target.alias}/{target.bucket}" + (f"/{prefix}{star}" if prefix else "")
    return Rule(place, permission, listing, grants.custom)
