"""Stop the server: requests in flight end. It is started again on its machine."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.admin._done import AdminDone
from neve.cli.verbs.admin.service._service import act, add_service

EXAMPLES = """\
examples:
  neve admin service stop pavics --yes
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    add_service(parser, True)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Do it."""
    yield act(options, session, "stop", "told to stop")
