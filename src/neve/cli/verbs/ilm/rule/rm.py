"""Remove a rule by its id, or (--all --force) all rules of a bucket."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.client import lifecycle
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve ilm rule rm --id uploads pavics/results
  neve ilm rule rm --all --force pavics/results
"""


@dataclass(frozen=True)
class RulesRemoved(Result):
    """Rules were removed."""

    kind: ClassVar[str] = "lifecycleRulesRemoved"
    quiet: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    ids: Annotated[list[str], "which"]

    def text(self, style: Style) -> str:
        """The sentence."""
        what = f"the rule {self.ids[0]}" if len(self.ids) == 1 else f"{len(self.ids)} rules"
        return f"{style.folder(self.bucket)} lost {what}."


RESULTS = (RulesRemoved, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket and which rules."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("--id", help="the rule")
    parser.add_argument("--all", action="store_true", help="all rules")
    parser.add_argument("--force", action="store_true", help="with --all: yes, all")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove them."""
    if bool(options.id) == options.all or options.all != options.force:
        raise UsageError("give --id, or --all --force for every rule.")
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    name = f"{target.alias}/{target.bucket}"
    rules = lifecycle.read(server, target.bucket)
    left = [rule for rule in rules if options.id and rule.findtext("ID") != options.id]
    if len(left) == len(rules):
        what = f"no rule {options.id!r}" if options.id else "no rules"
        raise ClientError(f"{name} has {what}.", "NoSuchRule", name)
    lifecycle.write(server, target.bucket, left)
    yield RulesRemoved(name, [rule.findtext("ID", "") for rule in rules if rule not in left])
