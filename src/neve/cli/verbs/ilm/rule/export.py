"""Print all rules of a bucket as JSON, in the form of the AWS CLI and of mc."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.client import lifecycle

EXAMPLES = """\
examples:
  neve ilm rule export pavics/results > rules.json
"""


@dataclass(frozen=True)
class RuleDocument(Result):
    """All rules of a bucket."""

    kind: ClassVar[str] = "lifecycle"
    verbatim: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    config: Annotated[dict[str, Any], "the rules, as the AWS CLI has them"]

    def text(self, style: Style) -> str:
        """The document alone."""
        return json.dumps(self.config, indent=2, ensure_ascii=False)


RESULTS = (RuleDocument, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Print them."""
    target = session.remote(options.target, "bucket")
    rules = lifecycle.read(session.server(target.alias), target.bucket)
    yield RuleDocument(f"{target.alias}/{target.bucket}", lifecycle.to_plain(rules))
