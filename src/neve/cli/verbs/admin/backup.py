"""Say how to back up the store of a server, and how to restore it: that is done on its machine.

A backup is of the store as of one moment, with users, policies and settings; the server goes on.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve admin backup pavics
"""


@dataclass(frozen=True)
class BackupAdvice(Result):
    """How to back up a store."""

    kind: ClassVar[str] = "backupAdvice"

    alias: Annotated[str, "the server"]
    folder: Annotated[str, "the folder of the store, on the server's machine"]
    backup: Annotated[str, "the command that makes a backup, or renews one"]
    restore: Annotated[str, "the command that makes a store out of it"]

    def text(self, style: Style) -> str:
        """What to type, and where."""
        return (
            f"On the machine of {style.folder(self.alias)}, as the user that serves:\n"
            f"  {style.bold(self.backup)}\n"
            "The server may run meanwhile; a second run copies only what is new. To restore:\n"
            f"  {style.bold(self.restore)}"
        )


RESULTS = (BackupAdvice, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and where to."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("--to", metavar="DIR", default="/backup/neve", help="a folder over there")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask where the store lies."""
    admin = admin_of(session, options.alias)
    found = admin.call("GET", "info", doing="read where the store is")
    (node, *_) = found.get("servers") or [{}]
    if not str(node.get("version", "")).startswith("neve"):
        raise ClientError(
            f"{admin.alias} is no Neve server; copy its buckets with neve mirror {admin.alias}/ …",
            "NotImplemented",
            admin.alias,
        )
    folder = str(node["drives"][0]["path"])
    restored = f"neve restore {options.to} {folder}-restored"
    yield BackupAdvice(admin.alias, folder, f"neve backup {folder} {options.to}", restored)
