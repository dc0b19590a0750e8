"""Show the lifecycle rules of a bucket."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.verbs.ilm.rule import _rules
from neve.cli.verbs.ilm.rule._rules import LifecycleRule
from neve.client import lifecycle

EXAMPLES = """\
examples:
  neve ilm rule ls pavics/portail-ing
  neve ilm rule ls --json pavics/portail-ing | jq -r .id
"""


@dataclass(frozen=True)
class NoRules(Result):
    """A bucket has no rules."""

    kind: ClassVar[str] = "noLifecycleRules"

    bucket: Annotated[str, "alias/bucket"]

    def text(self, style: Style) -> str:
        """The sentence."""
        return f"{style.folder(self.bucket)} has no lifecycle rules: nothing ends by itself."


RESULTS = (LifecycleRule, NoRules, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them."""
    target = session.remote(options.target, "bucket")
    name = f"{target.alias}/{target.bucket}"
    rules = lifecycle.read(session.server(target.alias), target.bucket)
    if not rules:
        yield NoRules(name)
    for rule in rules:
        yield _rules.shown(name, rule)
