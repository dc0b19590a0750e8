"""Show every rule of a bucket, or those under a prefix, for everybody without keys."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style, table
from neve.cli.session import Session
from neve.client import anonymous

EXAMPLES = """\
examples:
  neve anonymous ls pavics/portail-ing
  neve anonymous ls --json pavics/portail-ing | jq -r '.rules[].prefix'
"""


@dataclass(frozen=True)
class PrefixRule(Result):
    """A rule."""

    kind: ClassVar[str] = "anonymousRule"

    prefix: Annotated[str, "keys that begin so; '' is the whole bucket"]
    permission: Annotated[str, "`download`, `upload`, `public` or `custom`"]
    listing: Annotated[bool, "whether keys may be listed"]

    def text(self, style: Style) -> str:
        """Nothing: the table shows it."""
        return ""


@dataclass(frozen=True)
class Rules(Result):
    """The rules of a bucket."""

    kind: ClassVar[str] = "anonymousRules"

    bucket: Annotated[str, "alias/bucket"]
    rules: Annotated[list[PrefixRule], "what everybody may do, by prefix"]
    custom: Annotated[bool, "whether other statements, too, allow everybody something"]

    def text(self, style: Style) -> str:
        """A table."""
        name = style.folder(self.bucket)
        rows = [
            (f"{self.bucket}/{rule.prefix}*", rule.permission, "" if rule.listing else "no listing")
            for rule in self.rules
        ]
        if self.custom:
            rows.append((f"{self.bucket}/", "custom", "neve anonymous get-json"))
        return table(rows) if rows else f"Nobody without keys may do anything in {name}."


RESULTS = (Rules, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target."""
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="the bucket, or a prefix")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them."""
    target = session.remote(options.target, "bucket")
    grants = anonymous.read(session.server(target.alias), target.bucket)
    rules = []
    for prefix, actions in sorted(grants.rules.items()):
        permission, listing = anonymous.permission_of(actions)
        if permission != "none" and prefix.startswith(target.key):
            # Writing alone knows no listing: nothing is missing there.
            rules.append(PrefixRule(prefix, permission, listing or permission == "upload"))
    yield Rules(f"{target.alias}/{target.bucket}", rules, grants.custom)
