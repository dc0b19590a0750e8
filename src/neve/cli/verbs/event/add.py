"""Send notifications of what happens in a bucket to a target that the server knows by an ARN."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.event import _events
from neve.cli.verbs.event._events import EventRule
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve event add pavics/results arn:minio:sqs::primary:webhook
  neve event add pavics/results arn:minio:sqs::primary:webhook --event put --suffix .nc
"""
RESULTS = (EventRule, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket, the target and which changes."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("arn", metavar="ARN", help="the target of the notifications")
    parser.add_argument(
        "--event", metavar="put,delete,get", default="put,delete,get", help="which changes"
    )
    parser.add_argument("--prefix", default="", help="only keys that begin so")
    parser.add_argument("--suffix", default="", help="only keys that end so")
    parser.add_argument(
        "-p", "--ignore-existing", action="store_true", help="the rule may exist already"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Add a rule."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    name = f"{target.alias}/{target.bucket}"
    events = _events.event_names(options.event)
    new = EventRule(name, "", options.arn, events, options.prefix, options.suffix)
    rules = _events.read(server, target)
    same = [rule for rule in rules if _key(rule) == _key(new)]
    if same and not options.ignore_existing:
        raise ClientError(f"{name} has this rule already.", "EventExists", name)
    if not same:
        _events.write(server, target, [*rules, new])
    found = [rule for rule in _events.read(server, target) if _key(rule) == _key(new)]
    yield from found[:1]


def _key(rule: EventRule) -> tuple[str, str, str, frozenset[str]]:
    return rule.arn, rule.prefix, rule.suffix, frozenset(rule.events)
