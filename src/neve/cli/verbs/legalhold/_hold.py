"""Legal holds on versions: the result and the calls."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.chosen import Chosen, add_choice, choose
from neve.cli.output import Result, Style, failure_of
from neve.cli.session import Session
from neve.cli.verbs.retention._retention import get_lock, put_lock
from neve.client.s3 import S3
from neve.client.xml import document, element, parse
from neve.errors import NeveError


@dataclass(frozen=True)
class LegalHold(Result):
    """Whether a hold is on a version now."""

    kind: ClassVar[str] = "legalHold"

    target: Annotated[str, "alias/bucket/key"]
    version_id: Annotated[str, "the version that was named, '' otherwise"]
    on: Annotated[bool, "whether it is under a hold"]

    def text(self, style: Style) -> str:
        """The sentence."""
        name = style.folder(self.target) + (f" ({self.version_id})" if self.version_id else "")
        return f"{name} is under a legal hold." if self.on else f"{name} is under no legal hold."


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add what it is about."""
    parser.add_argument("target", metavar="TARGET", help="an object; a prefix with -r")
    add_choice(parser)


def write_all(options: argparse.Namespace, session: Session, on: bool) -> Iterator[Result]:
    """Put the hold on all that is named, or take it off; go on after a failure."""
    for found in choose(options, session):
        try:
            yield _write(session.server(found.target.alias), found, on)
        except NeveError as error:
            yield failure_of(error, str(found.target))


def read(server: S3, found: Chosen) -> LegalHold:
    """Ask whether it is on."""
    body = get_lock(server, found, "legal-hold")
    on = body is not None and parse(body).text("Status") == "ON"
    return LegalHold(str(found.target), found.version, on)


def _write(server: S3, found: Chosen, on: bool) -> LegalHold:
    body = document("LegalHold", [element("Status", "ON" if on else "OFF")])
    put_lock(server, found, "legal-hold", body)
    return LegalHold(str(found.target), found.version, on)
