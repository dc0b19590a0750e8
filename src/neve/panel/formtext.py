"""Keys in forms: browsers turn each end of a line in a field into CR LF, and a key may have one.

So a field that bears a key has `%0D`, `%0A` and `%25` for the three characters. A key without them,
as nearly all are, stands there as it is.
"""

import re

from neve.panel.visit import Visit

_SIGNS = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_CHARACTERS = {sign: character for character, sign in _SIGNS.items()}


def in_form(key: str) -> str:
    """Return how a key stands in a field of a form; the filter `in_form` of the templates."""
    return re.sub("[%\r\n]", lambda found: _SIGNS[found[0]], key)


def from_form(text: str) -> str:
    """Return the key that stands in a field."""
    return re.sub("%25|%0D|%0A", lambda found: _CHARACTERS[found[0]], text)


def keys_of(visit: Visit, name: str) -> list[str]:
    """Return all keys of a field that stands several times."""
    return [from_form(value) for value in visit.fields(name)]


def key_of(visit: Visit, name: str) -> str:
    """Return the key of a field, with the blanks around it; '' without it."""
    return next(iter(keys_of(visit, name)), "")
