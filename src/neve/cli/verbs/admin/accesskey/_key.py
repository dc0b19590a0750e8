"""Access keys as results, and the flags that create and edit share."""

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.files import read_document
from neve.cli.output import Result, Style
from neve.cli.units import format_time, iso_time, parse_duration, parse_time
from neve.client.xml import moment

_NEVER_YEARS = (1, 1970)
"""Servers write these years for a key without an end."""


@dataclass(frozen=True)
class AccessKeyMade(Result):
    """An access key was made. The only time that its secret is shown."""

    kind: ClassVar[str] = "accessKeyMade"

    alias: Annotated[str, "the server"]
    access_key: Annotated[str, "the access key"]
    secret_key: Annotated[str, "its secret key"]
    expires: Annotated[datetime | None, "when it ends, null for never"]

    def text(self, style: Style) -> str:
        """Both, and the end."""
        ends = format_time(self.expires) if self.expires else "never"
        return (
            f"Access key  {style.bold(self.access_key)}\n"
            f"Secret key  {style.bold(self.secret_key)}\n"
            f"Ends        {ends}\n"
            "The secret is not shown again."
        )


@dataclass(frozen=True)
class AccessKey(Result):
    """An access key of a user."""

    kind: ClassVar[str] = "accessKey"

    alias: Annotated[str, "the server"]
    access_key: Annotated[str, "the access key"]
    user: Annotated[str, "whose it is"]
    enabled: Annotated[bool, "whether requests signed with it are accepted"]
    name: Annotated[str, "its name, '' when it has none"]
    description: Annotated[str, "what it is for"]
    expires: Annotated[datetime | None, "when it ends, null for never"]
    policy: Annotated[dict[str, Any] | None, "its own policy, null when it has its user's rights"]

    def text(self, style: Style) -> str:
        """A line."""
        state = style.good("enabled ") if self.enabled else style.bad("disabled")
        ends = f"until {format_time(self.expires)}" if self.expires else "no end"
        parts = [f"of {self.user}", self.name, self.description, ends]
        parts.append("own policy" if self.policy is not None else "")
        shown = "  ".join(part for part in parts if part)
        return f"{state}  {style.bold(f'{self.access_key:<20}')}  {shown}"


def key_of(alias: str, id: str, user: str, found: dict[str, Any]) -> AccessKey:
    """Return a key as the admin API describes it."""
    policy = found.get("policy") if found.get("impliedPolicy") is False else None
    if isinstance(policy, str):
        policy = json.loads(policy or "{}")
    return AccessKey(
        alias,
        id,
        str(found.get("parentUser") or user),
        found.get("accountStatus") not in ("off", "disabled"),
        str(found.get("name") or ""),
        str(found.get("description") or ""),
        end_of(found.get("expiration")),
        policy or None,
    )


def end_of(text: Any) -> datetime | None:
    """Return when a key ends."""
    end = moment(text) if text else None
    return None if end is None or end.year in _NEVER_YEARS else end


def add_key_flags(parser: argparse.ArgumentParser) -> None:
    """Add name, description, end and policy."""
    parser.add_argument("--name", help="a name for it")
    parser.add_argument("--description", help="what it is for")
    parser.add_argument("--expiry-duration", metavar="TIME", help="it ends after this: 30d")
    parser.add_argument("--expiry", metavar="DATE", help="it ends at this moment")
    parser.add_argument("--policy", metavar="FILE", help="what it may do, as JSON; - for stdin")


def expiry_of(options: argparse.Namespace) -> str:
    """Return the end that was asked for, '' when none was. Raises: UsageError."""
    if options.expiry and options.expiry_duration:
        raise UsageError("give one of --expiry and --expiry-duration.")
    end = None
    if options.expiry:
        end = parse_time(options.expiry)
    elif options.expiry_duration:
        end = datetime.now(UTC) + timedelta(seconds=parse_duration(options.expiry_duration))
    return "" if end is None else iso_time(end.replace(microsecond=0))


def policy_of(file: str | None) -> Any:
    """Return the policy in a file, None when none was named. Raises: UsageError."""
    if file is None:
        return None
    try:
        return json.loads(read_document(file))
    except ValueError as error:
        raise UsageError(f"{file} holds no JSON document: {error}.") from error
