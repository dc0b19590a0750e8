"""Which of the objects are meant: by pattern, by age."""

import argparse
import re
import time
from collections.abc import Callable

from neve.cli.globs import has_glob, translate
from neve.cli.units import parse_duration


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose."""
    group = parser.add_argument_group("which objects")
    group.add_argument(
        "--exclude", metavar="PATTERN", action="append", default=[],
        help="leave out what matches; a pattern without a slash means names at any depth",
    )  # fmt: skip
    group.add_argument(
        "--include", metavar="PATTERN", action="append", default=[], help="only what matches"
    )
    group.add_argument("--older-than", metavar="TIME", help="only what is older, such as 7d or 2h")
    group.add_argument("--newer-than", metavar="TIME", help="only what is newer")


class Filter:
    """Whether an entry is meant; made from the flags."""

    def __init__(self, options: argparse.Namespace) -> None:
        now = time.time()
        self._exclude = [_pattern(text) for text in getattr(options, "exclude", [])]
        self._include = [_pattern(text) for text in getattr(options, "include", [])]
        older, newer = options.older_than, options.newer_than
        self._before = now - parse_duration(older) if older else None
        self._after = now - parse_duration(newer) if newer else None

    def takes(self, name: str, modified: float) -> bool:
        """Whether the entry of that name, below what was named, is meant."""
        return self.takes_name(name) and self.takes_time(modified)

    def takes_name(self, name: str) -> bool:
        """Whether its name is meant."""
        if self._include and not any(fits(name) for fits in self._include):
            return False
        return not any(fits(name) for fits in self._exclude)

    def takes_time(self, modified: float) -> bool:
        """Whether its age is meant."""
        if self._before is not None and modified >= self._before:
            return False
        return self._after is None or modified > self._after


def _pattern(text: str) -> Callable[[str], bool]:
    """A pattern for whole names below the source, or for one component of them."""
    plain = text.strip("/")
    if has_glob(plain):
        body = translate(plain)
    else:
        body = re.escape(plain)
    start = "" if "/" in plain or plain.startswith("**") else "(?:.*/)?"
    # A folder that matches is left out with all that is in it.
    compiled = re.compile(f"{start}(?:{body})(?:/.*)?", re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None
