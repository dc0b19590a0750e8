"""Take over aliases: all that mc has, or those of a JSON file.

Without arguments mc's config.json is read (MC_CONFIG_DIR, ~/.mc). A FILE, `-` for the standard
input, may be such a file or one of `neve`, or hold a single alias as `export` writes it: then give
its NAME. Aliases that exist already in our own file stay as they are, unless --overwrite is given.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.aliases import check_name, check_url, mc_file, parse_entries, parse_entry
from neve.cli.aliases import read_file as read_aliases
from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session
from neve.client.alias import Alias
from neve.client.errors import ClientError
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve alias import                             # all aliases of mc
  neve alias import pavics credentials.json
  neve alias export pavics | ssh host neve alias import pavics -
"""


@dataclass(frozen=True)
class AliasImported(Result):
    """An alias was taken over, or left as it was."""

    kind: ClassVar[str] = "aliasImported"

    alias: Annotated[str, "its name"]
    url: Annotated[str, "the server's URL"]
    imported: Annotated[bool, "false when there was one of that name already"]

    def text(self, style: Style) -> str:
        """The sentence."""
        what = "was taken over" if self.imported else "exists already (--overwrite to replace it)"
        return f"{style.folder(self.alias)} ({self.url}) {what}."


RESULTS = (AliasImported, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to read."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="the name of the alias in FILE")
    parser.add_argument("file", metavar="FILE", nargs="?", help="JSON file, - for standard input")
    parser.add_argument("--overwrite", action="store_true", help="replace what exists already")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Take them over."""
    name, file = options.name, options.file
    if file is None and name is not None and ("/" in name or name == "-" or "." in name):
        name, file = None, name
    if file is None and name is not None:
        raise UsageError(f"say which file has the alias {name!r}: neve alias import {name} FILE")
    file = file or mc_file()
    own = read_aliases(session.aliases.file)
    for alias in _found(file, name and name.rstrip("/")):
        try:
            check_name(alias.name)
            check_url(alias.url)
            taken = options.overwrite or alias.name not in own
            if taken:
                session.aliases.save(alias)
            yield AliasImported(alias.name, alias.url, taken)
        except NeveError as error:
            yield failure_of(error, alias.name)


def _found(file: str, name: str | None) -> list[Alias]:
    shown = "the standard input" if file == "-" else file
    try:
        if file == "-":
            document = json.load(sys.stdin)
        else:
            with open(file) as stream:
                document = json.load(stream)
        if isinstance(document, dict) and "aliases" in document:
            found = parse_entries(document, shown)
            if name is None:
                return list(found.values())
            if name not in found:
                raise ValueError(f"it has no alias {name!r}")
            return [found[name]]
        if name is None:
            raise UsageError(f"{shown} holds one alias: give its name as well.")
        return [parse_entry(name, document, shown)]
    except OSError as error:
        raise ClientError(f"cannot read {shown}: {error.strerror}.", "LocalFile") from error
    except ValueError as error:
        raise ClientError(f"{shown} is no file of aliases: {error}.", "BadAliases") from error
