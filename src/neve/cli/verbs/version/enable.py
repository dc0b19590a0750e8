"""Keep old versions: what is overwritten or deleted stays readable under an id of its own.

Versions take space until they are removed: neve rm --versions, or a rule of neve ilm.
"""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.version._versioning import Versioning, add_bucket, write

EXAMPLES = """\
examples:
  neve version enable pavics/archive
  neve version enable pavics/archive --excluded-prefixes 'scratch/,tmp/' --exclude-folders
"""
RESULTS = (Versioning, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket and the exceptions."""
    add_bucket(parser)
    parser.add_argument(
        "--excluded-prefixes", metavar="PREFIX,…", default="", help="keep no versions under these"
    )
    parser.add_argument(
        "--exclude-folders", action="store_true", help="nor of keys that end in a slash"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Enable it."""
    target = session.remote(options.target, "bucket")
    prefixes = [each for each in options.excluded_prefixes.split(",") if each]
    server = session.server(target.alias)
    yield write(server, target, "Enabled", prefixes, options.exclude_folders)
