"""Let the server refuse S3 requests until neve admin service unfreeze."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.admin._done import AdminDone
from neve.cli.verbs.admin.service._service import act, add_service

EXAMPLES = """\
examples:
  neve admin service freeze pavics
"""
RESULTS = (AdminDone, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    add_service(parser, False)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Do it."""
    yield act(options, session, "freeze", "frozen")
