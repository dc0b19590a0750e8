"""Print the whole policy of a bucket as JSON."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve anonymous get-json pavics/portail-ing > policy.json
"""


@dataclass(frozen=True)
class PolicyDocument(Result):
    """The policy of a bucket."""

    kind: ClassVar[str] = "policy"
    verbatim: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    policy: Annotated[dict[str, Any], "the document"]

    def text(self, style: Style) -> str:
        """The document alone."""
        return json.dumps(self.policy, indent=2, ensure_ascii=False)


RESULTS = (PolicyDocument, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    body = server.get_setting(target.bucket, "policy", "read the bucket's policy")
    name = f"{target.alias}/{target.bucket}"
    if body is None:
        raise ClientError(f"{name} has no policy.", "NoSuchBucketPolicy", name)
    yield PolicyDocument(name, dict(json.loads(body)))
