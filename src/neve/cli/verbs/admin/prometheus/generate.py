"""Print a scrape configuration for Prometheus, with a bearer token: keep it where few can read it.

The token is signed with the keys of the alias and holds as long as they do, or --expire. Whoever
has it reads metrics. A user needs a policy with admin:Prometheus, such as diagnostics.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session
from neve.cli.units import parse_duration
from neve.cli.verbs.admin.prometheus._token import LIFE_S, PATHS, bearer_token

EXAMPLES = """\
examples:
  neve admin prometheus generate pavics > prometheus.yml
  neve admin prometheus generate pavics bucket --expire 365d
  neve admin prometheus generate pavics --public      # for a server whose metrics need no token
"""


@dataclass(frozen=True)
class ScrapeConfig(Result):
    """A scrape configuration."""

    kind: ClassVar[str] = "scrapeConfig"

    alias: Annotated[str, "the server"]
    scheme: Annotated[str, "`http` or `https`"]
    target: Annotated[str, "host and port"]
    path: Annotated[str, "where the metrics are"]
    token: Annotated[str, "the bearer token, '' with --public"]

    def text(self, style: Style) -> str:
        """YAML, as it stands in Prometheus's file."""
        token = f"    bearer_token: {self.token}\n" if self.token else ""
        return (
            "scrape_configs:\n"
            f"  - job_name: {self.alias}\n"
            f"{token}"
            f"    metrics_path: /{self.path}\n"
            f"    scheme: {self.scheme}\n"
            "    static_configs:\n"
            f'      - targets: ["{self.target}"]'
        )


RESULTS = (ScrapeConfig, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server and which metrics."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument(
        "metrics", metavar="METRICS", nargs="?", choices=list(PATHS), default="cluster",
        help=f"{', '.join(PATHS)} (default: cluster)",
    )  # fmt: skip
    parser.add_argument("--public", action="store_true", help="without a token")
    parser.add_argument("--expire", metavar="TIME", default="", help="the token ends after this")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make it."""
    server = session.server(options.alias.rstrip("/"))
    life_s = int(parse_duration(options.expire)) if options.expire else LIFE_S
    token = "" if options.public else bearer_token(server.alias, life_s)
    transport = server.transport
    yield ScrapeConfig(
        server.alias.name, transport.scheme, transport.host, PATHS[options.metrics], token
    )
