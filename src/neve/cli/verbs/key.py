"""Change the key that seals the secrets of users and access keys.

`neve key rotate DATA` makes a new key and seals every secret again. The store must not be served
meanwhile. When it was interrupted, run it again: until then every secret stays readable.
"""

import argparse
import os

EXAMPLES = """\
examples:
  neve key rotate /srv/neve
  neve key rotate /srv/neve --key-file /etc/neve/store-key.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, the folder and where the key is."""
    parser.add_argument("action", choices=["rotate"], help="make a new key and retire the old one")
    parser.add_argument("folder", metavar="DATA", type=os.path.abspath, help="the store's folder")
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=os.path.abspath,
        default=os.environ.get("NEVE_KEY_FILE") or None,
        help="where the key is kept (default: $NEVE_KEY_FILE, else store-key.json in DATA)",
    )


def run(options: argparse.Namespace) -> int:
    """Change the key."""
    from neve.engine.sealing import rotate_key
    from neve.folder import open_folder
    from neve.server.shared import Shared

    folder = open_folder(options.folder, create=False)
    try:
        done = rotate_key(options.folder, Shared(0), options.key_file or "")
    finally:
        folder.close()
    if done.resumed:
        print("An earlier change of the key had been interrupted: it was brought to its end.")
    print(f"{done.secrets:,} secrets were sealed under the new key in {done.file}.")
    return 0
