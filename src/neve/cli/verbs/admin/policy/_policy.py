"""Policies and who has them: results, and the one call that attaches and detaches."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Result, Style
from neve.cli.verbs.admin._done import AdminDone
from neve.client.admin import Admin


@dataclass(frozen=True)
class NamedPolicy(Result):
    """A policy of a server."""

    kind: ClassVar[str] = "namedPolicy"
    verbatim: ClassVar[bool] = True

    alias: Annotated[str, "the server"]
    name: Annotated[str, "its name"]
    policy: Annotated[dict[str, Any], "its document"]

    def text(self, style: Style) -> str:
        """The document alone."""
        return json.dumps(self.policy, indent=2, ensure_ascii=False)


def add_holder(parser: argparse.ArgumentParser) -> None:
    """Add server, policies and who is to have them."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("names", metavar="POLICY", nargs="+", help="the policies")
    parser.add_argument("-u", "--user", default="", help="the user")
    parser.add_argument("-g", "--group", default="", help="the group")


def associate(admin: Admin, options: argparse.Namespace, verb: str) -> Iterator[AdminDone]:
    """Attach or detach. Raises: UsageError, ClientError."""
    if bool(options.user) == bool(options.group):
        raise UsageError("give one of --user and --group.")
    holder = options.user or options.group
    kind = "user" if options.user else "group"
    document = {"policies": options.names, kind: holder}
    admin.call(
        "POST", f"idp/builtin/policy/{verb}", document=document, sealed=True,
        doing=f"{verb} policies", named={kind: holder, "policy": ", ".join(options.names)},
    )  # fmt: skip
    whom = f"{'to' if verb == 'attach' else 'from'} {kind} {holder}"
    for name in options.names:
        yield AdminDone(admin.alias, f"{verb}ed", "policy", name, whom)
