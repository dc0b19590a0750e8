"""Show the versions of Neve and of what it stands on."""

import argparse
import platform
import sys

from neve import __version__

EXAMPLES = """\
examples:
  neve version
  neve --version
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has no arguments."""


def run(options: argparse.Namespace) -> int:
    """Print one line per component."""
    import apsw

    print(f"neve {__version__}")
    print(f"python {platform.python_version()}")
    print(f"sqlite {apsw.sqlite_lib_version()}")
    print(f"system {sys.platform} {platform.release()} {platform.machine()}")
    return 0
