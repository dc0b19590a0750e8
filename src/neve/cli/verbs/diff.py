"""Compare two folders, buckets or servers by name and size; remote or local, in any combination.

`<` is only in the first, `>` only in the second, `!` is in both and differs. --newer also shows
what is newer in the first, which is what a mirror would copy. --checksum compares the bytes as
well: by ETag where that is a digest of them, else by reading both. The exit status is 1 when
anything differs.
"""

import argparse
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session
from neve.cli.target import Local
from neve.cli.transfer.landing import is_temporary
from neve.cli.units import format_size
from neve.cli.verbs.cat import pieces
from neve.cli.walk import Entry, resolve, walk
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve diff ./out pavics/results
  neve diff --checksum pavics/results new/results
  neve diff --newer ./out pavics/results
"""
_MD5 = re.compile(r"[0-9a-f]{32}")
_TOLERANCE = timedelta(seconds=1)
_SIGNS = {"onlyInFirst": "<", "onlyInSecond": ">"}


@dataclass(frozen=True)
class Difference(Result):
    """A name that is not the same on both sides."""

    kind: ClassVar[str] = "difference"

    key: Annotated[str, "the name below both sides"]
    reason: Annotated[str, "onlyInFirst, onlyInSecond, size, time or content"]
    first: Annotated[str | None, "as a verb would take it, null when it is not there"]
    second: Annotated[str | None, "as a verb would take it, null when it is not there"]
    first_size: Annotated[int | None, "bytes"]
    second_size: Annotated[int | None, "bytes"]

    def text(self, style: Style) -> str:
        """Sign, name, and why."""
        sign = _SIGNS.get(self.reason, "!")
        paint = {"<": style.good, ">": style.bad}.get(sign, style.size)
        why = {
            "size": f"  {format_size(self.first_size or 0)}, {format_size(self.second_size or 0)}",
            "time": "  newer in the first",
            "content": "  other bytes",
        }.get(self.reason, "")
        return f"{paint(sign)} {self.key}{style.dim(why)}"


RESULTS = (Difference, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add both sides and what to compare."""
    parser.add_argument("first", metavar="FIRST", help="server, bucket, prefix, folder")
    parser.add_argument("second", metavar="SECOND", help="server, bucket, prefix, folder")
    parser.add_argument("--newer", action="store_true", help="also what is newer in the first")
    parser.add_argument("--checksum", action="store_true", help="also what has other bytes")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Compare."""
    sides = [_side(session, text) for text in (options.first, options.second)]
    for first, second in pairs(*sides):
        try:
            reason = _reason(first, second, options, session)
        except NeveError as error:
            yield failure_of(error)
            continue
        if reason:
            session.output.negative = True
            entry = first or second
            assert entry is not None
            yield Difference(
                entry.name, reason, first and first.url, second and second.url,
                first and first.size, second and second.size,
            )  # fmt: skip


def _side(session: Session, text: str) -> Iterator[Entry]:
    """All of one side but objects that only keep a folder, and files that are not whole yet."""
    target = resolve(session, text)
    rows = walk(session, target)
    if isinstance(target, Local):
        return (row for row in rows if not is_temporary(os.path.basename(row.name)))
    return (row for row in rows if row.size or not (row.name == "" or row.name.endswith("/")))


def pairs(
    first: Iterator[Entry], second: Iterator[Entry]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """The rows of both sides by name; both are in the order of the names' bytes."""
    one, two = next(first, None), next(second, None)
    while one or two:
        if two is None or (one and _order(one) < _order(two)):
            yield one, None
            one = next(first, None)
        elif one is None or _order(two) < _order(one):
            yield None, two
            two = next(second, None)
        else:
            yield one, two
            one, two = next(first, None), next(second, None)


def _order(entry: Entry) -> bytes:
    """Keys stand in the order of their bytes; file names may be no UTF-8."""
    return os.fsencode(entry.name)


def _reason(
    first: Entry | None, second: Entry | None, options: argparse.Namespace, session: Session
) -> str:
    """Why the two are not the same, '' when they are."""
    if second is None:
        return "onlyInFirst"
    if first is None:
        return "onlyInSecond"
    if first.size != second.size:
        return "size"
    if options.newer and first.modified > second.modified + _TOLERANCE:
        return "time"
    if options.checksum and not same_bytes(first, second, session):
        return "content"
    return ""


def same_bytes(first: Entry, second: Entry, session: Session) -> bool:
    """Whether both have the same bytes; they have the same size."""
    if first.etag and first.etag == second.etag:
        return True
    digests = [_md5(entry, session) for entry in (first, second)]
    if all(digests):
        return digests[0] == digests[1]
    return _read_digest(first, session) == _read_digest(second, session)


def _md5(entry: Entry, session: Session) -> str:
    """The MD5 of the bytes if it costs no transfer: the ETag of one part, or of a local file."""
    if entry.etag:
        return entry.etag if _MD5.fullmatch(entry.etag) else ""
    return _read_digest(entry, session)


def _read_digest(entry: Entry, session: Session) -> str:
    """The MD5 of the bytes, read; it serves to find changes, not to withstand forgery."""
    digest = hashlib.md5(usedforsecurity=False)
    # A relative path may begin like an alias; without an ETag the entry is a local file.
    target = session.target(entry.url) if entry.etag else Local(entry.url)
    with closing(pieces(target, session)) as whole:
        for piece in whole:
            digest.update(piece)
    return digest.hexdigest()
