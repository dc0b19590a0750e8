"""Say whether a server is ready to serve, with exit status 0 if so; or wait until it is."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.units import parse_duration
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve ready pavics
  neve ready pavics --wait 30s && neve ls pavics
"""
_STEP_S = 0.2


@dataclass(frozen=True)
class Ready(Result):
    """The server is ready."""

    kind: ClassVar[str] = "ready"
    quiet: ClassVar[bool] = True

    alias: Annotated[str, "the server"]

    def text(self, style: Style) -> str:
        """The sentence."""
        return f"{style.folder(self.alias)} is {style.good('ready')}."


RESULTS = (Ready, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and how long to wait."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("--wait", metavar="TIME", default="0s", help="wait so long for it")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask until it is ready or the time is over."""
    deadline = time.monotonic() + parse_duration(options.wait)
    alias = session.aliases.get(options.alias.rstrip("/"))
    with session.connect(alias, attempts=1) as server:
        while True:
            try:
                # Servers without this path answer that there is no such bucket: they do answer.
                server.transport.request("HEAD", key="minio/health/ready", accept=range(300, 500))
            except ClientError as error:
                if time.monotonic() < deadline:
                    time.sleep(_STEP_S)
                    continue
                raise ClientError(f"{alias.name} is not ready: {error}", error.code) from error
            yield Ready(alias.name)
            return
