"""Patterns over keys: `*` and `?` stop at a slash, `**` does not, `[abc]` is one of these.

`[*]` means a star itself. Only the text before the first sign is asked of the server as a prefix;
the rest is compared here.
"""

import re
from collections.abc import Callable

_SIGNS = re.compile(r"[*?\[]")


def has_glob(key: str) -> bool:
    """Whether the key is a pattern."""
    return _SIGNS.search(key) is not None


def fixed_part(pattern: str) -> str:
    """Return what every match begins with."""
    match = _SIGNS.search(pattern)
    return pattern if match is None else pattern[: match.start()]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return the function that says whether a whole key matches."""
    compiled = re.compile(translate(pattern), re.DOTALL)
    return lambda key: compiled.fullmatch(key) is not None


def translate(pattern: str) -> str:
    """Return the pattern as a regular expression."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        sign = pattern[position]
        position += 1
        if sign == "*" and pattern.startswith("*", position):
            position += 1
            out.append(".*")
        elif sign == "*":
            out.append("[^/]*")
        elif sign == "?":
            out.append("[^/]")
        elif sign == "[" and (end := pattern.find("]", position + 1)) > 0:
            inside = pattern[position:end].replace("\\", "\\\\").replace("[", "\\[")
            inside = "^" + inside[1:] if inside[0] in "!^" and len(inside) > 1 else inside
            out.append(f"[{inside if inside != '^' else chr(92) + '^'}]")
            position = end + 1
        else:
            out.append(re.escape(sign))
    return "".join(out)
