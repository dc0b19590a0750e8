"""Print the metrics of a server as they are now, in the form of Prometheus."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.verbs.admin.prometheus._token import PATHS, bearer_token
from neve.client.errors import ServerError

EXAMPLES = """\
examples:
  neve admin prometheus metrics pavics
  neve admin prometheus metrics pavics bucket
"""
_LIFE_S = 300


@dataclass(frozen=True)
class Metrics(Result):
    """The metrics of a server."""

    kind: ClassVar[str] = "metrics"
    verbatim: ClassVar[bool] = True

    alias: Annotated[str, "the server"]
    metrics: Annotated[str, "in the form of Prometheus"]

    def text(self, style: Style) -> str:
        """The text alone."""
        return self.metrics.rstrip("\n")


RESULTS = (Metrics, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and which metrics."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument(
        "metrics", metavar="METRICS", nargs="?", choices=list(PATHS), default="cluster",
        help=f"{', '.join(PATHS)} (default: cluster)",
    )  # fmt: skip


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask, with a token in place of a signature."""
    alias = session.aliases.get(options.alias.rstrip("/"))
    headers = {}
    if not alias.anonymous:
        headers = {"authorization": f"Bearer {bearer_token(alias, _LIFE_S)}"}
    unsigned = replace(alias, access_key="", secret_key="", session_token="")
    with session.connect(unsigned) as server:
        try:
            answer = server.transport.request(
                "GET", key=PATHS[options.metrics], headers=headers, doing="read metrics"
            )
        except ServerError as error:
            if not error.denied or alias.anonymous:
                raise
            raise ServerError(
                f"the key {alias.access_key!r} may not read metrics at {alias.name}: that takes "
                "admin:Prometheus, as in the policy diagnostics.",
                error.code, error.status, error.said, alias.name,
            ) from error  # fmt: skip
    yield Metrics(alias.name, answer.body.decode("utf-8", "replace"))
