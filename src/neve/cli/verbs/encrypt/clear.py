"""Encrypt new objects of a bucket no more; those that are encrypted stay so."""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.encrypt._encryption import Encryption, told

EXAMPLES = """\
examples:
  neve encrypt clear pavics/private
"""
RESULTS = (Encryption, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Clear it."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    told(server, lambda: server.delete_setting(target.bucket, "encryption", "end the encryption"))
    yield Encryption(f"{target.alias}/{target.bucket}", "", "")
