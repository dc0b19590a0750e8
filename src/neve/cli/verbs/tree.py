"""Show folders, and with --files what lies in them, as a tree."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

from neve.cli.errors import UsageError
from neve.cli.globs import has_glob
from neve.cli.output import Failure, Result, Style
from neve.cli.rewind import add_rewind, listing_of, moment_of
from neve.cli.session import Session
from neve.cli.target import Local, Remote, Target
from neve.cli.walk import is_folder, resolve
from neve.client import s3
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve tree pavics/portail-ing
  neve tree --files --depth 2 pavics/portail-ing/results/
  neve tree --files --rewind 7d pavics/archive
  neve tree pavics                              # every bucket of the server
"""


@dataclass(frozen=True)
class TreeNode(Result):
    """A folder or, with --files, an object or file."""

    kind: ClassVar[str] = "treeNode"

    key: Annotated[str, "the last component of its name, folders with a slash"]
    url: Annotated[str, "as a verb would take it"]
    depth: Annotated[int, "0 for what was asked for, 1 for what lies in it, and so on"]
    branch: Annotated[str, "the lines of the drawing that stand before it"]

    def text(self, style: Style) -> str:
        """The branch and the name."""
        name = style.folder(self.key) if self.key.endswith("/") or not self.depth else self.key
        return self.branch + name


RESULTS = (TreeNode, Failure)


class Child(NamedTuple):
    """What lies in a folder."""

    name: str
    target: Target
    folder: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to show and how deep."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="server, bucket, folder")
    parser.add_argument("-f", "--files", action="store_true", help="objects and files as well")
    parser.add_argument(
        "-d", "--depth", type=int, default=0, metavar="N", help="no deeper than so many levels"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show each."""
    if options.depth < 0:
        raise UsageError("a depth is 1 or more.")
    for text in options.targets:
        target = resolve(session, text)
        if isinstance(target, Remote) and has_glob(target.key):
            raise UsageError("a tree has one root: give no pattern.")
        if isinstance(target, Remote) and target.key and not target.key.endswith("/"):
            target = target.at(target.key + "/")
        yield TreeNode(text.rstrip("/") or "/", str(target), 0, "")
        found = False
        for node in _below(session, target, options, 1, ""):
            found = True
            yield node
        if not found and isinstance(target, Remote) and target.key:
            _check(session, target, options)


def _check(session: Session, target: Remote, options: argparse.Namespace) -> None:
    """Raise ClientError when there is nothing at all below the target."""
    listing = listing_of(session.server(target.alias), moment_of(options))
    if next(listing(target.bucket, target.key), None) is None:
        raise ClientError(f"there is nothing below {target}.", "NoSuchKey", str(target))


def _below(
    session: Session, target: Target, options: argparse.Namespace, depth: int, stem: str
) -> Iterator[Result]:
    """The drawing below a folder. A line can be drawn when it is known whether another follows."""
    if options.depth and depth > options.depth:
        return
    found = _children(session, target, moment_of(options))
    children = (child for child in found if options.files or child.folder)
    child = next(children, None)
    while child:
        following = next(children, None)
        corner, run_on = ("├─ ", "│  ") if following else ("└─ ", "   ")
        yield TreeNode(child.name, str(child.target), depth, stem + corner)
        if child.folder:
            yield from _below(session, child.target, options, depth + 1, stem + run_on)
        child = following


def _children(session: Session, target: Target, moment: datetime | None) -> Iterator[Child]:
    if isinstance(target, Local):
        yield from _local_children(target.path)
        return
    assert isinstance(target, Remote)
    server = session.server(target.alias)
    if not target.bucket:
        for bucket in server.buckets():
            yield Child(bucket.name + "/", Remote(target.alias, bucket.name), True)
        return
    for row in listing_of(server, moment)(target.bucket, target.key, "/"):
        name = row.key.removeprefix(target.key)
        if name:
            yield Child(name, target.at(row.key), isinstance(row, s3.Prefix))


def _local_children(path: str) -> Iterator[Child]:
    if not os.path.isdir(path):
        return
    try:
        found = sorted(os.scandir(path), key=lambda item: os.fsencode(item.name))
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}.", "LocalFile", path) from error
    for item in found:
        folder = is_folder(item)
        yield Child(item.name + "/" * folder, Local(item.path), folder)
