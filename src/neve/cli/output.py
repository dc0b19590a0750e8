"""The one way in which client verbs answer: results, each with a line of text and a JSON object.

With `--json` the standard output carries one object per line and nothing else: every object has
`status` (`success` or `error`) and `type`, and always all fields of its type
(docs/reference/cli-json.md). Without it, results are lines, failures are sentences on the standard
error. Colours are for terminals only.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import IO, Annotated, Any, ClassVar, Protocol

from neve.cli.units import iso_time
from neve.client.errors import ClientError
from neve.errors import NeveError

_COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}


class Style:
    """Colours, or none: each method returns the text marked or as it is."""

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.coloured else text

    def bold(self, text: str) -> str:
        """Names that matter."""
        return self._paint(text, "bold")

    def dim(self, text: str) -> str:
        """What is there for completeness: times, hashes."""
        return self._paint(text, "dim")

    def size(self, text: str) -> str:
        """Sizes and counts."""
        return self._paint(text, "yellow")

    def folder(self, text: str) -> str:
        """Buckets and prefixes."""
        return self._paint(text, "cyan")

    def good(self, text: str) -> str:
        """Success."""
        return self._paint(text, "green")

    def bad(self, text: str) -> str:
        """Failure, loss, deletion."""
        return self._paint(text, "red")


@dataclass(frozen=True)
class Result:
    """Something a verb answers. A subclass is a frozen dataclass whose fields are its JSON.

    Fields are written `name: Annotated[type, "what it means"]`; in JSON they are in camel case,
    times as RFC 3339 in UTC. `kind` is the value of `type`.
    """

    kind: ClassVar[str] = ""
    failed: ClassVar[bool] = False
    """Whether the verb ends with status 1 because of it."""
    quiet: ClassVar[bool] = False
    """Whether `--quiet` leaves the line out: for what only confirms that the verb did its work."""
    verbatim: ClassVar[bool] = False
    """Whether control characters of its fields are printed as they are: for documents of ours.
    Else they are escaped before `text` sees them: a key may hold lines, or commands to terminals.
    """

    def text(self, style: Style) -> str:
        """The line, or lines, for a reader; '' prints nothing."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        head = {"status": "error" if self.failed else "success", "type": self.kind}
        return head | {camel(item.name): to_json(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True)
class Failure(Result):
    """A part of the work, or all of it, could not be done."""

    kind: ClassVar[str] = "failure"
    failed: ClassVar[bool] = True

    message: Annotated[str, "one sentence with the likely cause"]
    code: Annotated[str, "code of the server, or a word of the client's own"]
    target: Annotated[str, "what it is about, '' when that is unknown"] = ""

    def text(self, style: Style) -> str:
        """The sentence, as it stands on the standard error."""
        return f"neve: {self.message}"


def failure_of(error: NeveError, target: str = "") -> Failure:
    """Return the result that an error is, for verbs that go on after it."""
    if not isinstance(error, ClientError):
        return Failure(str(error), type(error).__name__, target)
    return Failure(error.sentence(), error.code, target or error.target)


class Screen(Protocol):
    """What must make room on a terminal before a line is printed: a progress bar."""

    def clear(self) -> None:
        """Take what is shown off the terminal."""


class Output:
    """Where results go; counts the failures."""

    def __init__(
        self,
        as_json: bool = False,
        quiet: bool = False,
        coloured: bool | None = None,
        stream: IO[str] | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.failures = 0
        self.negative = False
        """Whether the answer is no, as that of `diff` is when something differs."""
        self.screen: Screen | None = None
        self.live = False
        """Whether each result must be out at once: for verbs that go on until Ctrl-C."""
        self._stream = stream
        if coloured is None:
            coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.style = Style(coloured and not as_json)

    def show(self, result: Result) -> None:
        """Print a result."""
        if result.failed:
            self.failures += 1
        if self.screen:
            self.screen.clear()
        stream = self._stream or sys.stdout
        if self.as_json:
            text = json.dumps(result.document(), ensure_ascii=False, separators=(",", ":"))
            # File names that are no UTF-8 reach us as lone surrogates, which JSON cannot carry.
            stream.write(text.encode("utf-8", "replace").decode() + "\n")
        elif isinstance(result, Failure):
            sys.stdout.flush()
            print(clean(result).text(Style(False)), file=sys.stderr)
        elif not (self.quiet and result.quiet):
            text = (result if result.verbatim else clean(result)).text(self.style)
            if text:
                stream.write(text + "\n")
        if self.screen or self.live:
            stream.flush()

    def note(self, message: str) -> None:
        """Say something that is no result, on the standard error; not with --quiet or --json."""
        if not (self.quiet or self.as_json):
            if self.screen:
                self.screen.clear()
            print(message, file=sys.stderr)

    @property
    def status(self) -> int:
        """The exit status so far."""
        return 1 if self.failures or self.negative else 0


def camel(name: str) -> str:
    """Return a field's name as JSON has it."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def to_json(value: Any) -> Any:
    """Return a field's value as JSON has it."""
    if isinstance(value, datetime):
        return iso_time(value)
    if isinstance(value, Result):
        return {camel(item.name): to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(name): to_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    return value


def clean(result: Result) -> Result:
    """Return the result with the control characters of its fields escaped."""
    values = {item.name: getattr(result, item.name) for item in fields(result)}
    cleaned = {name: _clean(value) for name, value in values.items()}
    if cleaned == values:
        return result
    return replace(result, **cleaned)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, tuple):
        return tuple(_clean(each) for each in value)
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return clean(value) if isinstance(value, Result) else value


def printable(text: str) -> str:
    """Return text whose control characters are escaped: it is one line and commands no terminal."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode()
        for sign in text.encode("utf-8", "replace").decode()
    )


def table(rows: Iterable[tuple[str, ...]], right: tuple[int, ...] = ()) -> str:
    """Return rows as aligned columns; those in `right` are flush right."""
    cells = [list(row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        parts = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
