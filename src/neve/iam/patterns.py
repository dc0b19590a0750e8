"""Wildcard patterns of the policy language: `*`, `?` and `${variables}`, matched in bounded time.

A pattern is read once into a `Pattern`. Without variables it becomes a predicate over text at once;
with variables it becomes one when a request gives them values. A value is text: wildcards in it
match only themselves, so that a user called `*` gains nothing.

Inside, a pattern is text in which two lone surrogates stand for `*` and `?`. Documents with lone
surrogates are refused and keys are valid UTF-8, so neither can mean anything else.

Invariant: matching takes O(text) steps on patterns of ordinary length and never backtracks further
than the last `*` (no exponential time; long runs with `?` go through a bit-parallel search).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

STAR = "\ud800"
ONE = "\ud801"
_REGEX_LENGTH_MAX = 32
_WILDCARDS = str.maketrans({"*": STAR, "?": ONE})
_LITERAL_ESCAPES = {"*": "*", "?": "?", "$": "$"}
_VARIABLE = re.compile(r"\$\{\s*([^{},']+?)\s*(?:,\s*'([^'{}]*)'\s*)?\}")

Test = Callable[[str], bool]
Lookup = Callable[[str], str | None]


class Variable(NamedTuple):
    """`${key}` or `${key, 'default'}`."""

    key: str
    default: str | None


class Pattern(NamedTuple):
    """A pattern as read: text (with STAR and ONE) and variables, in order."""

    parts: tuple[str | Variable, ...]

    @property
    def is_static(self) -> bool:
        """Whether it has no variables, and hence means the same for every request."""
        return len(self.parts) <= 1 and not any(isinstance(p, Variable) for p in self.parts)

    @property
    def is_fixed(self) -> bool:
        """Whether it is plain text: no variable and no wildcard."""
        return self.is_static and is_plain(self.text)

    @property
    def text(self) -> str:
        """The pattern with every variable widened to `*`; exact for a static pattern."""
        return "".join(STAR if isinstance(part, Variable) else part for part in self.parts)

    def resolve(self, lookup: Lookup) -> str | None:
        """Return the text with variables replaced; None when one has neither value nor default."""
        out = []
        for part in self.parts:
            if isinstance(part, Variable):
                value = lookup(part.key)
                if value is None:
                    value = part.default
                if value is None:
                    return None
                out.append(value.replace(STAR, "\ufffd").replace(ONE, "\ufffd"))
            else:
                out.append(part)
        return "".join(out)


def parse_pattern(source: str, *, wildcards: bool = True, variables: bool = True) -> Pattern:
    """Read `source`. Raises: ValueError when `${` does not open a well-formed variable."""
    if not variables or "${" not in source:
        text = source.translate(_WILDCARDS) if wildcards else source
        return Pattern((_collapse(text),) if text else ())
    parts: list[str | Variable] = []
    position = 0
    while (start := source.find("${", position)) >= 0:
        _append(parts, source[position:start], wildcards)
        escaped = source[start + 2 : start + 3]
        if escaped in _LITERAL_ESCAPES and source[start + 3 : start + 4] == "}":
            _append(parts, escaped, wildcards=False)
            position = start + 4
            continue
        found = _VARIABLE.match(source, start)
        if not found:
            raise ValueError(source)
        parts.append(Variable(found[1], found[2]))
        position = found.end()
    _append(parts, source[position:], wildcards)
    return Pattern(tuple(_collapse(p) if isinstance(p, str) else p for p in parts))


def _append(parts: list[str | Variable], text: str, wildcards: bool) -> None:
    if not text:
        return
    if wildcards:
        text = text.translate(_WILDCARDS)
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)


def _collapse(text: str) -> str:
    """Return `text` with runs of STAR made one: they mean the same and cost less."""
    return re.sub(f"{STAR}+", STAR, text) if STAR + STAR in text else text


def is_plain(text: str) -> bool:
    """Whether the text has no wildcard and so matches only itself."""
    return STAR not in text and ONE not in text


def compile_text(text: str) -> Test:
    """Return the predicate "matches `text`", which may hold STAR and ONE."""
    if ONE not in text:
        stars = text.count(STAR)
        if not stars:
            return text.__eq__
        if text == STAR:
            return _anything
        if stars == 1 and text[-1] == STAR:
            return _Prefix(text[:-1]).matches
    return _Glob(text).matches


compile_resolved = lru_cache(maxsize=256)(compile_text)
"""`compile_text` for patterns with variables: their texts recur with the caller."""


def _anything(_: str) -> bool:
    return True


class _Prefix:
    """`text*`."""

    __slots__ = ("prefix",)

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def matches(self, value: str) -> bool:
        return value.startswith(self.prefix)


class _Glob:
    """Any pattern: pieces between stars, the first and last anchored, the others leftmost first."""

    __slots__ = ("first", "last", "middle", "minimum")

    def __init__(self, text: str) -> None:
        pieces = text.split(STAR)
        self.minimum = sum(map(len, pieces))
        self.first = _Piece(pieces[0])
        self.last = _Piece(pieces[-1]) if len(pieces) > 1 else None
        self.middle = tuple(_Piece(piece).find for piece in pieces[1:-1] if piece)

    def matches(self, value: str) -> bool:
        length = len(value)
        if self.last is None:
            return length == self.minimum and self.first.at(value, 0)
        if length < self.minimum:
            return False
        end = length - self.last.length
        if not self.first.at(value, 0) or not self.last.at(value, end):
            return False
        position = self.first.length
        for find in self.middle:
            position = find(value, position, end)
            if position < 0:
                return False
        return True


class _Piece:
    """A run without stars. `find` answers the offset behind its leftmost place, or -1."""

    __slots__ = ("_literals", "find", "length", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.length = len(text)
        self._literals = _literal_runs(text)
        self.find: Callable[[str, int, int], int]
        if ONE not in text:
            self.find = self._find_text
        elif len(text) <= _REGEX_LENGTH_MAX:
            self.find = _regex_finder(text)
        else:
            self.find = _bit_finder(text)

    def at(self, value: str, start: int) -> bool:
        """Whether it stands at `start` (the caller checked that there is room)."""
        return all(value.startswith(run, start + offset) for offset, run in self._literals)

    def _find_text(self, value: str, start: int, end: int) -> int:
        found = value.find(self.text, start, end)
        return found if found < 0 else found + self.length


def _literal_runs(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((m.start(), m[0]) for m in re.finditer(f"[^{ONE}]+", text))


def _regex_finder(text: str) -> Callable[[str, int, int], int]:
    source = "".join("." if char == ONE else re.escape(char) for char in text)
    search = re.compile(source, re.DOTALL).search

    def find(value: str, start: int, end: int) -> int:
        found = search(value, start, end)
        return found.end() if found else -1

    return find


def _bit_finder(text: str) -> Callable[[str, int, int], int]:
    """Shift-And: one machine-word operation per 30 pattern characters and text character."""
    wild = sum(1 << index for index, char in enumerate(text) if char == ONE)
    masks: dict[str, int] = {}
    for index, char in enumerate(text):
        if char != ONE:
            masks[char] = masks.get(char, wild) | 1 << index
    accept = 1 << len(text) - 1

    def find(value: str, start: int, end: int) -> int:
        state = 0
        for position in range(start, end):
            state = (state << 1 | 1) & masks.get(value[position], wild)
            if state & accept:
                return position + 1
        return -1

    return find


def can_continue(text: str, prefix: str) -> bool:
    """Whether some non-empty tail makes `prefix + tail` match `text`."""
    states = _closure({0}, text)
    for char in prefix:
        moved = set()
        for state in states:
            if state < len(text):
                if text[state] == STAR:
                    moved.add(state)
                elif text[state] in (ONE, char):
                    moved.add(state + 1)
        states = _closure(moved, text)
    return any(state < len(text) for state in states)


def _closure(states: set[int], text: str) -> set[int]:
    """Add what a STAR that matches nothing leads to (runs of STAR are already one)."""
    return states | {s + 1 for s in states if s < len(text) and text[s] == STAR}
