"""What one run of a client's verb shares: its flags, the aliases, connections, the output."""

import argparse
import os
import threading
from collections.abc import Generator, Iterable
from typing import Any, Self

from neve.cli.aliases import Aliases, config_folder, mc_file
from neve.cli.errors import UsageError
from neve.cli.output import Output, Result, failure_of
from neve.cli.target import Remote, Target, parse, parse_remote
from neve.client.admin import Admin
from neve.client.alias import Alias
from neve.client.s3 import S3
from neve.client.transport import ATTEMPTS, TIMEOUT_S, Transport
from neve.errors import NeveError


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every client's verb has."""
    group = parser.add_argument_group("flags of every verb")
    group.add_argument("--json", action="store_true", help="one JSON object per line")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, no confirmations")
    group.add_argument(
        "--debug", action="store_true", help="requests and answers on stderr, without secrets"
    )
    group.add_argument("--no-color", action="store_true", help="no colours on a terminal")
    group.add_argument("--insecure", action="store_true", help="do not check certificates")
    group.add_argument("--config-dir", metavar="DIR", help="the folder of aliases and settings")


class Session:
    """One run of a verb. Use it as a context manager."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.aliases = Aliases(config_folder(options.config_dir))
        self.output = Output(options.json, options.quiet, False if options.no_color else None)
        self._servers: dict[str, S3] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.output.screen:
            self.output.screen.clear()
        for server in self._servers.values():
            server.close()

    def target(self, text: str) -> Target:
        """Return what an argument names."""
        return parse(text, self.aliases)

    def remote(self, text: str, needs: str = "") -> Remote:
        """Return what an argument names, which must be remote; `needs`: '', 'bucket' or 'key'."""
        return parse_remote(text, self.aliases, needs)

    def server(self, alias: str) -> S3:
        """Return the server of an alias; the same one each time, with its connections."""
        with self._lock:
            if alias not in self._servers:
                self._servers[alias] = self.connect(self.aliases.get(alias))
            return self._servers[alias]

    def connect(self, alias: Alias, attempts: int = ATTEMPTS, timeout_s: float = TIMEOUT_S) -> S3:
        """Return a server that is not, or not yet, among the aliases. The caller closes it."""
        transport = Transport(
            alias,
            self.options.insecure,
            self.options.debug,
            self._authorities(),
            attempts,
            timeout_s,
        )
        return S3(transport)

    def _authorities(self) -> tuple[str, ...]:
        """Files of certificates that the user trusts: ours, and mc's."""
        found: list[str] = []
        for folder in (self.aliases.folder, os.path.dirname(mc_file())):
            place = os.path.join(folder, "certs", "CAs")
            if os.path.isdir(place):
                found += [os.path.join(place, name) for name in sorted(os.listdir(place))]
        return tuple(found)


def admin_of(session: Session, alias: str) -> Admin:
    """Return the admin API of an alias. Raises: ClientError, UsageError when more is named."""
    name = alias.rstrip("/")
    if "/" in name:
        raise UsageError(f"name the server alone: {name.partition('/')[0]}.")
    return Admin(session.server(name))


def run_verb(module: Any, options: argparse.Namespace) -> int:
    """Run a client's verb, show what it yields, and return the exit status."""
    with Session(options) as session:
        try:
            _show(session, module.run(options, session))
        except NeveError as error:
            session.output.show(failure_of(error))
            return 2 if isinstance(error, UsageError) else 1
        return session.output.status


def _show(session: Session, results: Iterable[Result]) -> None:
    rows = iter(results)
    try:
        for row in rows:
            session.output.show(row)
    except KeyboardInterrupt as stop:
        if not isinstance(rows, Generator):
            raise
        # It may have come while a row was shown: who makes them has to hear of it, and may tell
        # what else there is. Once it has ended by itself, this raises at once.
        session.output.show(rows.throw(stop))
        for row in rows:
            session.output.show(row)
        raise
