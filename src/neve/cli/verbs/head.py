"""Write the first lines, or the first bytes, of objects and files. Only these are fetched."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.rewind import add_rewind, wanted_version
from neve.cli.session import Session
from neve.cli.target import Local
from neve.cli.verbs.cat import pieces
from neve.client.units import parse_size

EXAMPLES = """\
examples:
  neve head pavics/portail-ing/log.txt
  neve head -n 3 pavics/portail-ing/log.txt
  neve head --bytes 1KiB pavics/portail-ing/results/tas.nc | wc -c
"""
RESULTS = (Failure,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what and how much of it."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="objects, files, or -")
    parser.add_argument("-n", "--lines", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("-c", "--bytes", metavar="SIZE", help="so many bytes, not lines")
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version of the object"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterable[Result]:
    """Write the beginning of each."""
    if options.lines < 0:
        raise UsageError("a number of lines is 0 or more.")
    size = parse_size(options.bytes) if options.bytes else None
    sys.stdout.flush()
    for text in options.targets:
        target = session.target(text)
        if isinstance(target, Local) and not os.path.exists(target.path):
            target = session.remote(text, "key")
        whole = pieces(target, session, 0, wanted_version(options, session, target))
        cut = first_lines(whole, options.lines) if size is None else first_bytes(whole, size)
        for piece in cut:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return ()


def first_lines(whole: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The pieces up to the end of line number `count`."""
    while count > 0 and (piece := next(whole, b"")):
        end = 0
        while count > 0 and (found := piece.find(b"\n", end)) >= 0:
            end, count = found + 1, count - 1
        yield piece if count > 0 else piece[:end]


def first_bytes(whole: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The pieces up to byte number `size`."""
    while size > 0 and (piece := next(whole, b"")):
        yield piece[:size]
        size -= len(piece)
