"""Show the versions of Neve here, of what it stands on, and of servers; or keep those of objects.

With enable, suspend or info it is about a bucket: whether old versions of its objects are kept.
"""

import argparse
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve import __version__
from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session, admin_of
from neve.errors import NeveError

VERBS: dict[str, str] = {
    "enable": "keep what is overwritten or deleted as older versions",
    "suspend": "make no new versions; those that are there stay",
    "info": "say whether a bucket keeps versions",
}
EXAMPLES = """\
examples:
  neve version
  neve --version
  neve version pavics                           # of the server as well
  neve version enable pavics/archive
"""


@dataclass(frozen=True)
class Component(Result):
    """The version of a part."""

    kind: ClassVar[str] = "component"

    component: Annotated[str, "neve, python, sqlite, system, or the alias of a server"]
    version: Annotated[str, "its version"]

    def text(self, style: Style) -> str:
        """Both words."""
        return f"{self.component} {self.version}"


RESULTS = (Component, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the servers."""
    parser.add_argument("aliases", metavar="ALIAS", nargs="*", help="servers to ask as well")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """One line per component."""
    import apsw

    yield Component("neve", __version__)
    yield Component("python", platform.python_version())
    yield Component("sqlite", apsw.sqlite_lib_version())
    yield Component("system", f"{sys.platform} {platform.release()} {platform.machine()}")
    for name in options.aliases:
        alias = name.rstrip("/")
        try:
            yield Component(alias, _server_version(session, alias))
        except NeveError as error:
            yield failure_of(error, alias)


def _server_version(session: Session, alias: str) -> str:
    info = admin_of(session, alias).call("GET", "info", doing="tell about itself")
    versions = sorted({str(server.get("version", "unknown")) for server in info["servers"]})
    return ", ".join(versions) or "unknown"
