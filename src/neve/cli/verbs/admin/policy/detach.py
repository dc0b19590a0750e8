"""Take policies away from a user or a group."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session, admin_of
from neve.cli.verbs.admin._done import AdminDone
from neve.cli.verbs.admin.policy._policy import add_holder, associate

EXAMPLES = """\
examples:
  neve admin policy detach pavics readwrite --user alice
  neve admin policy detach pavics reader:climate contributor:home/lab/ --group lab
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add server, policies and who is to have them."""
    add_holder(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Detach them."""
    yield from associate(admin_of(session, options.alias), options, "detach")
