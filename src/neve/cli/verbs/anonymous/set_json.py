"""Replace the whole policy of a bucket by a JSON document."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.files import read_document
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session

EXAMPLES = """\
examples:
  neve anonymous set-json policy.json pavics/portail-ing
  neve anonymous get-json pavics/portail-ing | neve anonymous set-json - pavics/portail-ing
"""


@dataclass(frozen=True)
class PolicySet(Result):
    """The policy of a bucket was replaced."""

    kind: ClassVar[str] = "policySet"
    quiet: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    statements: Annotated[int, "how many statements it has"]

    def text(self, style: Style) -> str:
        """The sentence."""
        name = style.folder(self.bucket)
        return f"The policy of {name} was replaced; it has {self.statements} statements."


RESULTS = (PolicySet, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add file and bucket."""
    parser.add_argument("file", metavar="FILE", help="the document, - for the standard input")
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Replace it."""
    target = session.remote(options.target, "bucket")
    body = read_document(options.file)
    try:
        statements = json.loads(body)["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{options.file} holds no policy: it wants JSON with a Statement."
        ) from error
    server = session.server(target.alias)
    server.put_setting(target.bucket, "policy", body, "change the bucket's policy")
    count = len(statements) if isinstance(statements, list) else 1
    yield PolicySet(f"{target.alias}/{target.bucket}", count)
