"""Show the CORS rules of a bucket."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.cors._rules import CorsRules
from neve.client.cors import rules_of
from neve.client.xml import parse

EXAMPLES = """\
examples:
  neve cors get pavics/climate
  neve cors get --json pavics/climate | jq '{CORSRules: .rules}' > rules.json
"""
RESULTS = (CorsRules, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    target = session.remote(options.target, "bucket")
    body = session.server(target.alias).get_setting(target.bucket, "cors", "read CORS rules")
    rules = rules_of(parse(body)) if body else []
    yield CorsRules(f"{target.alias}/{target.bucket}", rules)
