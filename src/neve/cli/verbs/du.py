"""Add up sizes: of servers, buckets, prefixes, local folders.

Without --depth one line for each name; with it, also one for every folder down to that depth, after
what lies in it.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.rewind import add_rewind, moment_of
from neve.cli.session import Session
from neve.cli.units import format_size
from neve.cli.walk import Entry, resolve, walk
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve du pavics/portail-ing
  neve du --depth 1 pavics                      # each bucket
  neve du --versions pavics/archive
  neve du --json pavics/portail-ing | jq .size
"""


@dataclass(frozen=True)
class Usage(Result):
    """What a folder holds, everything below it included."""

    kind: ClassVar[str] = "usage"

    url: Annotated[str, "as a verb would take it"]
    size: Annotated[int, "bytes"]
    objects: Annotated[int, "objects, or versions with --versions"]
    versions: Annotated[bool, "whether all versions count"]

    def text(self, style: Style) -> str:
        """Size, number, name."""
        what = "version" if self.versions else "object"
        count = f"{self.objects:,} {what}{'' if self.objects == 1 else 's'}"
        return f"{style.size(f'{format_size(self.size):>10}')}  {count:>16}  {self.url}"


RESULTS = (Usage, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to add up and how."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="server, bucket, folder")
    parser.add_argument(
        "-d", "--depth", type=int, default=0, metavar="N", help="also folders so many levels down"
    )
    parser.add_argument("--versions", action="store_true", help="all versions, not only current")
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Add up each; go on after a failure."""
    if options.depth < 0:
        raise UsageError("a depth is 0 or more.")
    for text in options.targets:
        try:
            target, moment = resolve(session, text), moment_of(options)
            rows = walk(session, target, options.versions, moment)
            yield from totals(rows, text, options.depth, options.versions)
        except NeveError as error:
            yield failure_of(error, text)


def totals(rows: Iterator[Entry], root: str, depth: int, versions: bool) -> Iterator[Usage]:
    """The totals of folders down to `depth`, each when its last row has passed, then the whole."""
    base = root.rstrip("/")
    # The folders that the present row lies in, outermost first, each with size and number so far.
    open_: list[tuple[str, list[int]]] = [("", [0, 0])]
    for entry in rows:
        folders = entry.name.split("/")[:-1][:depth]
        shared = 0
        for (name, _), folder in zip(open_[1:], folders):
            if name != folder:
                break
            shared += 1
        yield from _close(open_, shared + 1, base, versions)
        open_ += [(folder, [0, 0]) for folder in folders[shared:]]
        open_[-1][1][0] += entry.size
        open_[-1][1][1] += not entry.marker
    yield from _close(open_, 1, base, versions)
    size, count = open_[0][1]
    yield Usage(root, size, count, versions)


def _close(
    open_: list[tuple[str, list[int]]], keep: int, base: str, versions: bool
) -> Iterator[Usage]:
    """End the innermost folders but `keep`; what they hold counts for those around them."""
    while len(open_) > keep:
        path = "/".join(name for name, _ in open_[1:])
        _, (size, count) = open_.pop()
        open_[-1][1][0] += size
        open_[-1][1][1] += count
        yield Usage(f"{base}/{path}/", size, count, versions)
