"""Remove the CORS rules of a bucket."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.cors._rules import CorsRules

EXAMPLES = """\
examples:
  neve cors rm pavics/climate
"""
RESULTS = (CorsRules, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove them."""
    target = session.remote(options.target, "bucket")
    session.server(target.alias).delete_setting(target.bucket, "cors", "remove CORS rules")
    yield CorsRules(f"{target.alias}/{target.bucket}", [])
