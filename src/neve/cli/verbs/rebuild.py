"""Make a lost or damaged catalog anew from the stored bytes.

The store must not be served meanwhile. Every stored object describes itself; what the catalog alone
knew (uploads in progress) is gone. The old catalog, if there is one, is kept beside the new. The
exit status is 1 when the bytes of an object were not whole; each such object is named.
"""

import argparse
import os
import sys

EXAMPLES = """\
examples:
  neve rebuild /srv/neve
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder."""
    parser.add_argument("folder", metavar="DATA", type=os.path.abspath, help="the store's folder")


def run(options: argparse.Namespace) -> int:
    """Rebuild the catalog."""
    from neve.cli.progress import Progress
    from neve.engine.rebuild import rebuild
    from neve.folder import open_folder

    folder = open_folder(options.folder, create=False)
    try:
        with Progress("rebuilt") as progress:
            done = rebuild(options.folder, progress)
    finally:
        folder.close()
    print(
        f"The catalog of {options.folder} was rebuilt from {done.segments:,} segments:"
        f" {done.buckets:,} buckets, {done.objects:,} objects of {done.bytes:,} bytes."
    )
    for damage in done.damaged:
        print(f"neve: not recovered: {damage}", file=sys.stderr)
    return 1 if done.damaged else 0
