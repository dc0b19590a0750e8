"""What the forms about buckets share: fields read, refusals as a sentence and a status."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from neve.client.buckets import Limits, Retention
from neve.client.errors import ClientError, Unreachable, UsageError
from neve.client.units import parse_size
from neve.panel.formtext import from_form
from neve.panel.visit import Visit

T = TypeVar("T")


class Wrong(Exception):
    """A field cannot be read or makes no sense: a sentence in the visitor's language."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


PERCENT_MAX = 100
MODES = ("GOVERNANCE", "COMPLIANCE")
PROBLEMS = (Wrong, ClientError)
"""What a form answers with itself again, and the reason over it."""


def reason(visit: Visit, error: Exception) -> tuple[str, int]:
    """Return sentence and status of one of `PROBLEMS`. Raises it when the session has ended."""
    if isinstance(error, Wrong):
        return error.message, 400
    if visit.panel.refusals.ends_session(error):
        raise error
    status = 502 if isinstance(error, Unreachable) else getattr(error, "status", 400)
    return visit.sentence(error), status


def size(visit: Visit, name: str) -> int | None:
    """Return the bytes that a field such as `2 TiB` means, None when it is empty."""
    text = visit.field(name)
    if not text:
        return None
    try:
        return parse_size(_plain_size(text))
    except UsageError as error:
        message = visit._("“%(text)s” is no size: write 500MB, 64 KiB or 2 TiB.", text=text)
        raise Wrong(message) from error


def number(visit: Visit, name: str, least: int = 1) -> int | None:
    """Return a whole number, None when the field is empty."""
    text = "".join(visit.field(name).split())
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < least:
        raise Wrong(
            visit._(
                "“%(text)s” is no whole number from %(least)s on.",
                text=visit.field(name),
                least=visit.language.number(least),
            )
        )
    return int(text)


def limits_in(visit: Visit) -> Limits:
    """Return the limits that the fields `bytes`, `objects` and `soft` mean."""
    soft = number(visit, "soft")
    if soft is not None and soft > PERCENT_MAX:
        raise Wrong(visit._("The warning level is a percentage, from 1 to 100."))
    return Limits(size(visit, "bytes"), number(visit, "objects", 0), soft)


def raw(visit: Visit, name: str) -> str:
    """Return a text field as it was typed, blanks at its ends included."""
    value = visit.form.get(name, "")
    return value if isinstance(value, str) else ""


def prefix_in(visit: Visit, name: str = "prefix") -> str:
    """Return the prefix in a field; templates put it there with the filter `in_form`."""
    return from_form(raw(visit, name))


def mark_of(thing: Any) -> str:
    """Return what a rule is known by on a page that may be old: bytes, or plain JSON values."""
    text = thing if isinstance(thing, bytes) else json.dumps(thing, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:20]


def lines(visit: Visit, name: str) -> list[str]:
    """Return the lines of a text that are not empty."""
    return [line for line in raw(visit, name).splitlines() if line.strip()]


def retention(visit: Visit) -> Retention:
    """Return the default lock that the fields `mode`, `number` and `unit` mean."""
    mode = visit.field("mode")
    if mode not in MODES:
        return Retention()
    length = number(visit, "number")
    if length is None:
        raise Wrong(visit._("Say for how long new versions are locked."))
    return Retention(mode, length, "Years" if visit.field("unit") == "Years" else "Days")


def json_of(visit: Visit, text: str) -> Any:
    """Return a JSON document. Raises: Wrong, with the line and the column."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if not isinstance(error, json.JSONDecodeError):
            raise Wrong(visit._("This is no JSON document.")) from error
        raise Wrong(
            visit._(
                "This is no JSON document: line %(line)s, column %(column)s: %(why)s.",
                line=error.lineno,
                column=error.colno,
                why=error.msg,
            )
        ) from error


def rules_in(visit: Visit, parse: Callable[[bytes, str], list[T]], problem: str) -> list[T]:
    """Return the rules of the field `document`, JSON or S3's XML; `problem`: it has none."""
    text = raw(visit, "document")
    if not text.strip():
        return []
    if not text.lstrip().startswith("<"):
        json_of(visit, text)
    try:
        return parse(text.encode(), "the document")
    except UsageError as error:
        raise Wrong(problem) from error


def place_in(visit: Visit, marks: list[str]) -> int:
    """Return which rule a form is about, as long as it is what its page showed."""
    place = number(visit, "place", 0)
    if place is None or place >= len(marks) or marks[place] != visit.field("mark"):
        raise Wrong(visit._("The rules have changed meanwhile: look again."))
    return place


def shown_size(value: int | None) -> str:
    """Return bytes as a field shows them: the largest unit that is exact."""
    if value is None:
        return ""
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if value and not value % (1 << power):
            return f"{value >> power} {unit}"
    return str(value)


def _plain_size(text: str) -> str:
    """Units and commas as one writes them in French are understood, too."""
    plain = "".join(text.split()).replace(",", ".")
    return plain[:-1] + "B" if plain[-1] in "oO" else plain
