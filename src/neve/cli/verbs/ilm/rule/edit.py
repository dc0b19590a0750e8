"""Change a rule: what is not named stays, 0 takes an action away."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.ilm.rule import _flags, _rules
from neve.cli.verbs.ilm.rule._rules import LifecycleRule
from neve.client import lifecycle
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve ilm rule edit --id uploads --abort-upload-days 7 pavics/results
  neve ilm rule edit --id uploads --disable pavics/results
"""
RESULTS = (LifecycleRule, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket, the rule and what to change."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("--id", required=True, help="the rule")
    parser.add_argument("--enable", action="store_true", help="the server follows it again")
    parser.add_argument("--disable", action="store_true", help="the server follows it no more")
    _flags.add_rule_flags(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Change it."""
    if options.enable and options.disable:
        raise UsageError("--enable and --disable do not go together.")
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    name = f"{target.alias}/{target.bucket}"
    rules = lifecycle.read(server, target.bucket)
    found = [rule for rule in rules if rule.findtext("ID") == options.id]
    if not found:
        raise ClientError(f"{name} has no rule {options.id!r}.", "NoSuchRule", name)
    _flags.apply(options, found[0], target.key)
    if options.enable or options.disable:
        _flags.set_status(found[0], options.enable)
    lifecycle.write(server, target.bucket, rules)
    yield _rules.shown(name, found[0])
