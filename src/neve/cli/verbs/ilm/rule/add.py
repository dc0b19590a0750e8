"""Add a rule: what ends by itself in a bucket or under a prefix, and when.

Days are counted from midnight UTC, as on AWS.
"""

import argparse
import secrets
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.ilm.rule import _flags, _rules
from neve.cli.verbs.ilm.rule._rules import LifecycleRule
from neve.client import lifecycle
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve ilm rule add --expire-days 30 pavics/portail-ing/scratch/
  neve ilm rule add --expire-days 7 --tags state=raw --size-gt 1GiB pavics/results
  neve ilm rule add --noncurrent-expire-days 90 --expire-delete-marker pavics/archive
  neve ilm rule add --abort-upload-days 2 --id uploads pavics/results
"""
RESULTS = (LifecycleRule, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket and the rule."""
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="where it holds")
    parser.add_argument("--id", help="the rule's name (default: one is made)")
    _flags.add_rule_flags(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Add it."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    name = f"{target.alias}/{target.bucket}"
    rules = lifecycle.read(server, target.bucket)
    id = options.id or secrets.token_hex(8)
    if any(rule.findtext("ID") == id for rule in rules):
        raise ClientError(
            f"{name} has a rule {id!r} already: neve ilm rule edit", "RuleExists", name
        )
    rule = Element("Rule")
    SubElement(rule, "ID").text = id
    _flags.set_status(rule, True)
    _flags.apply(options, rule, target.key)
    lifecycle.write(server, target.bucket, [*rules, rule])
    yield _rules.shown(name, rule)
