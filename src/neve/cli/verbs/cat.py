"""Write objects to the standard output, one after the other, byte for byte.

Local files and `-`, the standard input, may stand among them.
"""

import argparse
import os
import sys
from collections.abc import Generator, Iterable

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.rewind import add_rewind, wanted_version
from neve.cli.session import Session
from neve.cli.target import Local, Remote, Target
from neve.client.errors import ClientError
from neve.client.units import parse_size

EXAMPLES = """\
examples:
  neve cat pavics/portail-ing/readme.txt
  neve cat --offset 1KiB pavics/portail-ing/log.txt
  neve cat --tail 200 pavics/portail-ing/log.txt
  neve cat --version-id 7f3c pavics/archive/readme.txt
  neve cat --rewind 2026-11-01T12:30 pavics/archive/readme.txt
  neve cat pavics/parts/1 pavics/parts/2 > whole
"""
RESULTS = (Failure,)
_PIECE = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the objects and what of them."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="objects, files, or -")
    parser.add_argument("--offset", metavar="SIZE", default="0", help="begin behind so many bytes")
    parser.add_argument("--tail", metavar="SIZE", default="0", help="only so many bytes of the end")
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version of the object"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterable[Result]:
    """Write each to the standard output."""
    offset, tail = parse_size(options.offset), parse_size(options.tail)
    if offset and tail:
        raise UsageError("--offset and --tail do not go together.")
    if options.version_id and len(options.targets) > 1:
        raise UsageError("--version-id goes with one object.")
    sys.stdout.flush()
    for text in options.targets:
        target = session.target(text)
        if isinstance(target, Local) and not os.path.exists(target.path):
            target = session.remote(text, "key")
        version = wanted_version(options, session, target)
        for piece in pieces(target, session, -tail or offset, version):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return ()


def pieces(
    target: Target, session: Session, start: int = 0, version: str = ""
) -> Generator[bytes, None, None]:
    """The bytes of a target from `start` on; a negative one counts from the end."""
    if isinstance(target, Remote):
        session.remote(str(target), "key")
        server = session.server(target.alias)
        with server.get(target.bucket, target.key, version, start) as stream:
            yield from stream
    elif isinstance(target, Local):
        try:
            with open(target.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size + start) if start < 0 else start)
                yield from iter(lambda: file.read(_PIECE), b"")
        except OSError as error:
            raise ClientError(f"{target.path}: {error.strerror}.", "LocalFile") from error
    elif start:
        raise UsageError("the standard input is read from its beginning.")
    else:
        yield from iter(lambda: sys.stdin.buffer.read(_PIECE), b"")
