"""Sizes as people write them: `500`, `64k`, `500MB` (powers of ten), `2TiB`, `2T` (powers of two).

A bare letter is binary, as in coreutils.
"""

import re

from neve.client.errors import UsageError

_LETTERS = "kmgtpe"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i?b?)|b)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the bytes that a text such as `2TiB` or `500MB` means."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no size: write 500MB, 64KiB or 2TiB.")
    number, letter, suffix = match.groups()
    power = _LETTERS.index(letter.lower()) + 1 if letter else 0
    unit = pow(1000.0 if (suffix or "").lower() == "b" else 1024.0, power)
    # Every unit up to EiB is exact as a float; whole numbers must not lose digits.
    return round(float(number) * unit) if "." in number else int(number) * int(unit)
