"""Copy a store to another folder: consistent as of one moment, while it is served or not.

The target is created, and must be empty or an earlier backup of the same store: then only what is
new is copied. Root keys are copied as well: guard the backup as you guard the store.
"""

import argparse
import os

EXAMPLES = """\
examples:
  neve backup /srv/neve /backup/neve-2026-11-23
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source and target."""
    parser.add_argument("folder", metavar="DATA", type=os.path.abspath, help="the store's folder")
    parser.add_argument(
        "target", metavar="TARGET", type=os.path.abspath, help="the folder to write the backup to"
    )


def run(options: argparse.Namespace) -> int:
    """Back the store up."""
    from neve.cli.progress import Progress
    from neve.engine.backup import backup
    from neve.folder import check_store

    check_store(options.folder)
    with Progress("backed up") as progress:
        done = backup(options.folder, options.target, progress)
    print(
        f"The backup of {options.folder} is in {options.target}:"
        f" {done.files:,} files of {done.bytes:,} bytes, {done.copied_bytes:,} bytes copied now."
    )
    return 0
