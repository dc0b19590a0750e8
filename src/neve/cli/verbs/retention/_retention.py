"""Retention of versions and the default of a bucket: results and calls."""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from neve.cli.chosen import Chosen, choose
from neve.cli.errors import UsageError
from neve.cli.output import Result, Style, failure_of
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.units import format_time, iso_time
from neve.client.errors import ClientError, ServerError
from neve.client.s3 import S3, md5_of
from neve.client.xml import document, element, moment, parse
from neve.errors import NeveError

MODES = ("governance", "compliance")
_VALIDITY = re.compile(r"(\d+)\s*([dyDY])")


@dataclass(frozen=True)
class Retention(Result):
    """The lock that a version has now."""

    kind: ClassVar[str] = "retention"

    target: Annotated[str, "alias/bucket/key"]
    version_id: Annotated[str, "the version that was named, '' otherwise"]
    mode: Annotated[str, "`GOVERNANCE`, `COMPLIANCE`, or '' when it is not locked"]
    until: Annotated[datetime | None, "when the lock ends"]

    def text(self, style: Style) -> str:
        """The sentence."""
        name = style.folder(self.target) + (f" ({self.version_id})" if self.version_id else "")
        if self.until is None:
            return f"{name} is not locked."
        return f"{name} is locked until {format_time(self.until)} ({self.mode.lower()})."


@dataclass(frozen=True)
class DefaultRetention(Result):
    """The lock that new versions of a bucket get."""

    kind: ClassVar[str] = "defaultRetention"

    bucket: Annotated[str, "alias/bucket"]
    mode: Annotated[str, "`GOVERNANCE`, `COMPLIANCE`, or '' when there is no default"]
    validity: Annotated[str, "how long, such as `30d` or `1y`"]

    def text(self, style: Style) -> str:
        """The sentence."""
        name = style.folder(self.bucket)
        if not self.mode:
            return f"{name} gives new versions no lock."
        return f"{name} locks new versions for {self.validity} ({self.mode.lower()})."


def parse_validity(text: str) -> tuple[int, str]:
    """Return number and unit (`Days` or `Years`). Raises: UsageError."""
    match = _VALIDITY.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise UsageError(f"{text!r} is no time for a lock: write 30d or 1y.")
    return int(match[1]), "Days" if match[2].lower() == "d" else "Years"


def until_of(text: str) -> datetime:
    """Return the moment at which a lock of this length ends."""
    number, unit = parse_validity(text)
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        return now + timedelta(days=number if unit == "Days" else 365 * number)
    except OverflowError as error:
        raise UsageError(f"{text!r} is too long for a lock.") from error


def read(server: S3, found: Chosen) -> Retention:
    """Ask for the lock of a version."""
    body = get_lock(server, found, "retention")
    root = parse(body or b"<Retention/>")
    until = root.text("RetainUntilDate")
    mode = root.text("Mode") if until else ""
    return Retention(str(found.target), found.version, mode, moment(until) if until else None)


def write(server: S3, found: Chosen, mode: str, until: datetime | None, bypass: bool) -> Retention:
    """Lock a version, or end its lock."""
    fields = []
    if until is not None:
        fields = [element("Mode", mode.upper()), element("RetainUntilDate", iso_time(until))]
    headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
    put_lock(server, found, "retention", document("Retention", fields), headers)
    return Retention(str(found.target), found.version, mode.upper() if until else "", until)


def get_lock(server: S3, found: Chosen, name: str) -> bytes | None:
    """Return `retention` or `legal-hold` of a version, None when it has none."""
    target = found.target
    try:
        return server.transport.request(
            "GET", target.bucket, target.key, {name: "", **found.query}, doing="read the lock"
        ).body
    except ServerError as error:
        # One code is of a version without a lock, the other of a bucket without locks.
        if error.code not in ("NoSuchObjectLockConfiguration", "InvalidRequest"):
            raise
        return None


def put_lock(
    server: S3, found: Chosen, name: str, body: bytes, headers: dict[str, str] | None = None
) -> None:
    """Set `retention` or `legal-hold` of a version. Raises: ClientError where no locks are."""
    target = found.target
    try:
        server.transport.request(
            "PUT", target.bucket, target.key, {name: "", **found.query},
            {"content-md5": md5_of(body), **(headers or {})}, body, doing="change the lock",
        )  # fmt: skip
    except ServerError as error:
        if error.code != "InvalidRequest" or "Lock Configuration" not in error.said:
            raise
        raise _without_lock(f"{target.alias}/{target.bucket}") from error


def write_all(
    options: argparse.Namespace, session: Session, mode: str, until: datetime | None
) -> Iterator[Result]:
    """Change the lock of all that is named; go on after a failure."""
    for found in choose(options, session):
        try:
            server = session.server(found.target.alias)
            yield write(server, found, mode, until, options.bypass)
        except NeveError as error:
            yield failure_of(error, str(found.target))


def read_default(server: S3, target: Remote) -> DefaultRetention:
    """Ask for the default of a bucket."""
    body = server.get_setting(target.bucket, "object-lock", "read the default lock")
    name = f"{target.alias}/{target.bucket}"
    if body is None:
        raise _without_lock(name)
    rule = parse(body).find("Rule", "DefaultRetention")
    if rule is None:
        return DefaultRetention(name, "", "")
    days, years = rule.text("Days"), rule.text("Years")
    return DefaultRetention(name, rule.text("Mode"), f"{years}y" if years else f"{days}d")


def write_default(server: S3, target: Remote, mode: str, validity: str) -> DefaultRetention:
    """Set the default of a bucket; without a mode there is none any more."""
    read_default(server, target)
    fields = [element("ObjectLockEnabled", "Enabled")]
    if mode:
        number, unit = parse_validity(validity)
        rule = [element("Mode", mode.upper()), element(unit, str(number))]
        fields.append(element("Rule", [element("DefaultRetention", rule)]))
    body = document("ObjectLockConfiguration", fields)
    server.put_setting(target.bucket, "object-lock", body, "change the default lock")
    return read_default(server, target)


def bucket_of(options: argparse.Namespace, session: Session) -> Remote:
    """Return the bucket whose default is meant. Raises: UsageError."""
    target = session.remote(options.target, "bucket")
    if target.key or options.recursive or options.versions or options.version_id:
        raise UsageError("--default is about a bucket: name it alone.")
    return target


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the target and --default."""
    parser.add_argument("target", metavar="TARGET", help="an object; a bucket with --default")
    parser.add_argument("--default", action="store_true", help="the default for new versions")


def add_bypass(parser: argparse.ArgumentParser) -> None:
    """Add --bypass."""
    parser.add_argument(
        "--bypass", action="store_true", help="also shorten or end locks in governance mode"
    )


def _without_lock(bucket: str) -> ClientError:
    return ClientError(
        f"{bucket} has no object lock: a bucket gets it when it is made, neve mb --with-lock.",
        "NoObjectLock",
        bucket,
    )
