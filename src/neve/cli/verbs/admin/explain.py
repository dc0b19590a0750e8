"""Say why somebody may do something, or may not: the decision, and each statement that mattered.

Without --user it is about yourself; about others only who may administer is told. It is decided as
a request would be, from this machine's address unless --source-ip says another. A Neve server has
this; MinIO has not.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of

EXAMPLES = """\
examples:
  neve admin explain pavics --user alice --action s3:PutObject --resource results/tas.nc
  neve admin explain pavics --action s3:ListBucket --resource results
  neve admin explain pavics --anonymous --action s3:GetObject --resource results/tas.nc
  neve admin explain pavics --user alice --action admin:ServerInfo
"""


@dataclass(frozen=True)
class Considered(Result):
    """A statement that names the action."""

    kind: ClassVar[str] = "considered"

    policy: Annotated[str, "which policy it stands in"]
    statement: Annotated[str, "its Sid, or its place"]
    effect: Annotated[str, "`Allow` or `Deny`"]
    applies: Annotated[bool, "whether it is about this request"]
    why: Annotated[str, "why it is not, '' when it is"]

    def text(self, style: Style) -> str:
        """A line."""
        verb = "allows" if self.effect == "Allow" else "denies"
        where = f"{self.policy}, statement {self.statement}"
        if not self.applies:
            return style.dim(f"  does not matter: {where} ({verb}): {self.why}")
        mark = style.good(verb) if self.effect == "Allow" else style.bad(verb)
        return f"  {mark}: {where}"


@dataclass(frozen=True)
class Explanation(Result):
    """Whether somebody may do something, and why."""

    kind: ClassVar[str] = "explanation"

    alias: Annotated[str, "the server"]
    principal: Annotated[str, "who, as an ARN; `anonymous` for everybody"]
    action: Annotated[str, "what"]
    resource: Annotated[str, "on what, as an ARN"]
    allowed: Annotated[bool, "the decision"]
    reason: Annotated[str, "the reason in words"]
    policy: Annotated[str, "the policy that decided, '' when none did"]
    statement: Annotated[str, "the statement in it that decided"]
    considered: Annotated[list[Considered], "every statement that names the action"]
    policies: Annotated[list[str], "the policies of the user, its groups and the access key"]

    def text(self, style: Style) -> str:
        """The decision, then the statements."""
        may = style.good("may") if self.allowed else style.bad("may not")
        on = f" on {self.resource}" if self.resource else ""
        lines = [f"{style.bold(self.principal)} {may} do {self.action}{on}: {self.reason}."]
        if self.policies and not (self.allowed or self.policy):
            lines.append(f"  its policies: {', '.join(self.policies)}")
        mattered = sorted(self.considered, key=lambda each: not each.applies)
        return "\n".join(lines + [each.text(style) for each in mattered])


RESULTS = (Explanation, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add who, what, and on what."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")
    parser.add_argument("--user", default="", help="a user or an access key (default: yourself)")
    parser.add_argument("--anonymous", action="store_true", help="everybody without keys")
    parser.add_argument("--action", required=True, help="such as s3:GetObject")
    parser.add_argument("--resource", metavar="BUCKET[/KEY]", default="", help="on what")
    parser.add_argument("--source-ip", metavar="IP", default="", help="as if from this address")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    if options.user and options.anonymous:
        raise UsageError("give one of --user and --anonymous.")
    admin = admin_of(session, options.alias)
    resource = options.resource.removeprefix("arn:aws:s3:::")
    bucket, _, key = resource.removeprefix(f"{admin.alias}/").partition("/")
    action = options.action if ":" in options.action else f"s3:{options.action}"
    query = {
        "user": options.user,
        "anonymous": "true" if options.anonymous else "",
        "action": action,
        "bucket": bucket,
        "object": key,
        "sourceIp": options.source_ip,
    }
    found = admin.call(
        "GET", "neve/explain", {name: value for name, value in query.items() if value},
        doing="explain what others may do", named={"user": options.user, "bucket": bucket},
    )  # fmt: skip
    considered = [Considered(**row) for row in found.pop("considered")]
    yield Explanation(admin.alias, considered=considered, **found)
