"""Send notifications no more: to one target, or (--force) to any."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.event import _events
from neve.cli.verbs.event._events import EventRule, NoEvents
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve event rm pavics/results arn:minio:sqs::primary:webhook
  neve event rm --force pavics/results
"""
RESULTS = (EventRule, NoEvents, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket and the target."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("arn", metavar="ARN", nargs="?", help="the target of the notifications")
    parser.add_argument("--force", action="store_true", help="all of the bucket's")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove rules; show those that are left."""
    if bool(options.arn) == options.force:
        raise UsageError("give an ARN, or --force for all.")
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    rules = _events.read(server, target)
    left = [rule for rule in rules if options.arn and rule.arn != options.arn]
    name = f"{target.alias}/{target.bucket}"
    if len(left) == len(rules):
        raise ClientError(f"{name} sends no such notifications.", "NoSuchEvent", name)
    _events.write(server, target, left)
    if not left:
        yield NoEvents(name)
    yield from left
