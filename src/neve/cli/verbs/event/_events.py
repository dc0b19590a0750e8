"""Notification rules of a bucket: the document of S3, read and written whole."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

from neve.cli.errors import UsageError
from neve.cli.output import Result, Style
from neve.cli.target import Remote
from neve.client.errors import ClientError, ServerError
from neve.client.s3 import S3
from neve.client.xml import Node, document, element, parse

T = TypeVar("T")
NAMES = {
    "put": "s3:ObjectCreated:*",
    "delete": "s3:ObjectRemoved:*",
    "get": "s3:ObjectAccessed:*",
    "replica": "s3:Replication:*",
    "ilm": "s3:ObjectTransition:*",
    "scanner": "s3:Scanner:*",
}
_KINDS = {
    "QueueConfiguration": "Queue",
    "TopicConfiguration": "Topic",
    "CloudFunctionConfiguration": "CloudFunction",
}


@dataclass(frozen=True)
class EventRule(Result):
    """A rule: which changes are told to which target."""

    kind: ClassVar[str] = "event"

    bucket: Annotated[str, "alias/bucket"]
    id: Annotated[str, "the rule's id"]
    arn: Annotated[str, "the target, as the server calls it"]
    events: Annotated[list[str], "names of events, as S3 calls them"]
    prefix: Annotated[str, "only keys that begin so"]
    suffix: Annotated[str, "only keys that end so"]
    kind_of_target: Annotated[str, "`Queue`, `Topic` or `CloudFunction`"] = "Queue"

    def text(self, style: Style) -> str:
        """The sentence."""
        keys = f" of {self.prefix}*{self.suffix}" if self.prefix or self.suffix else ""
        name = style.folder(self.bucket)
        return f"{name} tells {self.arn} of {', '.join(self.events)}{keys}  {style.dim(self.id)}"


@dataclass(frozen=True)
class NoEvents(Result):
    """A bucket sends no notifications."""

    kind: ClassVar[str] = "noEvents"

    bucket: Annotated[str, "alias/bucket"]

    def text(self, style: Style) -> str:
        """The sentence."""
        return f"{style.folder(self.bucket)} sends no notifications."


def event_names(text: str) -> list[str]:
    """Return names of S3 for words such as `put,delete`. Raises: UsageError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in NAMES and not word.startswith("s3:"):
            raise UsageError(f"{word!r} is no event: choose of {', '.join(NAMES)}, or s3:….")
    return [NAMES.get(word, word) for word in words]


def read(server: S3, target: Remote) -> list[EventRule]:
    """Ask for the rules."""
    body = told(
        server, lambda: server.get_setting(target.bucket, "notification", "read notifications")
    )
    name = f"{target.alias}/{target.bucket}"
    root = parse(body) if body else None
    return [_rule(name, node) for node in root or () if node.name in _KINDS]


def write(server: S3, target: Remote, rules: list[EventRule]) -> None:
    """Replace the rules."""
    tags = {kind: tag for tag, kind in _KINDS.items()}
    body = document(
        "NotificationConfiguration",
        [element(tags[rule.kind_of_target], _fields(rule)) for rule in rules],
    )
    told(
        server,
        lambda: server.put_setting(target.bucket, "notification", body, "send notifications"),
    )


def told(server: S3, call: Callable[[], T]) -> T:
    """Make a call, and say it plainly when the server has no notifications."""
    try:
        return call()
    except ServerError as error:
        if error.code != "NotImplemented":
            raise
        raise ClientError(
            f"this server has no event notifications ({server.transport.host}).",
            error.code,
            server.alias.name,
        ) from error


def _rule(bucket: str, node: Node) -> EventRule:
    keys = {"prefix": "", "suffix": ""}
    found = node.find("Filter", "S3Key")
    for each in found.all("FilterRule") if found else ():
        keys[each.text("Name").lower()] = each.text("Value")
    kind = _KINDS[node.name]
    events = [each.value for each in node.all("Event")]
    return EventRule(
        bucket, node.text("Id"), node.text(kind), events, keys["prefix"], keys["suffix"], kind
    )


def _fields(rule: EventRule) -> list[str]:
    fields = [element("Id", rule.id)] if rule.id else []
    fields.append(element(rule.kind_of_target, rule.arn))
    fields += [element("Event", name) for name in rule.events]
    keys = [
        element("FilterRule", [element("Name", name), element("Value", value)])
        for name, value in (("prefix", rule.prefix), ("suffix", rule.suffix))
        if value
    ]
    return fields + ([element("Filter", [element("S3Key", keys)])] if keys else [])
