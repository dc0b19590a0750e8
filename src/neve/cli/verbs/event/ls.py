"""Show which notifications a bucket sends."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.event import _events
from neve.cli.verbs.event._events import EventRule, NoEvents

EXAMPLES = """\
examples:
  neve event ls pavics/results
"""
RESULTS = (EventRule, NoEvents, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("arn", metavar="ARN", nargs="?", help="only to this target")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show them."""
    target = session.remote(options.target, "bucket")
    rules = _events.read(session.server(target.alias), target)
    found = [rule for rule in rules if options.arn in (None, rule.arn)]
    if not found:
        yield NoEvents(f"{target.alias}/{target.bucket}")
    yield from found
