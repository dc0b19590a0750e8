"""Make a store out of a backup, in a new or empty folder; serve it afterwards as usual."""

import argparse
import os

EXAMPLES = """\
examples:
  neve restore /backup/neve-2026-11-23 /srv/neve
  neve serve /srv/neve
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source and folder."""
    parser.add_argument(
        "source", metavar="BACKUP", type=os.path.abspath, help="a folder that `neve backup` wrote"
    )
    parser.add_argument(
        "folder", metavar="DATA", type=os.path.abspath, help="the folder of the new store"
    )


def run(options: argparse.Namespace) -> int:
    """Restore the backup."""
    from neve.cli.progress import Progress
    from neve.engine.backup import restore

    with Progress("restored") as progress:
        restore(options.source, options.folder, progress)
    print(f"Restored. Serve it with: neve serve {options.folder}")
    return 0
