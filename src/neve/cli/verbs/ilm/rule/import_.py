"""Replace all rules of a bucket by those of a file: JSON of the AWS CLI or mc, or S3's XML."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.files import read_document
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.ilm.rule import _rules
from neve.cli.verbs.ilm.rule._rules import LifecycleRule
from neve.client import lifecycle

EXAMPLES = """\
examples:
  neve ilm rule import pavics/results rules.json
  neve ilm rule export pavics/old | neve ilm rule import pavics/results -
"""
RESULTS = (LifecycleRule, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add bucket and file."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="- for stdin")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Replace them."""
    target = session.remote(options.target, "bucket")
    rules = lifecycle.of_plain(read_document(options.file), options.file)
    if not rules:
        raise UsageError(f"{options.file} holds no rules; remove them with neve ilm rule rm --all.")
    lifecycle.write(session.server(target.alias), target.bucket, rules)
    for rule in rules:
        yield _rules.shown(f"{target.alias}/{target.bucket}", rule)
